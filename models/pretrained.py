"""The trained networks that come with recolor; ``pretrained/README.md`` is their model card."""

from pathlib import Path

FOLDER = Path(__file__).with_name("pretrained")

# What `recolor apply` takes where there is no champion.
DEFAULT = "classification"


def pretrained_file(model: str) -> Path:
    """Return the path of a model kind's weights, a file of `recolor.models.weights`."""
    return FOLDER / f"{model}.npz"
