"""`recolor apply`."""

import click

from recolor.platform.cli.backend import check_backend
from recolor.platform.cli.decoding_options import decoding_of_options, decoding_options
from recolor.platform.cli.options import INPUT, INPUT_FILE, LIBRARY, OUTPUT
from recolor.platform.cli.progress import progress_bar, report_skipped
from recolor.platform.cli.quiet import quiet_mlflow
from recolor.platform.lasting_imports import lasting_imports


@click.command()
@click.argument("images", nargs=-1, required=True, type=INPUT)
@click.option("--out", type=OUTPUT, required=True, help="Folder to write to.")
@click.option(
    "--model",
    metavar="URI|FILE|KIND",
    type=str,
    help="A registered model, a file of weights, or the kind of one that comes with recolor.  "
    "[default: the champion, or else the one that comes with recolor]",
)
@decoding_options()
@click.option(
    "--suggestions",
    type=click.IntRange(1, 99),
    metavar="N",
    help="Make N versions of each image, poster.1.jpg, poster.2.jpg, ...: in its own colors, if it "
    "has any, in the best-fitting scheme, and in others unlike it.",
)
@click.option(
    "--hints",
    type=INPUT_FILE,
    metavar="FILE",
    help='Hints for many images: {"poster.jpg": ["120,80=#c1121f", ...], ...}',
)
@LIBRARY
@click.option("--sheet/--no-sheet", help="Make a sheet of posters before and after, too.")
def apply(images, out, model, suggestions, hints, library, sheet, **options):
    """Recolor images at their own resolution."""
    from recolor.datasets.hints import load_hints
    from recolor.datasets.images import find_images

    # What is typed wrong is said before the seconds that loading a model takes.
    find_images(list(images))
    decoding = decoding_of_options(options, library)
    hints = load_hints(hints) if hints else {}
    if suggestions and decoding.palette is not None:
        raise click.UsageError("--suggestions chooses its own palettes: leave out --palette")
    check_backend()
    with lasting_imports():
        quiet_mlflow()
        from recolor.platform.registry.load import load
        from recolor.platform.serving.files import recolor_files

    chosen = load(model, library)
    outcome = recolor_files(
        chosen.painter,
        list(images),
        out,
        decoding=decoding,
        hints=hints,
        suggestions=suggestions or 0,
        sheet=sheet,
        progress=lambda files: progress_bar(len(files), "recoloring", files),
    )
    click.echo(f"{len(outcome.written)} recolored in {out} by {chosen.about}")
    if used := {name: count for name, count in outcome.palettes.most_common() if name}:
        shown = [f"{name} ({count})" if count > 1 else name for name, count in used.items()]
        more = f"; {len(shown) - 6} more" if len(shown) > 6 else ""
        click.echo(f"colors: {'; '.join(shown[:6])}{more}")
    if outcome.sheet:
        click.echo(f"before and after: {outcome.sheet}")
    if outcome.skipped:
        report_skipped(outcome.skipped)
    if not outcome.written:
        raise click.ClickException("no image could be recolored")
