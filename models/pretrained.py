"""The trained networks that come with recolor; ``pretrained/README.md`` is their model card."""

from pathlib import Path

from recolor.models.weights import Weights, WeightsError

FOLDER = Path(__file__).with_name("pretrained")


def pretrained_file(model: str) -> Path:
    """Return where a model kind's weights are, if it is bundled."""
    return FOLDER / f"{model}.safetensors"


def pretrained_weights(model: str) -> Weights:
    """Read a model kind's weights.

    Raises:
        WeightsError: If there is no bundled network of this kind.
    """
    file = pretrained_file(model)
    if not file.is_file():
        raise WeightsError(f"no trained {model} network comes with recolor: train one")
    return Weights.load(file)
