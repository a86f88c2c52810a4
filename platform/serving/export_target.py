"""The formats of `recolor export`, and what may be in the way of what it writes."""

import os
from pathlib import Path

from recolor.datasets.errors import RecolorError

SAVED_MODEL, ONNX = "saved_model", "onnx"
FORMATS = (SAVED_MODEL, ONNX)


class ExportError(RecolorError):
    """A model can't be exported, or what was written differs from it."""


def check_target(target: Path, format: str, overwrite: bool) -> None:
    """Check where a model is to be written.

    Args:
        target: A folder for a SavedModel, a file for ONNX.
        format: One of `FORMATS`.
        overwrite: Whether it may replace what is there.

    Raises:
        ExportError: If its name does not suit the format, or something is in the way.
    """
    folder = format == SAVED_MODEL
    if not folder and target.suffix != f".{format}":
        raise ExportError(f"{target} is not a name for this format: let it end in .{format}")
    if not os.path.lexists(target):
        return
    if not overwrite:
        raise ExportError(f"{target} is there already: --overwrite replaces it")
    if target.is_dir() != folder:
        raise ExportError(f"{target} exists and is not a {'folder' if folder else 'file'}")
    if folder and not (target / "saved_model.pb").is_file():
        raise ExportError(
            f"{target} holds no SavedModel, and is not replaced: choose another --out"
        )
