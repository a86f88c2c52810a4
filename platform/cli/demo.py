"""`recolor demo`."""

import click

from recolor.platform.cli.backend import use_tensorflow
from recolor.platform.cli.options import OUTPUT
from recolor.platform.cli.quiet import quiet_mlflow


@click.command()
@click.option("--out", type=OUTPUT, default="demo", show_default=True, help="Folder to write to.")
def demo(out):
    """Show color schemes, then everything else, on posters drawn for it."""
    use_tensorflow()
    quiet_mlflow()
    import mlflow

    from recolor.platform.experiments.demo import run_demo
    from recolor.platform.tracking import store

    store.connect()
    shown = run_demo(out, echo=click.echo)
    click.echo("\nPictures to look at:")
    for words, picture in shown:
        click.echo(f"  {words}: {picture}")
    click.echo(f"Runs and models: mlflow ui --backend-store-uri {mlflow.get_tracking_uri()}")
