"""`recolor promote`."""

import click

from recolor.evaluation.metrics.catalog import DEFAULT_METRIC
from recolor.platform.cli.quiet import quiet_mlflow


@click.command()
@click.option("--version", type=str, metavar="NUMBER", help="[default: the best one]")
@click.option(
    "--metric", default=DEFAULT_METRIC, show_default=True, help="What decides, in validation."
)
@click.option(
    "--force",
    is_flag=True,
    help="Even a version that is worse than gray or the champion, or was validated on other data.",
)
@click.option("--rollback", is_flag=True, help="Go back to the champion before.")
def promote(version, metric, force, rollback):
    """Make the best registered version the champion.

    Versions are ranked by their error on the validation posters, told each poster's own palette; a
    network that takes no palette is ranked by its free answer.
    """
    from recolor.evaluation.metrics.catalog import rankable

    if metric not in rankable():
        raise click.BadParameter(
            f"{metric!r} is not one of {', '.join(rankable())}.", param_hint="'--metric'"
        )
    if rollback and (version or force):
        raise click.UsageError("--rollback goes with neither --version nor --force")
    quiet_mlflow()
    from recolor.platform.registry import promotion
    from recolor.platform.tracking import store

    store.connect()
    _, message = promotion.rollback() if rollback else promotion.promote(metric, version, force)
    click.echo(message)
