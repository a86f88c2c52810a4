"""A `Painter` of an ONNX file that `recolor export` has made: it needs no TensorFlow and no Keras.

`recolor.platform.serving.onnx_graph` writes the file.
"""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from recolor.datasets.errors import RecolorError, first_line
from recolor.datasets.palettes.library import PaletteLibrary
from recolor.models.painter import FORMAT, Painter

SUFFIX = ".onnx"
STEPS = ("look", "assign", "choose", "paint")
# In the names of a step's outputs, behind the step's own: an input may have the same.
OUT = "out/"
# The key of the description among the file's metadata.
ABOUT = "recolor"


class OnnxError(RecolorError):
    """A file was not made by `recolor export`, or can't be used here."""


def load_onnx(file: Path, library: PaletteLibrary | None = None) -> tuple[Painter, dict]:
    """Read a file.

    Args:
        file: The file.
        library: The color schemes to choose from; by default those that come with recolor.

    Returns:
        What recolors pictures by it, and what is known of the model: ``facts``, for people to read,
        ``embedding``, its `DatasetInfo.embedding_id`, and ``held_out``, see `Weights`.

    Raises:
        OnnxError: If there is no such file, it is another's, or onnxruntime is not installed.
    """
    check_usable(file)
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Every step has threads of its own, which would keep each other waiting in busy loops.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        model = onnx.load(file)
        about = json.loads({entry.key: entry.value for entry in model.metadata_props}[ABOUT])
        if about.get("format") != FORMAT:
            raise OnnxError(f"{file} was exported by another version of recolor: export it again")
        steps = (
            _function(onnxruntime.InferenceSession(_part(model, step), options), f"{step}/")
            for step in STEPS
        )
        known = {name: about[name] for name in ("facts", "embedding", "held_out")}
        return Painter.of(*steps, about["painter"], library), known
    except OnnxError:
        raise
    except Exception as error:
        # Both libraries have errors of their own, and damaged files bring up others.
        reason = "it says nothing of recolor" if isinstance(error, KeyError) else first_line(error)
        raise OnnxError(f"{file} is not an ONNX file of `recolor export` ({reason})") from None


def check_usable(file: Path) -> None:
    """Check that a file is there, and what it takes to use it.

    Raises:
        OnnxError: If it is not.
    """
    if not file.is_file():
        raise OnnxError(f"there is no file {file}")
    check_installed("onnx", "onnxruntime")


def check_installed(*packages: str) -> None:
    """Check that packages of the extra ``onnx`` are installed.

    Raises:
        OnnxError: If one is not.
    """
    for package in packages:
        if find_spec(package) is None:
            raise OnnxError(f"{package} is not installed: pip install 'poster-recolor[onnx]'")


def _part(model, step: str) -> bytes:
    """Cut out a step: all that has its name before its own."""
    part = type(model)()
    part.CopyFrom(model)
    for kind in ("node", "input", "output", "initializer", "value_info"):
        members = getattr(part.graph, kind)
        own = [member for member in members if member.name.startswith(f"{step}/")]
        del members[:]
        members.extend(own)
    return part.SerializeToString()


def _function(session, prefix: str) -> Callable:
    """Let a step take and give arrays by name."""
    inputs = [one.name for one in session.get_inputs()]
    outputs = [one.name for one in session.get_outputs()]
    names = [name.removeprefix(prefix + OUT) for name in outputs]

    def call(**arrays):
        given = {name: np.asarray(arrays[name.removeprefix(prefix)]) for name in inputs}
        return dict(zip(names, session.run(outputs, given), strict=True))

    return call
