"""`recolor demo-posters`."""

import click

from recolor.platform.cli.options import COUNT, OUTPUT, SEED
from recolor.platform.cli.progress import progress_bar


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
    click.echo(f"{count} {era} posters in {out}")
