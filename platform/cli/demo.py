"""`recolor demo-posters` and `recolor demo`."""

import click

from recolor.platform.cli.libraries import quiet_mlflow, use_tensorflow
from recolor.platform.cli.messages import epochs_said, say
from recolor.platform.cli.options import COUNT, OUTPUT, SEED
from recolor.platform.cli.output import progress_bar


@click.command()
@click.option("--out", type=OUTPUT, required=True, help="Folder to write to.")
@click.option("--count", type=COUNT, default=300, show_default=True)
@click.option("--era", type=click.Choice(["modern", "old"]), default="modern", show_default=True)
@click.option("--seed", type=SEED, default=0, show_default=True)
def demo_posters(out, count, era, seed):
    """Draw posters to try the platform with: fresh ones, or faded old ones."""
    from recolor.datasets.demo_posters import generate_demo_posters

    for _ in progress_bar(count, "drawing", generate_demo_posters(out, count, era, seed)):
        pass
    say(f"{count} {era} posters in {out}")


@click.command()
@click.option("--out", type=OUTPUT, default="demo", show_default=True, help="Folder to write to.")
def demo(out):
    """Recolor drawn posters with the bundled network, then go through everything else.

    Runs and models go to a store of its own in the folder.
    """
    use_tensorflow()
    quiet_mlflow()
    from recolor.platform.experiments.demo import run_demo

    with epochs_said():
        run_demo(out, echo=say)
