"""The trained networks that come with recolor; ``pretrained/README.md`` is their model card."""

from pathlib import Path

from recolor.models.weights import SUFFIX, Weights, WeightsError

FOLDER = Path(__file__).with_name("pretrained")


def pretrained_weights(model: str) -> Weights:
    """Read a model kind's weights.

    Raises:
        WeightsError: If none of this kind come along.
    """
    file = FOLDER / f"{model}{SUFFIX}"
    if not file.is_file():
        raise WeightsError(f"no trained {model} network comes with recolor: train one")
    return Weights.load(file)
