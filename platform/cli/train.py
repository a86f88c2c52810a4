"""`recolor train`."""

from dataclasses import replace

import click

from recolor.platform.cli.backend import check_backend
from recolor.platform.cli.options import COUNT, DATA, OUTPUT_FILE, SEED, Finite
from recolor.platform.cli.quiet import ignore_warnings, quiet_mlflow
from recolor.platform.cli.trained import report_trained

MODEL_KINDS = ("regression", "classification")
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
SCHEDULES = ("plateau", "cosine")
AUGMENTATIONS = ("none", "mirror", "full", "crop")


@click.command()
@DATA
@click.option("--model", type=click.Choice(MODEL_KINDS), help="Kind of network.")
@click.option("--epochs", type=COUNT, help="[default: 180 or 260, as in the paper]")
@click.option("--batch-size", type=COUNT, help="[default: 50 or 20, as in the paper]")
@click.option(
    "--learning-rate",
    type=Finite(0, 1, min_open=True),
    help="Of Adam, at the start.  [default: 1e-4]",
)
@click.option(
    "--schedule",
    type=click.Choice(SCHEDULES),
    help="Halve the learning rate after 10 epochs without a lower loss, or lower it in every epoch "
    "along a cosine.  [default: plateau]",
)
@click.option(
    "--augment",
    type=click.Choice(AUGMENTATIONS),
    help="Mirror posters at random; or mirror, turn and zoom them (full); or mirror and crop them "
    "and bend their lightness (crop).  [default: none]",
)
@click.option(
    "--temperature",
    type=Finite(0.001, 100),
    help="T of the annealed mean (classification). [default: 0.38]",
)
@click.option(
    "--vividness",
    type=Finite(0, 1),
    help="Of the trained model, where none is asked for; the training does not depend on it.  "
    "[default: 0]",
)
@click.option("--seed", type=SEED, help="[default: 0]")
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="What layers compute in; weights and losses are float32.  [default: float32]",
)
@click.option(
    "--jit/--no-jit", default=None, help="Compile the step.  [default: where it is known to help]"
)
@click.option(
    "--accumulate", type=COUNT, metavar="STEPS", help="Average the gradients of so many steps."
)
@click.option(
    "--clip",
    type=Finite(0, min_open=True),
    metavar="NORM",
    help="Scale longer gradients down to this norm.",
)
@click.option(
    "--initial-weights",
    metavar="FILE|URI|KIND",
    type=str,
    help="Begin with these weights, for example of a training on smaller pictures, or with those "
    "that come with recolor.",
)
@click.option(
    "--resume",
    metavar="RUN_ID",
    type=str,
    help="Go on with a run, by its own settings; only --epochs may differ.",
)
@click.option(
    "--untracked",
    type=OUTPUT_FILE,
    metavar="FILE",
    help="Train without MLflow and TensorFlow into a file, or go on with it: see import-weights.",
)
def train(data, resume, untracked, **options):
    """Train a network, track it in MLflow and register the result.

    KERAS_BACKEND chooses the framework: tensorflow, jax or torch. TF_CONFIG makes this process one
    of several TensorFlow workers, which share each batch.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if not resume and "model" not in given:
        raise click.UsageError("Missing option '--model' (or '--resume').")
    check_backend()
    if resume and untracked:
        raise click.UsageError("--untracked goes on with its file: --resume is for tracked runs")
    from recolor.datasets.manifest import Manifest

    manifest = Manifest.load(data)
    if untracked:
        _train_untracked(manifest, given, untracked)
        return
    quiet_mlflow()
    from recolor.platform.tracking import store
    from recolor.platform.training import tracked
    from recolor.platform.training.loop import Settings

    store.connect()
    settings = replace(tracked.saved_settings(resume), **given) if resume else Settings(**given)
    trained = tracked.train(manifest, settings, resume, started=_say_how_to_resume)
    if trained is not None:
        report_trained(trained)


def _train_untracked(manifest, given, file):
    ignore_warnings()
    from recolor.platform.training.loop import Settings
    from recolor.platform.training.untracked import train_untracked

    checkpoint = train_untracked(manifest, Settings(**given), file)
    if checkpoint is None:
        return
    progress = checkpoint.progress
    click.echo(
        f"{progress.epoch} epochs in {file}, the best is {progress.best_epoch}: "
        f"register it with `recolor import-weights {file} --data {manifest.folder}`"
    )


def _say_how_to_resume(run_id):
    click.echo(f"run {run_id}; if it is interrupted: recolor train --resume {run_id}")
