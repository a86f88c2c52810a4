"""`recolor tune` and `recolor studies`."""

from json import dumps

import click

from recolor.models.decoding.options import Decoding
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.models.option import options_of
from recolor.platform.cli.declared_options import declared_options, decoding_options
from recolor.platform.cli.errors import interrupted
from recolor.platform.cli.libraries import check_backend, quiet_mlflow, quiet_optuna
from recolor.platform.cli.messages import epochs_said, say
from recolor.platform.cli.options import COUNT, DATA, JSON, SEED, STORAGE, TEXT, Repeated, read_data
from recolor.platform.cli.output import WorkerLines, report_trained
from recolor.platform.search.options import (
    DEFAULT_RATES,
    DEFAULT_STORAGE,
    LEARNING_RATE,
    PRUNERS,
    SAMPLERS,
    VAL_LOSS,
)
from recolor.platform.training.settings import Settings, check_decoding


@click.command()
@DATA
@declared_options(
    [option for name, option in options_of(Settings).items() if name != LEARNING_RATE],
    {"epochs": "Epochs of a trial.  [default: the paper's, for this kind of network]"},
)
@decoding_options(
    *("temperature", "vividness"),
    temperature="Of the trained models: T of their annealed mean.  "
    f"[default: {OwnDecoding.temperature:g}]",
    vividness=f"Of the trained models.  [default: {OwnDecoding.vividness:g}]",
)
@click.option(
    "--learning-rate",
    type=TEXT,
    metavar="LOW,HIGH",
    help="Range to search, evenly in its logarithm; a single number is not searched.  "
    f"[default: {DEFAULT_RATES}]",
)
@click.option(
    "--search",
    cls=Repeated,
    metavar="NAME=A,B,...|NAME=LOW:HIGH[:log]",
    help="Search an option of `train`, too: a list of values, or a range. May be repeated.",
)
@click.option(
    "--trials",
    type=COUNT,
    default=20,
    show_default=True,
    help="How many are to be complete or pruned, whoever runs them.",
)
@click.option(
    "--objective",
    type=TEXT,
    default=VAL_LOSS,
    show_default=True,
    help="val_loss, or a metric of the validation posters, told the palette where the network "
    "takes one; of a restoration network, aged.delta_e_2000 for example.",
)
@click.option(
    "--sampler",
    type=click.Choice(SAMPLERS),
    default="tpe",
    show_default=True,
    help="Optuna's way to choose values.",
)
@click.option(
    "--pruner",
    type=click.Choice(PRUNERS),
    help="Optuna's way to give up hopeless trials, by the val_loss of every epoch.  "
    "[default: median; none with another objective]",
)
@click.option("--sampler-seed", type=SEED, default=0, show_default=True)
@click.option(
    "--study",
    type=TEXT,
    metavar="NAME",
    help="The study to begin or to resume.  [default: the kind of network]",
)
@STORAGE
@click.option(
    "--workers",
    type=COUNT,
    default=1,
    show_default=True,
    help="Processes that run trials, each on a GPU of its own where there are several.",
)
@click.option(
    "--heartbeat",
    type=COUNT,
    metavar="SECONDS",
    default=20,
    show_default=True,
    help="How often a trial gives a sign of life.",
)
@click.option(
    "--grace",
    type=COUNT,
    metavar="SECONDS",
    default=120,
    show_default=True,
    help="How long without a sign of life before another worker takes over a trial.",
)
@click.option(
    "--best-epochs",
    type=COUNT,
    help="Epochs of the best trial's settings at full length.  [default: the paper's]",
)
@click.option(
    "--train-best",
    is_flag=True,
    help="Train with the best trial's settings at full length, and register the model.",
)
def tune(
    data, temperature, vividness, learning_rate, search, objective, sampler, pruner, sampler_seed,
    study, storage, trials, workers, heartbeat, grace, best_epochs, train_best, **options,
):  # fmt: skip
    """Search for the best settings, with a training for each trial, tracked in MLflow.

    The same command continues after any interruption; started elsewhere with the same --study and
    --storage, it adds workers.
    """
    from recolor.platform.registry.sources import check_source

    given = {name: value for name, value in options.items() if value is not None}
    check_backend()
    if grace <= heartbeat:
        raise click.UsageError("--grace must be longer than --heartbeat")
    quiet_optuna()
    from recolor.platform.search.plan import Plan
    from recolor.platform.search.space import parse_learning_rate, parse_space

    # What is typed wrong is said first, and before the seconds that MLflow and TensorFlow take.
    space = parse_space(search)
    if LEARNING_RATE not in space or learning_rate:
        rates = parse_learning_rate(learning_rate or DEFAULT_RATES)
        if LEARNING_RATE in space:
            raise click.UsageError("--learning-rate and --search learning_rate=...: leave out one")
        (given if isinstance(rates, float) else space)[LEARNING_RATE] = rates
    if both := sorted(set(space) & set(given)):
        raise click.UsageError(f"{both[0]} is given and searched: leave out one")
    settings = Settings(**given)
    decoding = Decoding(temperature=temperature, vividness=vividness)
    if settings.initial_weights:
        check_source(settings.initial_weights)
    manifest = read_data(data).manifest
    quiet_mlflow()
    check_decoding(settings.model, decoding)
    if objective != VAL_LOSS:
        _check_objective(objective, settings.model)
    plan = Plan(
        manifest.digest,
        settings,
        OwnDecoding().changed(decoding),
        space,
        objective,
        sampler,
        pruner or ("median" if objective == VAL_LOSS else "none"),
        sampler_seed,
    )
    from recolor.platform.search import tuning
    from recolor.platform.tracking import store

    store.connect(to_write=True)
    # Before a study is begun.
    store.choose_experiment()
    demand = tuning.Demand(
        study or settings.model,
        storage or DEFAULT_STORAGE,
        trials,
        workers,
        heartbeat,
        grace,
        best_epochs,
        train_best,
    )
    lines = WorkerLines(workers, objective)
    try:
        with epochs_said():
            found = tuning.tune(manifest, plan, demand, _say_where, lines)
    except KeyboardInterrupt as error:
        raise interrupted(error, ": run the same command again to continue") from None
    finally:
        lines.close()
    if found.best is None:
        raise click.ClickException(
            f"{found.done} trials are done, but all were given up: search other values"
        )
    chosen = ", ".join(f"{name} {value}" for name, value in found.best.chosen.items())
    trials = "1 trial" if found.done == 1 else f"{found.done} trials"
    say(
        f"{trials}; the best is trial {found.best.number}, run {found.best.run_id}: "
        f"{objective} {found.best.value:.4g} with {chosen}"
    )
    say(f"at full length: {found.command}")
    if found.trained is not None:
        report_trained(found.trained)


def _check_objective(objective, model):
    """Check that a metric measures a model kind; Keras is imported for it."""
    from recolor.models.catalog import MODELS
    from recolor.platform.registry.tasks import TASKS

    objectives = [VAL_LOSS, *TASKS[MODELS[model].task].metrics]
    if objective not in objectives:
        raise click.BadParameter(
            f"{objective!r} is not one of {', '.join(objectives)}.", param_hint="'--objective'"
        )


def _say_where(name, run_id):
    say(f"study {name}, run {run_id}")


@click.command()
@STORAGE
@JSON
def studies(storage, json):
    """List the studies of `recolor tune`: state, trials, best value."""
    quiet_optuna()
    from recolor.platform.search.storage import explained, read_storage
    from recolor.platform.search.study import summaries

    storage = storage or DEFAULT_STORAGE
    with explained(storage):
        found = summaries(read_storage(storage))
    if json:
        click.echo(dumps([study.describe() for study in found], indent=2))
        return
    if not found:
        click.echo("no studies")
    for study in found:
        trials = ", ".join(f"{count} {state}" for state, count in study.trials.items() if count)
        best = "" if study.best is None else f"; best: {study.best[1]:.4g} (trial {study.best[0]})"
        click.echo(
            f"{study.name}: {study.state}, {study.plan.settings.model}, {study.plan.objective}; "
            f"{trials or 'no trials'} of {study.wanted}{best}; run {study.run_id}"
        )
