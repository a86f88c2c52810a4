"""`recolor studies`."""

import click

from recolor.platform.cli.options import STORAGE
from recolor.platform.cli.quiet import quiet_optuna
from recolor.platform.search.options import DEFAULT_STORAGE


@click.command()
@STORAGE
def studies(storage):
    """List the studies of `recolor tune`: state, trials, best value."""
    quiet_optuna()
    from recolor.platform.search.storage import explained, read_storage
    from recolor.platform.search.study import summaries

    storage = storage or DEFAULT_STORAGE
    with explained(storage):
        found = summaries(read_storage(storage))
    if not found:
        click.echo("no studies")
    for study in found:
        trials = ", ".join(f"{count} {state}" for state, count in study.trials.items() if count)
        best = "" if study.best is None else f"; best: {study.best[1]:.4g} (trial {study.best[0]})"
        click.echo(
            f"{study.name}: {study.state}, {study.plan.settings.model}, {study.plan.objective}; "
            f"{trials or 'no trials'} of {study.wanted}{best}; run {study.run_id}"
        )
