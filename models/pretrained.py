"""The trained networks that come with recolor; ``pretrained/README.md`` is their model card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recolor.models.weights import Weights

FOLDER = Path(__file__).with_name("pretrained")


def pretrained_file(model: str) -> Path:
    """Return where a model kind's weights are, if it is bundled."""
    return FOLDER / f"{model}.safetensors"


def pretrained_weights(model: str) -> Weights:
    """Read a model kind's weights.

    Raises:
        WeightsError: If there is no bundled network of this kind.
    """
    # Only here, since it takes Keras.
    from recolor.models.weights import Weights, WeightsError

    file = pretrained_file(model)
    if not file.is_file():
        raise WeightsError(f"no trained {model} network comes with recolor: train one")
    return Weights.load(file)
