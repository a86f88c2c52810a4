"""`recolor models`."""

import json
from dataclasses import asdict
from datetime import datetime

import click

from recolor.platform.cli.quiet import quiet_mlflow

# So many characters of a digest, a run's id or a commit are shown.
SHORT = 8


@click.command()
@click.option("--history", is_flag=True, help="List the promotions and rollbacks instead.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    envvar="RECOLOR_MODELS_JSON",
    help="Print JSON, with all metrics and nothing shortened.",
)
def models(history, as_json):
    """List the registered versions: what each is worth, and where it came from."""
    quiet_mlflow()
    from recolor.platform.registry.history import read_history
    from recolor.platform.registry.listing import list_versions
    from recolor.platform.tracking import store

    found, earlier = [], []
    # Where there is no store, none is made.
    if store.store_exists():
        store.connect()
        if history:
            kept = read_history()
            found, earlier = list(kept.changes.values()), kept.earlier
        else:
            found = list_versions()
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=2))
        return
    if earlier:
        click.echo(f"champions before changes were recorded: {', '.join(earlier)}")
    if not found:
        click.echo(
            "no promotion is recorded yet: promote a version with `recolor promote`"
            if history
            else "no model is registered yet: train one with `recolor train`"
        )
    elif history:
        _show_changes(found)
    else:
        _show_versions(found)
        _say_what_answers()


def _show_versions(found):
    """Print `listing.ListedVersion`s as a table."""
    from recolor.evaluation.answers import FREE, TOLD_PALETTE
    from recolor.evaluation.metrics.catalog import DEFAULT_METRIC, METRICS

    metric = METRICS[DEFAULT_METRIC]

    def measured(version, answer):
        value = version.metrics.get(answer + metric.name)
        return None if value is None else f"{value:.{metric.digits}f}"

    def commit(version):
        return version.commit and version.commit[:SHORT] + ("-dirty" if version.dirty else "")

    click.echo(
        f"{metric.label}, {metric.direction} is better, on the validation posters, told the "
        "palette and free; compare it where the data is the same:"
    )
    _show_table(
        {
            "version": [one.version for one in found],
            "alias": [", ".join(one.aliases) for one in found],
            "kind": [one.kind for one in found],
            "told": [measured(one, TOLD_PALETTE) for one in found],
            "free": [measured(one, FREE) for one in found],
            "data": [one.data and one.data[:SHORT] for one in found],
            "posters": [one.training_posters for one in found],
            "run": [one.run and one.run[:SHORT] for one in found],
            "study": [one.study for one in found],
            "commit": [commit(one) for one in found],
            "registered (UTC)": [_clock(one.time, "minutes") for one in found],
        }
    )


def _say_what_answers():
    """Say whether the champion answers by default, if there is one."""
    from recolor.models.catalog import DEFAULT
    from recolor.platform.registry.comparison import shortfall
    from recolor.platform.registry.versions import current_champion

    champion = current_champion()
    if champion is None:
        return
    if reason := shortfall(champion):
        why = f"champion version {champion.version} {reason}"
        click.echo(f"the bundled {DEFAULT} answers by default: {why}")
    else:
        click.echo("the champion answers by default")


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
