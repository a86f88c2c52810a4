"""`recolor demo`."""

import click

from recolor.platform.cli.backend import use_tensorflow
from recolor.platform.cli.options import OUTPUT
from recolor.platform.cli.quiet import quiet_mlflow


@click.command()
@click.option("--out", type=OUTPUT, default="demo", show_default=True, help="Folder to write to.")
def demo(out):
    """Recolor drawn posters with the bundled network, then go through everything else.

    Runs and models go to a store of its own in the folder.
    """
    use_tensorflow()
    quiet_mlflow()
    from recolor.platform.experiments.demo import run_demo

    run_demo(out, echo=click.echo)
