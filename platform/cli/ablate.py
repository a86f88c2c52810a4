"""`recolor ablate`."""

from functools import partial
from json import dumps

import click

from recolor.datasets.atomic_file import check_writable
from recolor.platform.cli.errors import interrupted
from recolor.platform.cli.libraries import check_backend, quiet_mlflow
from recolor.platform.cli.messages import epochs_said, say
from recolor.platform.cli.options import JSON, OUTPUT, Place
from recolor.platform.cli.output import progress_bar


@click.command()
@click.argument("file", type=Place())
@click.option(
    "--out", type=OUTPUT, default="ablation", show_default=True, help="Folder to write to."
)
@JSON
def ablate(file, out, json):
    """Train the variants of a TOML file and compare them.

    Each is judged by the same validation posters and is an MLflow run within
    the ablation's own. The same command continues after an interruption; of a
    file that was changed, it trains only what is new. docs/ablations has
    examples.
    """
    from recolor.platform.experiments.ablation_plan import AblationPlan
    from recolor.platform.registry.sources import check_source

    # What is typed wrong is said before the seconds that MLflow and TensorFlow take.
    check_backend()
    plan = AblationPlan.read(file)
    for variant in plan.variants:
        if variant.settings.initial_weights:
            check_source(variant.settings.initial_weights)
    check_writable(out)
    quiet_mlflow()
    from recolor.platform.tracking import store

    store.connect(to_write=True)
    store.choose_experiment()
    from recolor.platform.experiments import ablation

    try:
        # What is said of trainings would be in the way of JSON.
        with epochs_said(err=json):
            made = ablation.ablate(plan, file, out, echo=partial(say, err=json), bar=progress_bar)
    except KeyboardInterrupt as error:
        raise interrupted(error, ": run the same command again to continue") from None
    if json:
        click.echo(dumps(made.describe(), indent=2))
    else:
        click.echo(made.report.read_text(encoding="utf-8"), nl=False)
    drawn = made.report.with_suffix(".png")
    say(f"table and picture: {made.report}, {drawn}", err=json)
