"""Recoloring image files with a registered model."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mlflow.pyfunc import PyFuncModel
from PIL import Image

from recolor.datasets.images import ImageError, find_images, open_image, to_rgb
from recolor.evaluation.figures import contact_sheet

SHEET_FILE = "before-after.png"
SHEET_POSTERS = 24
SHEET_SIDE = 320


@dataclass
class Outcome:
    """What `recolor_files` did.

    Attributes:
        written: The recolored files.
        skipped: Name and reason of each image that could not be recolored.
        sheet: The before/after sheet, if there is one.
    """

    written: list[Path] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    sheet: Path | None = None


def recolor_files(
    model: PyFuncModel,
    inputs: list[Path],
    out: Path,
    *,
    temperature: float | None = None,
    sheet: bool = False,
    progress: Callable[[Iterator], Iterator] = iter,
) -> Outcome:
    """Recolor images at their own resolution, under their own names.

    Args:
        model: A version of the registered model.
        inputs: Folders and files.
        out: Folder of the results; a file in an input folder keeps its path inside that folder.
        temperature: T of the annealed mean; by default the model's own.
        sheet: Make a sheet of the first 24 posters before and after as well.
        progress: Wraps the list of files, to show progress.

    Raises:
        ImageError: If an input is missing, or a result would overwrite an input or another result.
        OSError: If a file can't be written.
    """
    files = find_images(inputs)
    _check_targets(files, out)
    if temperature is None:
        temperature = model.metadata.metadata["temperature"]
    recolorer = model.unwrap_python_model()
    outcome, pairs = Outcome(), []
    for name, path in progress(files):
        try:
            source = open_image(path.read_bytes())
            kind = source.format
            before = to_rgb(source)
        except ImageError as error:
            outcome.skipped.append((name, str(error)))
            continue
        except OSError as error:
            outcome.skipped.append((name, f"can't be read: {error.strerror}"))
            continue
        after = Image.fromarray(recolorer.recolor(np.asarray(before), temperature))
        target = out / name
        _save(after, target, kind)
        outcome.written.append(target)
        if sheet and len(pairs) < SHEET_POSTERS:
            for picture in (before, after):
                picture.thumbnail((SHEET_SIDE, SHEET_SIDE), Image.Resampling.LANCZOS)
            pairs.append([before, after])
    if pairs:
        outcome.sheet = out / SHEET_FILE
        columns = min(4, len(pairs))
        _save(contact_sheet(pairs, ["before", "after"], SHEET_SIDE, columns), outcome.sheet, "PNG")
    return outcome


def _check_targets(files: list[tuple[str, Path]], out: Path) -> None:
    seen: dict[str, Path] = {}
    for name, path in files:
        if name in seen:
            raise ImageError(f"{seen[name]} and {path} would both be written to {out / name}")
        seen[name] = path
        if (out / name).exists() and (out / name).samefile(path):
            raise ImageError(f"{path} would be overwritten by its result: choose another --out")


def _save(image: Image.Image, target: Path, kind: str) -> None:
    """Write an image in a format; the file appears whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.part")
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95}}
    try:
        image.save(temporary, kind, **options.get(kind, {}))
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
