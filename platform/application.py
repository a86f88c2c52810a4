"""Recoloring image files with a trained model."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from recolor.datasets.images import ImageError, find_images, open_image, to_rgb
from recolor.evaluation.figures import contact_sheet
from recolor.platform.usable_model import UsableModel
from recolor.platform.whole_file import whole_file

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
    model: UsableModel,
    inputs: list[Path],
    out: Path,
    *,
    temperature: float | None = None,
    vividness: float | None = None,
    sheet: bool = False,
    progress: Callable[[Iterator], Iterator] = iter,
) -> Outcome:
    """Recolor images at their own resolution, under their own names.

    Args:
        model: The model.
        inputs: Folders and files.
        out: Folder of the results, outside of the input folders; a file in an input folder keeps
            its path inside that folder.
        temperature: T of the annealed mean; by default the model's own.
        vividness: See `recolor.platform.vividness`; by default the model's own.
        sheet: Make a sheet of the first 24 posters before and after as well.
        progress: Wraps the list of files, to show progress.

    Raises:
        ImageError: If an input is missing, or a result would overwrite an input or another result.
        OSError: If a file can't be written.
    """
    files = find_images(inputs)
    check_targets(inputs, files, out, sheet)
    if temperature is None:
        temperature = model.temperature
    if vividness is None:
        vividness = model.vividness
    outcome, pairs = Outcome(), []
    for name, path in progress(files):
        try:
            source = open_image(path.read_bytes())
            kind = "JPEG" if source.format == "MPO" else source.format
            before = to_rgb(source)
            after = Image.fromarray(model.recolor(np.asarray(before), temperature, vividness))
        except ImageError as error:
            outcome.skipped.append((name, str(error)))
            continue
        except OSError as error:
            outcome.skipped.append((name, f"can't be read: {error.strerror}"))
            continue
        except (MemoryError, tf.errors.ResourceExhaustedError):
            outcome.skipped.append((name, "too large for this machine's memory"))
            continue
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


def _save(image: Image.Image, target: Path, kind: str) -> None:
    """Write an image in a format, with little loss."""
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95}}
    with whole_file(target) as temporary:
        image.save(temporary, kind, **options.get(kind, {}))
