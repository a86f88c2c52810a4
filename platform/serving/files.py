"""Recoloring image files with a trained model."""

import io
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from PIL import Image

from recolor.datasets.atomic_file import atomic_write
from recolor.datasets.color_profiles import srgb_profile
from recolor.datasets.errors import RecolorError
from recolor.datasets.hints import Hint, HintError
from recolor.datasets.images import ImageError, find_images, open_image, to_rgb
from recolor.datasets.palettes.palette import Palette
from recolor.evaluation.figures import SWATCH_HEIGHT, contact_sheet, with_swatch
from recolor.models.decoding.options import AUTO, DEFAULT_DECODING, Decoding
from recolor.models.painter import Painter

SHEET_FILE = "before-after.png"
SHEET_POSTERS = 24
SHEET_SIDE = 320


@dataclass
class Outcome:
    """What `recolor_files` did.

    Attributes:
        written: The recolored files.
        skipped: Name and reason of each image that could not be recolored.
        palettes: How many pictures were recolored under each palette, by name; the free answer's
            name is empty.
        sheet: The before/after sheet, if there is one.
    """

    written: list[Path] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    palettes: Counter[str] = field(default_factory=Counter)
    sheet: Path | None = None


def recolor_files(
    painter: Painter,
    inputs: list[Path],
    out: Path,
    *,
    decoding: Decoding = DEFAULT_DECODING,
    hints: dict[str, tuple[Hint, ...]] | None = None,
    suggestions: int = 0,
    sheet: bool = False,
    progress: Callable[[Iterator], Iterator] = iter,
) -> Outcome:
    """Recolor images at their own resolution, under their own names.

    Args:
        painter: The model.
        inputs: Folders and files.
        out: Folder of the results, outside of the input folders; a file in an input folder keeps
            its path inside that folder.
        decoding: How the model's answers become colors.
        hints: More hints, by the names of images inside of their folder, in Unicode's form NFC.
        suggestions: Make so many versions of each image, under the palettes that
            `Painter.suggestions` chooses: ``poster.1.jpg``, ``poster.2.jpg``, ...; 0 for one, under
            the palette of `decoding`.
        sheet: Make a sheet of the first 24 posters before and after as well.
        progress: Wraps the list of files, to show progress.

    Raises:
        ImageError: If an input is missing, or a result would overwrite an input or another result.
        HintError: If there are hints for an image that is not among the inputs.
        DecodingError: If the model takes no palette, and is to be given one.
        OSError: If a file can't be written.
    """
    files = find_images(inputs)
    hints = hints or {}
    if unknown := set(hints) - {_composed(name) for name, _ in files}:
        raise HintError(f"there are hints for {min(unknown)}, which is not among the images")
    painter.check(replace(decoding, palette=AUTO) if suggestions else decoding)
    painter.check_suggestions(suggestions)
    names = [
        (result, path)
        for name, path in files
        for result in ([_numbered(name, n + 1) for n in range(suggestions)] or [name])
    ]
    check_targets(inputs, names, out, sheet)
    outcome, rows = Outcome(), []
    for name, path in progress(files):
        try:
            source = open_image(path.read_bytes())
            kind = "JPEG" if source.format == "MPO" else source.format
            before = to_rgb(source)
            own = replace(decoding, hint=decoding.hint + hints.get(_composed(name), ()))
            shown = sheet and len(rows) < SHEET_POSTERS
            versions = _versions(painter, before, kind, own, suggestions, shown)
        except RecolorError as error:
            outcome.skipped.append((name, str(error)))
            continue
        except OSError as error:
            outcome.skipped.append((name, f"can't be read: {error.strerror}"))
            continue
        except Exception as error:
            if not _out_of_memory(error):
                raise
            outcome.skipped.append((name, "too large for this machine's memory"))
            continue
        for number, version in enumerate(versions, 1):
            target = out / (_numbered(name, number) if suggestions else name)
            _write(target, version.data)
            outcome.written.append(target)
            outcome.palettes[version.palette.name if version.palette else ""] += 1
        if shown:
            row = [(_small(before), None), *((each.small, each.palette) for each in versions)]
            rows.append([with_swatch(small, palette, SHEET_SIDE) for small, palette in row])
    if rows:
        outcome.sheet = out / SHEET_FILE
        _write(outcome.sheet, _encoded(_sheet(rows, suggestions), "PNG"))
    return outcome


def _out_of_memory(error: Exception) -> bool:
    """Whether memory was too small: each framework has errors of its own for that."""
    names = {cls.__name__ for cls in type(error).__mro__}
    return bool(names & {"MemoryError", "ResourceExhaustedError", "OutOfMemoryError"}) or (
        "RESOURCE_EXHAUSTED" in str(error)
    )


@dataclass(frozen=True)
class _Version:
    """A recolored picture: its palette, its file, which takes less memory, and, where it is shown
    in the sheet, a small copy."""

    palette: Palette | None
    small: Image.Image | None
    data: bytes


def _versions(
    painter: Painter,
    picture: Image.Image,
    kind: str,
    decoding: Decoding,
    suggestions: int,
    shown: bool,
) -> list[_Version]:
    """Recolor a picture, under one palette or several."""
    seen = painter.see(picture, decoding)
    if suggestions:
        palettes = painter.suggestions(seen, suggestions)
    else:
        palettes = [painter.palette(seen, decoding)]
    versions = []
    for palette in palettes:
        painted = painter.painted(seen, palette, decoding)
        small = _small(painted) if shown else None
        versions.append(_Version(palette, small, _encoded(painted, kind)))
    return versions


def _small(picture: Image.Image) -> Image.Image:
    small = picture.copy()
    small.thumbnail((SHEET_SIDE, SHEET_SIDE), Image.Resampling.LANCZOS)
    return small


def _composed(name: str) -> str:
    """Write a file's name as people type it: some systems write letters and accents apart."""
    return unicodedata.normalize("NFC", name)


def _numbered(name: str, number: int) -> str:
    """Put a number before a file name's suffix."""
    path = PurePosixPath(name)
    return path.with_name(f"{path.stem}.{number}{path.suffix}").as_posix()


def _sheet(rows, suggestions: int) -> Image.Image:
    """Lay out pictures before and after, each above its palette's swatch."""
    labels = ["before", *(["after"] if not suggestions else map(str, range(1, suggestions + 1)))]
    # As wide as a screen.
    columns = max(1, min(8 // len(labels), len(rows)))
    return contact_sheet(rows, labels, SHEET_SIDE + SWATCH_HEIGHT, columns)


def check_targets(
    inputs: list[Path], files: list[tuple[str, Path]], out: Path, sheet: bool
) -> None:
    """Check that no result would overwrite an input or another result.

    Args:
        inputs: Folders and files.
        files: What `find_images` has found in them.
        out: Folder of the results.
        sheet: Whether a sheet is made, too.

    Raises:
        ImageError: If one would.
    """
    for folder in inputs:
        if folder.is_dir() and out.resolve().is_relative_to(folder.resolve()):
            raise ImageError(
                f"results in {out} would mix with the originals in {folder}: choose another --out"
            )
    sources = {path.resolve() for _, path in files}
    seen = {SHEET_FILE: Path("the sheet")} if sheet else {}
    for name, path in files:
        if name in seen:
            raise ImageError(f"{seen[name]} and {path} would both be written to {out / name}")
        seen[name] = path
        if (out / name).resolve() in sources:
            raise ImageError(f"{out / name} would be overwritten by a result: choose another --out")


def _encoded(image: Image.Image, kind: str) -> bytes:
    """Return an image's file in a format, with little loss."""
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95}}
    file = io.BytesIO()
    image.save(file, kind, icc_profile=srgb_profile(), **options.get(kind, {}))
    return file.getvalue()


def _write(target: Path, data: bytes) -> None:
    with atomic_write(target) as temporary:
        temporary.write_bytes(data)
