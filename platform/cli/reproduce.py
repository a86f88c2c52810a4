"""`recolor reproduce`."""

import click

from recolor.datasets.atomic_file import check_writable
from recolor.platform.cli.backend import check_backend
from recolor.platform.cli.data import read_data
from recolor.platform.cli.options import DATA, OUTPUT, TEXT, Finite, Place, Repeated
from recolor.platform.cli.progress import progress_bar, report_skipped
from recolor.platform.cli.quiet import quiet_mlflow


@click.command()
@DATA
@click.option("--old", cls=Repeated, type=Place(), help="Old posters to recolor. May be repeated.")
@click.option(
    "--out", type=OUTPUT, default="reproduction", show_default=True, help="Folder to write to."
)
@click.option(
    "--scale",
    type=Finite(0, min_open=True),
    default=1.0,
    show_default=True,
    help="Share of the paper's 180 and 260 epochs.",
)
@click.option(
    "--regression",
    metavar="champion|URI|FILE|regression",
    type=TEXT,
    help="A trained network, instead of training it.",
)
@click.option(
    "--classification",
    metavar="champion|URI|FILE|classification",
    type=TEXT,
    help="The same for the other network.",
)
def reproduce(data, old, out, scale, regression, classification):
    """Do the paper's experiment: train both networks, evaluate them, report.

    After an interruption, the same command goes on where it stopped.
    """
    check_backend()
    manifest = read_data(data)
    check_writable(out)
    quiet_mlflow()
    from recolor.platform.tracking import store

    # Before the seconds that TensorFlow takes.
    store.connect(to_write=True)
    from recolor.evaluation import tables
    from recolor.platform.experiments import reproduction

    done = reproduction.reproduce(
        manifest,
        list(old),
        out,
        scale=scale,
        given={"regression": regression, "classification": classification},
        echo=click.echo,
        bar=progress_bar,
    )
    click.echo(tables.report(done.columns), nl=False)
    if done.skipped:
        report_skipped(done.skipped)
    click.echo(f"report: {done.report.with_suffix('.html')}")
