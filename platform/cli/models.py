"""`recolor models`."""

from dataclasses import asdict
from datetime import datetime
from json import dumps

import click

from recolor.platform.cli.libraries import quiet_mlflow

# So many characters of a digest, a run's id or a commit are shown.
SHORT = 8


@click.command()
@click.option("--history", is_flag=True, help="List the promotions and rollbacks instead.")
@click.option(
    "--json",
    is_flag=True,
    help="Print JSON, with all metrics and nothing shortened.",
)
def models(history, json):
    """List the registered versions: what each is worth, and where it came from.

    Those of poster-recolor color posters, those of poster-restore restore them.
    """
    quiet_mlflow()
    from recolor.platform.registry.history import read_history
    from recolor.platform.registry.listing import list_versions
    from recolor.platform.registry.tasks import TASKS
    from recolor.platform.tracking import store
    from recolor.platform.tracking.place import store_exists

    found = {}
    # Where there is no store, none is made.
    if store_exists():
        store.connect()
        for task in TASKS.values():
            found[task] = list(read_history(task).values()) if history else list_versions(task)
    if json:
        shown = [
            {"model": task.model, **(asdict(one) if history else one.describe())}
            for task, some in found.items()
            for one in some
        ]
        click.echo(dumps(shown, indent=2))
        return
    if not any(found.values()):
        click.echo(
            "no promotion is recorded yet: promote a version with `recolor promote`"
            if history
            else "no model is registered yet: train one with `recolor train`"
        )
    used = [task for task in found if found[task]]
    for task in used:
        if len(used) > 1:
            click.echo(f"{task.model}:")
        if history:
            _show_changes(found[task])
        else:
            _show_versions(task, found[task])
            _say_what_answers(task)


def _show_versions(task, found):
    """Print `listing.ListedVersion`s of a task as a table."""
    from recolor.evaluation.answers import (
        AGED,
        FREE,
        LEFT_ALONE,
        TOLD_PALETTE,
        UNAGED,
        MetricKey,
    )
    from recolor.evaluation.metrics.catalog import METRICS
    from recolor.platform.registry.tasks import RESTORING, measure_of

    measure, metric = measure_of(task.metric), METRICS[task.key.metric]
    if task is RESTORING:
        digits, how = 2, "aged artificially, beside those that had not aged"
        columns = {"aged": AGED, "unaged": UNAGED, "left alone": LEFT_ALONE}
    else:
        digits, how = metric.digits, "told the palette and free"
        columns = {"told": TOLD_PALETTE, "free": FREE}

    def measured(version, answer):
        value = version.metrics.get(MetricKey(answer, metric.name))
        return None if value is None else f"{value:.{digits}f}"

    def commit(version):
        return version.commit and version.commit[:SHORT] + ("-dirty" if version.dirty else "")

    click.echo(
        f"{measure.label}, {measure.direction} is better, on the validation posters, {how}; "
        "compare it where the data is the same:"
    )
    _show_table(
        {
            "version": [one.version for one in found],
            "alias": [", ".join(one.aliases) for one in found],
            "kind": [one.kind for one in found],
            **{name: [measured(one, answer) for one in found] for name, answer in columns.items()},
            "data": [one.data and one.data[:SHORT] for one in found],
            "posters": [one.training_posters for one in found],
            "run": [one.run and one.run[:SHORT] for one in found],
            "study": [one.study for one in found],
            "commit": [commit(one) for one in found],
            "registered (UTC)": [_clock(one.time, "minutes") for one in found],
        }
    )


def _say_what_answers(task):
    """Say whether a task's champion answers by default, if there is one."""
    from recolor.platform.registry.comparison import shortfall
    from recolor.platform.registry.versions import current_champion, missing_champion

    champion = current_champion(task)
    if champion is None:
        if missing := missing_champion(task):
            click.echo(missing)
    elif reason := shortfall(champion):
        why = f"champion version {champion.version} {reason}"
        click.echo(f"the bundled {task.network} {task.answers} by default: {why}")
    else:
        click.echo(f"the champion {task.answers} by default")


def _show_changes(found):
    """Print `history.Change`s as a table."""
    _show_table(
        {
            "time (UTC)": [_clock(one.time, "seconds") for one in found],
            "from": [one.from_version for one in found],
            "to": [one.to_version for one in found],
            "reason": [one.reason for one in found],
        }
    )


def _show_table(columns):
    """Print columns of values by their names, less those without any."""
    from recolor.evaluation.tables import NOTHING, markdown

    shown = {name: values for name, values in columns.items() if any(values)}
    rows = zip(*shown.values(), strict=True)
    cells = [[" ".join(str(value).split()) if value else NOTHING for value in row] for row in rows]
    click.echo(markdown([list(shown), *cells]), nl=False)


def _clock(time, precision):
    moment = datetime.fromisoformat(time).replace(tzinfo=None)
    return moment.isoformat(" ", precision)
