"""`recolor apply`."""

from collections import Counter
from dataclasses import asdict
from json import dumps

import click

from recolor.models.catalog import DEFAULT
from recolor.models.decoding.options import DEFAULT_DECODING, FREE, SOURCE
from recolor.platform.cli.declared_options import decoding_of_options, decoding_options
from recolor.platform.cli.libraries import check_backend
from recolor.platform.cli.messages import say, warn
from recolor.platform.cli.options import (
    ENGINES,
    INPUT,
    INPUT_FILE,
    LIBRARY,
    MODEL,
    OUTPUT_ANYWHERE,
    OUTPUT_FILE,
    OVERWRITE,
    RAY_ADDRESS,
    cluster_of,
    find_model,
)
from recolor.platform.cli.output import SOME_SKIPPED, printable, progress_bar, report_skipped

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
    "has any, and in the schemes that suit it best, each of another hue.",
)
@click.option(
    "--hints",
    type=INPUT_FILE,
    metavar="FILE",
    help='Hints for many images: {"poster.jpg": ["120,80=#c1121f", ...], ...}',
)
@click.option(
    "--recipe",
    type=INPUT_FILE,
    metavar="FILE",
    help="Recolor as a result was: its file, which has its recipe inside, or the recipe as JSON. "
    "Options that are typed besides replace those of the recipe.",
)
@click.option(
    "--save-recipe",
    is_flag=True,
    help="Write each result's recipe beside it as well, as poster.jpg.json.",
)
@click.option(
    "--series",
    is_flag=True,
    help="Let all images go with the first one that has color, or with the result of --recipe: the "
    "same scheme, and what had one color gets one color. Sheets of all results are series.png and "
    "series.pdf.",
)
@LIBRARY
@click.option(
    "--lut",
    type=OUTPUT_FILE,
    metavar="FILE.cube",
    help="Write what restoring does to the image, as a 3D look-up table for other editors; for one "
    "image.",
)
@click.option("--sheet/--no-sheet", help="Make a sheet of posters before and after, too.")
@click.option(
    "--json",
    is_flag=True,
    help="Say what was done as JSON: for each image the ageing found, and for each result its "
    "palette and what became of the poster's swatches.",
)
@OVERWRITE
@click.option(
    "--skip-existing",
    is_flag=True,
    help="Leave results that are there already as they are: an interrupted run continues.",
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
    recipe,
    save_recipe,
    series,
    library,
    lut,
    sheet,
    json,
    overwrite,
    skip_existing,
    engine,
    ray_address,
    **options,
):
    """Restore images, and recolor them, at their own resolution.

    A poster that has color is restored: it keeps its colors, less what time did to them. A gray one
    gets the color scheme that fits it best. --palette recolors either.

    Results have the images' names and formats, their transparency, Exif, XMP and resolution (dpi);
    the orientation is applied, 16 bits become 8, and the color profile is that of sRGB. Of
    animations and of files with several pages, the first picture is recolored. PNG, JPEG, WebP,
    TIFF and AVIF files have their recipe inside: `recolor show` prints it.

    Folders are searched whole, less hidden files and folders. The exit status is 0 if all images
    were done, 3 if some were skipped, 1 if none could be done, and 2 if the command can't be used
    so. Of more than five skipped images, skipped.tsv among the results holds all reasons.
    """
    from recolor.datasets.hints import load_hints
    from recolor.datasets.palettes.library import load_library
    from recolor.models.recipe import Recipe
    from recolor.platform.serving.targets import REFUSE, REPLACE, SKIP, check_hints, plan

    using = cluster_of(engine, ray_address)
    if overwrite and skip_existing:
        raise click.UsageError("--overwrite and --skip-existing: leave out one")
    existing = REPLACE if overwrite else SKIP if skip_existing else REFUSE
    # What is typed wrong is said before the seconds that loading a model takes.
    beside = {"suggestions": suggestions or 0, "sheet": sheet, "series": series}
    tasks = plan(list(images), out, recipes=save_recipe, existing=existing, **beside)
    if lut and len(tasks) != 1:
        raise click.UsageError(f"--lut writes the table of one image, and there are {len(tasks)}")
    recipe_file, recipe = recipe, recipe and Recipe.read(recipe, load_library(library))
    told = recipe.decoding(load_library(library)) if recipe else DEFAULT_DECODING
    decoding = decoding_of_options(options, library, told)
    hints = load_hints(hints) if hints else {}
    check_hints(hints, tasks)
    if suggestions and decoding.palette is not None:
        raise click.UsageError(
            "--suggestions chooses its own palettes: leave out --palette and --recipe"
        )
    if suggestions and series:
        raise click.UsageError("--suggestions and --series: leave out one")
    if series and decoding.palette is None and not decoding.assign:
        raise click.UsageError("--series needs a scheme: --palette, --assign or --recipe")
    with using as cluster:
        from recolor.models.decoding.options import UnsupportedError
        from recolor.platform.serving.files import recolor_files

        check_backend()
        asked_for, model = model, find_model(model, library)
        if recipe and (differences := recipe.differences(model.painter)):
            said = f"{recipe_file} was made by {', '.join(differences)}: results may differ"
            warn(printable(said))
        if (asked_for and not model.restores) or cluster:
            # What is wrong with it is said once, and not of each picture.
            _ = model.painter.network
        try:
            outcome = recolor_files(
                model.painter,
                list(images),
                out,
                decoding=decoding,
                hints=hints,
                # Under another palette, its swatches become something else.
                guide=None if options["palette"] else recipe,
                save_recipes=save_recipe,
                **beside,
                existing=existing,
                progress=lambda files: progress_bar(len(files), "recoloring", files),
                engine=cluster and _engine(cluster, model, library, out),
            )
        except UnsupportedError as error:
            raise UnsupportedError(
                f"{model.which}: {error}; --model {DEFAULT} takes palettes and hints",
                error.option,
            ) from None
    if lut:
        _write_lut(lut, tasks[0].path, model.painter, decoding)
    if json:
        _report_as_json(outcome)
    else:
        _report(outcome, out, model)
    if outcome.skipped and not (outcome.results or outcome.kept):
        raise click.ClickException("no image could be recolored")
    if outcome.skipped:
        click.get_current_context().exit(SOME_SKIPPED)


def _engine(cluster, model, library, out):
    from recolor.platform.serving.cluster import SharedModel, cluster_engine

    return cluster_engine(cluster, SharedModel.of(find_model, model.source, library), out)


def _write_lut(file, image, painter, decoding):
    from recolor.datasets.atomic_file import atomic_write
    from recolor.datasets.picture_file import PictureFile

    restoration = painter.find(PictureFile.read(image).picture).wanted(decoding)
    with atomic_write(file) as temporary:
        temporary.write_text(restoration.cube(), encoding="ascii")


def _report_as_json(outcome):
    described = {
        "pictures": [
            {
                "name": name,
                "skipped": done.skipped,
                "color": done.color,
                "found": done.found,
                "only_first_frame": done.animated,
                "loses": done.loses,
                "results": [
                    {
                        "file": str(result.file),
                        "palette": SOURCE if result.palette is None else result.palette or FREE,
                        "swatches": [
                            {
                                **asdict(before),
                                "share": round(before.share, 4),
                                "becomes": after.color,
                            }
                            for before, after in result.changes
                        ],
                    }
                    for result in done.results
                ],
            }
            for name, done in outcome.pictures.items()
        ],
        "kept": outcome.kept,
        "passed_over": dict(outcome.passed_over),
        "sheet": outcome.sheet and str(outcome.sheet),
        "series": list(map(str, outcome.series)),
    }
    click.echo(dumps(described, indent=2))


def _report(outcome, out, model):
    """Say what was done."""
    from recolor.datasets.extra_formats import INSTALL, installable

    lines = []
    results, pictures = outcome.results, outcome.pictures
    restored = sum(result.palette is None for result in results)
    if restored:
        lines.append(f"{restored} restored in {out} by {model.painter.restorer.about}")
    if recolored := len(results) - restored:
        lines.append(f"{recolored} recolored in {out} by {model.about}")
    if not lines:
        lines.append(f"nothing new in {out}")
    if outcome.kept:
        lines[-1] += f"; {outcome.kept} more were there already"
    if found := Counter(done.found for done in pictures.values() if done.found):
        lines.append(f"found: {_first('; ', _counted(found))}")
    if one_ink := [name for name, done in pictures.items() if _keeps_its_ink(done)]:
        lines.append(
            f"printed in one ink, which stays: {_first(', ', one_ink)}; "
            "--palette auto gives it colors"
        )
    if used := Counter(result.palette for result in results if result.palette):
        lines.append(f"colors: {_first('; ', _counted(used))}")
    if animated := [name for name, done in pictures.items() if done.animated]:
        lines.append(f"only the first frame or page of {_first(', ', animated)}")
    for words in sorted({done.loses for done in pictures.values() if done.loses}):
        names = [name for name, done in pictures.items() if done.loses == words]
        lines.append(f"{words}: {_first(', ', names)}")
    if outcome.sheet:
        lines.append(f"before and after: {outcome.sheet}")
    if outcome.series:
        lines.append(f"series: {', '.join(map(str, outcome.series))}")
    if outcome.passed_over:
        kinds = [
            f"{count} {suffix or 'without a suffix'}"
            for suffix, count in outcome.passed_over.most_common()
        ]
        lines.append(f"passed over, since recolor takes no such files: {_first(', ', kinds)}")
        if more := [suffix for suffix in outcome.passed_over if installable(suffix)]:
            lines[-1] += f"; to read {_first(', ', more)}: {INSTALL}"
    for line in lines:
        say(printable(line))
    if outcome.skipped:
        reasons = outcome.reasons
        report_skipped(outcome.skipped, printable(f"all of them in {reasons}") if reasons else "")


def _keeps_its_ink(done) -> bool:
    from recolor.datasets.color_kind import ONE_INK

    return done.color == ONE_INK and any(result.palette is None for result in done.results)


def _counted(counter):
    """Return texts, the most frequent first, each with its count where it is more than one."""
    return [f"{text} ({n})" if n > 1 else text for text, n in counter.most_common()]


def _first(separator, texts):
    """Join the first few texts, and say how many more there are."""
    more = f"{separator}{len(texts) - MOST_NAMED} more" if len(texts) > MOST_NAMED else ""
    return separator.join(texts[:MOST_NAMED]) + more
