"""`recolor train` and `recolor import-weights`."""

import shlex

import click

from recolor.models.decoding.options import Decoding
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.models.option import options_of
from recolor.platform.cli.declared_options import declared_options, decoding_options
from recolor.platform.cli.libraries import (
    check_backend,
    ignore_warnings,
    quiet_mlflow,
    use_tensorflow,
)
from recolor.platform.cli.messages import epochs_said, say
from recolor.platform.cli.options import DATA, INPUT_FILE, OUTPUT_FILE, TEXT, read_data
from recolor.platform.cli.output import report_trained
from recolor.platform.training.settings import Settings


@click.command()
@DATA
@declared_options(options_of(Settings).values())
@decoding_options(
    *("temperature", "vividness"),
    temperature="Of the trained model, where none is asked for: T of its annealed mean.  "
    f"[default: {OwnDecoding.temperature:g}]",
    vividness="Of the trained model, where none is asked for; training does not depend on it.  "
    f"[default: {OwnDecoding.vividness:g}]",
)
@click.option(
    "--resume",
    metavar="RUN_ID",
    type=TEXT,
    help="Resume a run, with its own settings; only --epochs, --temperature and --vividness "
    "may change.",
)
@click.option(
    "--untracked",
    type=OUTPUT_FILE,
    metavar="FILE",
    help="Train into a file, or continue it, without MLflow and TensorFlow: see import-weights.",
)
def train(data, resume, untracked, temperature, vividness, **options):
    """Train a network, track it in MLflow and register the result.

    KERAS_BACKEND chooses the framework: tensorflow, jax or torch. TF_CONFIG makes this process one
    of several TensorFlow workers, which share each batch.
    """
    from recolor.platform.registry.sources import check_source

    given = {name: value for name, value in options.items() if value is not None}
    check_backend()
    if resume and untracked:
        raise click.UsageError("--untracked continues from its file: --resume is for tracked runs")
    decoding = Decoding(temperature=temperature, vividness=vividness)
    # What is typed wrong is said first, and before the seconds that TensorFlow takes.
    settings = None if resume else Settings(**given)
    if resume:
        _check_run(resume)
    elif settings.initial_weights:
        check_source(settings.initial_weights)
    data = read_data(data)
    if untracked:
        _train_untracked(data.manifest, settings, untracked, decoding)
        return
    quiet_mlflow()
    from recolor.platform.experiments.training import train

    with epochs_said():
        trained = train(data, resume=resume, decoding=decoding, started=_say_how_to_resume, **given)
    if trained is not None:
        report_trained(trained)


def _check_run(run_id):
    """Check first of all that a run is there; its data set may be in another folder."""
    quiet_mlflow()
    from recolor.platform.tracking import store
    from recolor.platform.training.saved_settings import saved_settings

    store.connect(to_write=True)
    saved_settings(run_id)


def _train_untracked(manifest, settings, file, decoding):
    ignore_warnings()
    from recolor.platform.training.settings import data_options
    from recolor.platform.training.untracked import train_untracked

    with epochs_said():
        checkpoint = train_untracked(manifest, settings, file, decoding)
    if checkpoint is None:
        return
    progress = checkpoint.progress
    say(
        f"{progress.epoch} epochs in {file}, the best is {progress.best_epoch}: "
        f"register it with `recolor import-weights {file} {shlex.join(data_options(manifest))}`"
    )


def _say_how_to_resume(run_id):
    say(f"run {run_id}; if it is interrupted: recolor train --resume {run_id}")


@click.command()
@click.argument("file", type=INPUT_FILE)
@DATA
@decoding_options(
    *("temperature", "vividness"),
    temperature="Of the model, where none is asked for: T of its annealed mean.  "
    "[default: as it was trained]",
    vividness="Of the model, where none is asked for.  [default: as it was trained]",
)
def import_weights(file, data, **decoding):
    """Register a file of `train --untracked` as a tracked run and a model.

    --data is the data set that it was trained on.
    """
    manifest = read_data(data).manifest
    use_tensorflow()
    quiet_mlflow()
    from recolor.platform.tracking import store

    # Before the seconds that TensorFlow takes.
    store.connect(to_write=True)
    store.choose_experiment()
    from recolor.platform.training import publication

    report_trained(publication.import_weights(manifest, file, Decoding(**decoding)))
