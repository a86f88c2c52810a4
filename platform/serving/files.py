"""Restoring and recoloring image files."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import starmap, zip_longest

from PIL import Image

from recolor.datasets.atomic_file import atomic_write
from recolor.datasets.color_kind import COLORED
from recolor.datasets.errors import TOO_LARGE, RecolorError, out_of_memory
from recolor.datasets.file_names import composed, reason_not_written
from recolor.datasets.hints import Hint
from recolor.datasets.images import ImageError
from recolor.datasets.inputs import Place, passed_over
from recolor.datasets.object_storage import RemotePath, StorageError
from recolor.datasets.palettes.palette import Palette
from recolor.datasets.picture_file import PictureFile
from recolor.datasets.skipped import MOST_SHOWN, SKIPPED_FILE, skipped_table
from recolor.datasets.swatches import Swatch
from recolor.evaluation.sheets import with_swatch
from recolor.models.decoding.options import AUTO, DEFAULT_DECODING, Decoding
from recolor.models.painter import Painter, Seen
from recolor.models.recipe import Recipe
from recolor.models.series import in_series
from recolor.platform.serving.result_sheets import (
    SERIES_SIDE,
    SHEET_SIDE,
    before_and_after,
    series_pdf,
    series_png,
    small,
)
from recolor.platform.serving.targets import (
    REFUSE,
    SERIES_FILES,
    SHEET_FILE,
    SKIP,
    Task,
    check_hints,
    exists,
    plan,
)

SHEET_POSTERS = 24


@dataclass(frozen=True)
class Result:
    """A file that `recolor_file` wrote.

    Attributes:
        file: The file.
        palette: The name of its palette; empty for the network's own answer, None where the
            picture keeps its own colors.
        changes: The picture's swatches as it is restored, the largest first, and what each became;
            empty where the picture has no color or there is no palette.
    """

    file: Place
    palette: str | None
    changes: list[tuple[Swatch, Swatch]] = field(default_factory=list)


@dataclass
class Recolored:
    """What `recolor_file` did.

    Attributes:
        results: The files that it wrote.
        skipped: Why the image could not be recolored; None if it could.
        unreadable: Whether that is since its file could not be read.
        animated: Whether only the first frame or page was recolored.
        loses: What of the file its results can't hold, in words; empty where there is nothing.
        found: How the picture had aged, in words; empty where nothing was to restore.
        color: Whether it has colors, as `recolor.datasets.color_kind` tells; None if the picture
            was skipped.
        row: The image before and after, for the sheet, if it was asked for.
    """

    results: list[Result] = field(default_factory=list)
    skipped: str | None = None
    unreadable: bool = False
    animated: bool = False
    loses: str = ""
    found: str = ""
    color: str | None = None
    row: list[Image.Image] | None = None


@dataclass
class Outcome:
    """What `recolor_files` did.

    Attributes:
        pictures: What was done with each image, by its name.
        kept: How many images were left out, since their results are there already.
        sheet: The before/after sheet, if there is one.
        series: The sheets of a series, if it is one.
        reasons: The file that says why images could not be recolored, if they are many.
        passed_over: How many files in the folders are taken for no images, by suffix.
    """

    pictures: dict[str, Recolored] = field(default_factory=dict)
    kept: int = 0
    sheet: Place | None = None
    series: list[Place] = field(default_factory=list)
    reasons: Place | None = None
    passed_over: Counter[str] = field(default_factory=Counter)

    @property
    def results(self) -> list[Result]:
        """All files that were written."""
        return [result for done in self.pictures.values() for result in done.results]

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """Name and reason of each image that could not be recolored."""
        return [
            (name, done.skipped) for name, done in self.pictures.items() if done.skipped is not None
        ]


def recolor_files(
    painter: Painter,
    inputs: list[Place],
    out: Place,
    *,
    decoding: Decoding = DEFAULT_DECODING,
    hints: dict[str, tuple[Hint, ...]] | None = None,
    suggestions: int = 0,
    sheet: bool = False,
    series: bool = False,
    guide: Recipe | None = None,
    save_recipes: bool = False,
    existing: str = REFUSE,
    progress: Callable[[list], Iterator] = iter,
    engine: Callable[[Iterator[tuple]], Iterator[Recolored]] | None = None,
) -> Outcome:
    """Recolor images at their own resolution, under their own names.

    Args:
        painter: The model.
        inputs: Folders and files, in object storage too.
        out: Folder of the results, outside of the input folders, in object storage too; a file in
            an input folder keeps its path inside that folder.
        decoding: How the model's answers become colors.
        hints: More hints, by the names of images inside of their folder, in Unicode's form NFC.
        suggestions: Number of versions of each image, under the palettes that
            `Painter.suggestions` chooses: ``poster.1.jpg``, ``poster.2.jpg``, ...; 0 for one, under
            the palette of `decoding`.
        sheet: Make a sheet of the first 24 posters before and after as well.
        series: Let all go together, see `recolor.models.series`, and make a sheet of the results.
        guide: Of a series, the recipe of the result that all go with; None for that of the first
            image that has color.
        save_recipes: Write each result's recipe beside it as well.
        existing: What is done about results that are there already, as `plan` takes it.
        progress: Wraps the list of pictures, to show progress.
        engine: Calls `recolor_file` elsewhere, of each of some arguments less the painter, and
            yields the results in their order; None to do it here.

    Raises:
        ImageError: If an input is missing, or a result would replace what is to stay.
        HintError: If there are hints for an image that is not among the inputs.
        DecodingError: If the model takes no palette, and is to be given one.
        OSError, StorageError: If nothing can be written.
    """
    tasks = plan(
        inputs,
        out,
        suggestions=suggestions,
        sheet=sheet,
        series=series,
        recipes=save_recipes,
        existing=existing,
    )
    hints = hints or {}
    check_hints(hints, tasks)
    painter.check(replace(decoding, palette=AUTO) if suggestions else decoding)
    painter.check_suggestions(suggestions)
    wanted = [
        task
        for task in tasks
        if task.refused or existing != SKIP or not all(map(exists, task.targets))
    ]
    outcome = Outcome(kept=len(tasks) - len(wanted), passed_over=passed_over(inputs))
    rows: dict[str, list[Image.Image]] = {}
    first = None
    if series and guide is None:
        first, guide = _first_result(painter, tasks, decoding)
        if guide:
            decoding = replace(decoding, palette=guide.decoding(painter.library).palette)

    def calls() -> Iterator[tuple]:
        for task in wanted:
            own = hints.get(composed(task.name), ())
            shown = SHEET_SIDE if sheet and len(rows) < SHEET_POSTERS else 0
            if series:
                shown = SERIES_SIDE
            goes_with = guide if series and task is not first else None
            yield task, decoding, own, goes_with, suggestions, existing, shown

    results = engine(calls()) if engine else starmap(partial(recolor_file, painter), calls())
    for task, done in zip(progress(wanted), results, strict=True):
        if done.row and (series or len(rows) < SHEET_POSTERS):
            rows[task.name] = done.row
        outcome.pictures[task.name] = replace(done, row=None)
    target = out / SHEET_FILE
    if sheet and rows and not (existing == SKIP and exists(target)):
        outcome.sheet = target
        _write(target, before_and_after(list(rows.values())[:SHEET_POSTERS], suggestions))
    if series and rows:
        results = [(name, row[-1]) for name, row in rows.items()]
        for name, draw in zip(SERIES_FILES, (series_png, series_pdf), strict=True):
            if not (existing == SKIP and exists(out / name)):
                outcome.series.append(out / name)
                _write(out / name, draw(results))
    if len(outcome.skipped) > MOST_SHOWN:
        outcome.reasons = out / SKIPPED_FILE
        _write(outcome.reasons, skipped_table(outcome.skipped))
    return outcome


def recolor_file(
    painter: Painter,
    task: Task,
    decoding: Decoding,
    hints: tuple[Hint, ...],
    guide: Recipe | None,
    suggestions: int,
    existing: str,
    shown: int,
) -> Recolored:
    """Recolor one image, or say why that can't be done.

    Args:
        painter: The model.
        task: The image, and where its results go.
        decoding, suggestions, existing: As for `recolor_files`.
        hints: More hints, of this image.
        guide: The recipe of the result that it goes with; None if it goes with none.
        shown: Side of small pictures to return for the sheet, in pixels; 0 for none.

    Raises:
        OSError, StorageError: If no other result could be written either.
    """
    done = Recolored(skipped=task.refused)
    if task.refused:
        return done
    try:
        try:
            source = PictureFile.read(task.path)
        except ImageError:
            done.unreadable = True
            raise
        before = small(source.picture, shown) if shown else None
        seen = painter.see(source.picture, decoding, in_place=True)
        if guide:
            decoding = in_series(decoding, guide, seen)
        decoding = replace(decoding, hint=decoding.hint + hints)
        versions = _versions(painter, source, seen, decoding, suggestions, shown)
        for target, beside, version in zip_longest(task.targets, task.recipes, versions):
            if not (existing == SKIP and exists(target)):
                _write(target, version.data)
                if beside:
                    _write(beside, f"{version.recipe.to_json(indent=2)}\n".encode())
                done.results.append(Result(target, version.name, version.changes))
    except StorageError:
        # The next picture would fail in the same way.
        raise
    except RecolorError as error:
        done.skipped = str(error)
        return done
    except OSError as error:
        done.skipped = reason_not_written(error, task.out)
        return done
    except Exception as error:
        if not out_of_memory(error):
            raise
        done.skipped = TOO_LARGE
        return done
    done.found, done.color = seen.restoration.describe(), seen.color
    done.animated, done.loses = source.animated, source.loses
    if shown:
        done.row = [
            with_swatch(before, shown),
            *(with_swatch(one.small, shown, one.palette, one.changes) for one in versions),
        ]
    return done


@dataclass(frozen=True)
class _Version:
    """A recolored picture: its palette, and that's name as `Result` has it; its file, which takes
    less memory; a small copy for the sheet; what became of its swatches; and its recipe."""

    palette: Palette | None
    name: str | None
    small: Image.Image | None
    data: bytes
    changes: list[tuple[Swatch, Swatch]]
    recipe: Recipe


def _versions(
    painter: Painter,
    source: PictureFile,
    seen: Seen,
    decoding: Decoding,
    suggestions: int,
    shown: int,
) -> list[_Version]:
    """Recolor a picture, under one palette or several."""
    if decoding.crop == AUTO:
        source = source.cropped(seen.box)
    if suggestions:
        palettes = painter.suggestions(seen, suggestions)
    else:
        palettes = [painter.palette(seen, decoding)]
    versions = []
    for palette in palettes:
        painted, changes = painter.painted_with_changes(seen, palette, decoding)
        recipe = Recipe.of(painter, seen, palette, decoding, changes)
        data = source.with_colors_of(painted, recipe.to_json())
        name = None if palette is seen.own_palette else palette.name if palette else ""
        for_sheet = small(painted, shown) if shown else None
        versions.append(_Version(palette, name, for_sheet, data, changes, recipe))
    return versions


def _first_result(
    painter: Painter, tasks: list[Task], decoding: Decoding
) -> tuple[Task | None, Recipe | None]:
    """Find what the first picture that has color becomes, or, if none has, the first one at all."""
    first = None, None
    for task in tasks:
        try:
            seen = painter.see(PictureFile.read(task.path).picture, decoding, in_place=True)
            palette = painter.palette(seen, decoding)
            changes = painter.changes(seen, palette, decoding)
        except RecolorError:
            # It will be skipped for that, and told.
            continue
        if first == (None, None) or seen.color == COLORED:
            first = task, Recipe.of(painter, seen, palette, decoding, changes)
        if seen.color == COLORED:
            break
    return first


def _write(target: Place, data: bytes) -> None:
    if isinstance(target, RemotePath):
        target.write_bytes(data)
        return
    with atomic_write(target) as temporary:
        temporary.write_bytes(data)
