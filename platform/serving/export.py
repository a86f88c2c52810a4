"""Models in formats that run without this project: SavedModel and ONNX.

What was written is read back and compared with the model, and appears only where both agree.
"""

import inspect
import json
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps
from skimage import data

from recolor.datasets.atomic_file import atomic_write
from recolor.datasets.hints import parse_hints
from recolor.models.decoding.options import FREE, Decoding
from recolor.models.painter import FORMAT, Painter
from recolor.models.recolorer import Recolorer
from recolor.models.weights import Weights
from recolor.platform.serving.export_target import ONNX, SAVED_MODEL, ExportError
from recolor.platform.serving.onnx_painter import STEPS, load_onnx
from recolor.platform.serving.saved_model import RecoloringGraph

# Width and height of the pictures that are compared.
SIZES = ((96, 144), (300, 450), (640, 400))
# Nearly all differences must be at most one gray level. Where colors are carried over to a palette,
# a pixel may change places with another one.
NEARLY_ALL, MOST, LARGEST = 0.999, 1, 8
# Beside a SavedModel, where TensorFlow leaves place for it.
ABOUT_FILE = "recolor.json"


def export(
    format: str,
    weights: Weights,
    embedding: keras.Model | None,
    painter: Painter,
    facts: str,
    target: Path,
) -> tuple[float, ...]:
    """Write a model; what is there is replaced.

    Args:
        format: One of `recolor.platform.serving.export_target.FORMATS`.
        weights: The model's.
        embedding: Its embedding network, or None for zeros.
        painter: The model, to compare with.
        facts: Which model it is, for people to read; kept with it.
        target: A folder for a SavedModel, a file for ONNX.

    Returns:
        The largest difference for each of `SIZES`.

    Raises:
        ExportError: If the model can't be converted, or what was written differs from it.
    """
    write = {SAVED_MODEL: _saved_model, ONNX: _onnx}[format]
    about = {
        "recolor": version("poster-recolor"),
        "format": FORMAT,
        "facts": facts,
        "embedding": weights.embedding,
        "held_out": weights.held_out,
        "painter": {
            "own": asdict(painter.network.own),
            "kind": painter.network.kind,
            "size": painter.network.size,
            "takes_palette": painter.network.takes_palette,
        },
    }
    with atomic_write(target) as temporary:
        differences = write(weights, embedding, painter, about, temporary)
        for size, difference in zip(SIZES, differences, strict=True):
            if np.quantile(difference, NEARLY_ALL) > MOST or difference.max() > LARGEST:
                raise ExportError(
                    f"as {format}, the model answers otherwise than it does itself, by up to "
                    f"{difference.max():.3g} at {size[0]}x{size[1]} pixels: nothing was written"
                )
        if target.is_dir():
            # A folder is replaced only by way of another name, at which it is removed.
            target.rename(temporary.with_name("replaced"))
    return tuple(float(difference.max()) for difference in differences)


def _saved_model(weights, embedding, painter, about, folder) -> list[np.ndarray]:
    graph = RecoloringGraph(weights, embedding)
    about |= {"description": _steps("a signature for each")}
    graph.save(folder, painter.restorer)
    extra = folder / "assets.extra"
    extra.mkdir()
    (extra / ABOUT_FILE).write_text(json.dumps(about, indent=2), encoding="utf-8")
    saved = tf.saved_model.load(folder)

    def step(name: str) -> Callable:
        signature = saved.signatures[name]
        types = signature.structured_input_signature[1]
        return lambda **arrays: signature(
            **{key: tf.convert_to_tensor(one, types[key].dtype) for key, one in arrays.items()}
        )

    steps = map(step, STEPS)
    other = Painter.of(*steps, about["painter"], painter.library, painter.restorer)
    return _in_pictures(painter, other)


def _onnx(weights, embedding, painter, about, file) -> list[np.ndarray]:
    # Its packages are an extra, which not everyone has.
    from recolor.platform.serving.onnx_graph import ConvertibleGraph

    graph = ConvertibleGraph(weights, embedding)
    names = "inputs named as look/square and outputs as look/out/shares"
    graph.save(file, about | {"description": _steps(names)})
    return _in_pictures(painter, load_onnx(file, painter.library)[0])


def _steps(names: str) -> str:
    """Say what the steps of a model take and give."""
    texts = (f"{step}: {inspect.getdoc(getattr(Recolorer, step))}" for step in STEPS)
    return "\n\n".join([f"Four steps, with {names}.", *texts])


def _in_pictures(painter: Painter, other: Painter) -> list[np.ndarray]:
    """Recolor pictures by both networks, and return the differences for each of `SIZES`."""
    ways = [Decoding(palette=FREE, restore=0.0)]
    if painter.network.takes_palette:
        hint = parse_hints(["50%,20%=#c1121f"])
        ways.append(Decoding(palette="#0b4f5c,#f28c28:2", restore=0.0, hint=hint))
    differences = []
    for photograph in _photographs():
        # Under a palette, gray pictures are recolored in another way.
        pairs = [
            [one.recolor(picture, way) for one in (painter, other)]
            for way in ways
            for picture in (photograph, photograph.convert("L").convert("RGB"))
        ]
        pixels = np.array(pairs, np.int16)
        differences.append(np.abs(pixels[:, 0] - pixels[:, 1]))
    return differences


def _photographs() -> list[Image.Image]:
    """Return a photograph for each of `SIZES`; they come with scikit-image."""
    pictures = (data.chelsea(), data.astronaut(), data.coffee())
    return [
        ImageOps.fit(Image.fromarray(picture), size)
        for picture, size in zip(pictures, SIZES, strict=True)
    ]
