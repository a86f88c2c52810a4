"""`recolor stats`."""

import json

import click

from recolor.datasets.atomic_file import atomic_write, check_writable
from recolor.platform.cli.options import INPUT, INPUT_FILE, OUTPUT, Repeated
from recolor.platform.cli.printable import printable
from recolor.platform.cli.progress import progress_bar


@click.command()
@click.argument("data", nargs=-1, required=True, type=INPUT)
@click.option(
    "--years",
    cls=Repeated,
    type=INPUT_FILE,
    metavar="FILE",
    help="CSV file with the columns file (or id, or sha256) and year, for numbers by decade. May "
    "be repeated.",
)
@click.option(
    "--out", type=OUTPUT, metavar="FOLDER", help="Write a report, the numbers and pictures, too."
)
def stats(data, years, out):
    """Say what the posters of data sets are like: sizes, colors, color classes, schemes.

    Several data sets stand side by side, such as old and modern posters. They may be of different
    sizes, though color classes are best compared at the same size. After ± stands the standard
    error of a mean.
    """
    from recolor.datasets.manifest import Manifest
    from recolor.datasets.years import Years
    from recolor.evaluation import dataset_report
    from recolor.evaluation.dataset_figures import draw
    from recolor.evaluation.dataset_statistics import SharedSchemes, dataset_statistics

    manifests = {name: Manifest.load(folder) for name, folder in _named(data).items()}
    known = Years.load(years)
    if out:
        check_writable(out)
    found = {}
    for name, manifest in manifests.items():
        total = manifest.content["posters"]["used"]
        with progress_bar(total, f"counting {name}") as bar:
            found[name] = dataset_statistics(manifest, known, bar.update)
    shared = SharedSchemes.of(found) if len(found) > 1 else None
    content = dataset_report.numbers(found, shared)
    tables = dataset_report.tables(content)
    click.echo(dataset_report.text(tables), nl=False)
    if years and all(list(one.decades) == [None] for one in found.values()):
        files = ", ".join(map(str, years))
        click.echo(printable(f"no poster is named in {files}: no year is known"), err=True)
    if out:
        pictures = draw(found, shared, out)
        text = dataset_report.report(tables, pictures)
        _write(out / "stats.json", json.dumps(content, indent=1) + "\n")
        _write(out / "stats.md", text)
        click.echo(printable(f"report: {out / 'stats.md'}"))


def _named(folders):
    """Name data sets by their folders, or by their paths where folders have the same name."""
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    if len(set(names)) < len(names):
        raise click.UsageError("a data set is given twice")
    return dict(zip(map(printable, names), folders, strict=True))


def _write(file, text):
    with atomic_write(file) as temporary:
        temporary.write_text(text, encoding="utf-8")
