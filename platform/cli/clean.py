"""`recolor clean`."""

from dataclasses import asdict
from json import dumps

import click

from recolor.platform.cli.libraries import quiet_mlflow
from recolor.platform.cli.messages import say
from recolor.platform.cli.options import JSON


@click.command()
@click.option(
    "--all",
    "unfinished",
    is_flag=True,
    envvar="RECOLOR_CLEAN_ALL",
    help="Also of runs that failed or were killed.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@JSON
def clean(unfinished, dry_run, json):
    """Remove the checkpoints of runs that are finished or deleted.

    Such a run can't be resumed afterwards. Its model, metrics and pictures stay.
    """
    quiet_mlflow()
    from recolor.platform.tracking import store
    from recolor.platform.tracking.checkpoints import leftovers, remove
    from recolor.platform.tracking.place import store_exists

    found = []
    # Where there is no store, none is made.
    if store_exists():
        store.connect(to_write=not dry_run)
        found = list(leftovers(unfinished))
    for one in found:
        if not dry_run:
            remove(one)
        if not json:
            say(f"{one.run_id}  {one.name}, {one.state}: {_megabytes(one.size)}")
    if json:
        click.echo(dumps([asdict(one) for one in found], indent=2))
        return
    if not found:
        say("there is nothing to remove")
        return
    runs = "1 run" if len(found) == 1 else f"{len(found)} runs"
    done = "would be removed" if dry_run else "removed"
    say(f"checkpoints of {runs} {done}: {_megabytes(sum(one.size for one in found))}")


def _megabytes(size):
    return f"{size / 1e6:.0f} MB"
