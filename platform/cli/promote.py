"""`recolor promote`."""

import click

from recolor.platform.cli.libraries import quiet_mlflow, use_tensorflow
from recolor.platform.cli.messages import say
from recolor.platform.cli.options import INPUT, TEXT
from recolor.platform.cli.output import progress_bar, say_how_mlflow_finds_it
from recolor.platform.registry.tasks import RECOLORING, TASKS


@click.command()
@click.option(
    "--task",
    type=click.Choice(list(TASKS)),
    default=RECOLORING.name,
    show_default=True,
    help="What the versions are for: each task has a champion of its own.",
)
@click.option("--version", type=TEXT, metavar="NUMBER", help="[default: the best one]")
@click.option(
    "--metric",
    help="What decides, in validation.  [default: "
    + ", ".join(f"{task.metric} to {task.name}" for task in TASKS.values())
    + "]",
)
@click.option(
    "--data",
    type=INPUT,
    help="Measure the version, the champion and the bundled network on the validation posters of "
    "this data set; for versions that were validated on different ones, or whose data set was "
    "moved.",
)
@click.option(
    "--force",
    is_flag=True,
    help="Even a version that is worse than the champion or than gray (to restore: than leaving "
    "posters alone), or was validated on other data.",
)
@click.option("--rollback", is_flag=True, help="Go back to the champion before.")
@click.option("--reason", metavar="TEXT", help="Why, for `recolor models --history`.")
def promote(task, version, metric, data, force, rollback, reason):
    """Make the best registered version the champion.

    Versions are ranked by their error on the validation posters, told each poster's own palette; a
    network that takes no palette is ranked by its free answer. Restoration networks are ranked by
    their error on validation posters that were aged artificially. The champion answers by default
    if it is better than the bundled network; `--model champion` takes it in any case, and
    `--model models:/poster-restore@champion` that of restoring.
    """
    task = TASKS[task]
    metric = metric or task.metric
    if metric not in task.metrics:
        raise click.BadParameter(
            f"{metric!r} is not one of {', '.join(task.metrics)}.", param_hint="'--metric'"
        )
    if rollback and (version or force or data):
        raise click.UsageError("--rollback goes with neither --version nor --force nor --data")
    quiet_mlflow()
    from recolor.datasets.manifest import Manifest
    from recolor.platform.registry import promotion
    from recolor.platform.tracking import store

    manifest = Manifest.load(data) if data else None
    store.connect(to_write=True)
    # For what may have to be measured.
    use_tensorflow()
    if rollback:
        _, message = promotion.rollback(reason, task)
    else:
        _, message = promotion.promote(metric, version, force, reason, manifest, progress_bar, task)
    say(message)
    say_how_mlflow_finds_it()
