"""`recolor apply`."""

from pathlib import Path

import click

from recolor.models.catalog import DEFAULT
from recolor.platform.cli.backend import check_backend
from recolor.platform.cli.decoding_options import decoding_of_options, decoding_options
from recolor.platform.cli.engine import cluster_of
from recolor.platform.cli.options import (
    ENGINES,
    INPUT,
    INPUT_FILE,
    LIBRARY,
    MODEL,
    OUTPUT_ANYWHERE,
    RAY_ADDRESS,
)
from recolor.platform.cli.printable import printable
from recolor.platform.cli.progress import progress_bar, report_skipped
from recolor.platform.cli.quiet import quiet_mlflow
from recolor.platform.lasting_imports import lasting_imports

MOST_NAMED = 6


@click.command()
@click.argument("images", nargs=-1, required=True, type=INPUT)
@click.option("--out", type=OUTPUT_ANYWHERE, required=True, help="Folder to write to.")
@MODEL
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
@click.option("--overwrite", is_flag=True, help="Replace results that are there already.")
@click.option(
    "--skip-existing",
    is_flag=True,
    help="Leave results that are there already as they are: an interrupted run goes on.",
)
@click.option(
    "--engine",
    type=ENGINES,
    default="local",
    show_default=True,
    help="Where images are recolored: on this machine, or on the machines of a Ray cluster.",
)
@RAY_ADDRESS
def apply(
    images,
    out,
    model,
    suggestions,
    hints,
    library,
    sheet,
    overwrite,
    skip_existing,
    engine,
    ray_address,
    **options,
):
    """Recolor images at their own resolution.

    Results have the images' names and formats, their transparency, Exif and resolution (dpi); the
    orientation is applied, 16 bits become 8, and the color profile is that of sRGB. Of animations
    and of files with several pages, the first picture is recolored.
    """
    from recolor.datasets.hints import load_hints
    from recolor.platform.serving.targets import REFUSE, REPLACE, SKIP, plan

    using = cluster_of(engine, ray_address)
    if overwrite and skip_existing:
        raise click.UsageError("--overwrite and --skip-existing: leave out one")
    existing = REPLACE if overwrite else SKIP if skip_existing else REFUSE
    # What is typed wrong is said before the seconds that loading a model takes.
    plan(list(images), out, suggestions=suggestions or 0, sheet=sheet, existing=existing)
    decoding = decoding_of_options(options, library)
    hints = load_hints(hints) if hints else {}
    if suggestions and decoding.palette is not None:
        raise click.UsageError("--suggestions chooses its own palettes: leave out --palette")
    with using as cluster:
        chosen = _load(model, library)
        from recolor.models.decoding.options import UnsupportedError
        from recolor.platform.serving.files import recolor_files

        try:
            outcome = recolor_files(
                chosen.painter,
                list(images),
                out,
                decoding=decoding,
                hints=hints,
                suggestions=suggestions or 0,
                sheet=sheet,
                existing=existing,
                progress=lambda files: progress_bar(len(files), "recoloring", files),
                engine=cluster and _engine(cluster, chosen.source, library, out),
            )
        except UnsupportedError as error:
            raise UnsupportedError(
                f"{chosen.which}: {error}; --model {DEFAULT} takes palettes and hints"
            ) from None
    kept = f"; {outcome.kept} more were there already" if outcome.kept else ""
    click.echo(printable(f"{len(outcome.written)} recolored in {out} by {chosen.about}{kept}"))
    if used := {name: count for name, count in outcome.palettes.most_common() if name}:
        shown = [f"{name} ({count})" if count > 1 else name for name, count in used.items()]
        click.echo(printable(f"colors: {_first('; ', shown)}"))
    if outcome.animated:
        click.echo(printable(f"only the first frame or page of {_first(', ', outcome.animated)}"))
    if outcome.sheet:
        click.echo(printable(f"before and after: {outcome.sheet}"))
    if outcome.skipped:
        report_skipped(outcome.skipped)
    if outcome.skipped and not (outcome.written or outcome.kept):
        raise click.ClickException("no image could be recolored")


def _engine(cluster, source, library, out):
    from recolor.platform.serving.cluster import SharedModel, cluster_engine

    return cluster_engine(cluster, SharedModel.of(source, library), out)


def _load(model, library):
    """Load a model; no framework is imported where none is needed."""
    from recolor.datasets.palettes.library import load_library
    from recolor.platform.serving.onnx_painter import SUFFIX, load_onnx

    if model and model.endswith(SUFFIX):
        return load_onnx(Path(model), load_library(library))
    check_backend()
    with lasting_imports():
        quiet_mlflow()
        from recolor.platform.registry.load import load

    return load(model, library)


def _first(separator, texts):
    """Join the first few texts, and say how many more there are."""
    more = f"{separator}{len(texts) - MOST_NAMED} more" if len(texts) > MOST_NAMED else ""
    return separator.join(texts[:MOST_NAMED]) + more
