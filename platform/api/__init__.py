"""Restore and recolor movie posters; prepare data sets, train and evaluate networks.

Each name is imported when it is first used: `import recolor` itself loads neither Keras nor MLflow.
"""

import sys
from importlib import import_module
from pkgutil import extend_path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recolor.datasets.dataset import Dataset
    from recolor.datasets.errors import RecolorError
    from recolor.models.decoding.options import Decoding
    from recolor.models.recipe import Recipe
    from recolor.platform.experiments.evaluation import evaluate
    from recolor.platform.experiments.preparation import prepare
    from recolor.platform.experiments.training import train
    from recolor.platform.registry.model import Model, load_model

# The folders of the project may lie elsewhere: a served model carries copies of some modules, and
# in an editable installation, setuptools' finder knows the folders of the checkout.
__path__ = extend_path(__path__, __name__)
__path__ += [entry for entry in sys.path if entry.startswith("__editable__")]

__all__ = [
    "Dataset",
    "Decoding",
    "Model",
    "Recipe",
    "RecolorError",
    "evaluate",
    "load_model",
    "prepare",
    "train",
]

_MODULES = {
    "Dataset": "recolor.datasets.dataset",
    "Decoding": "recolor.models.decoding.options",
    "Model": "recolor.platform.registry.model",
    "Recipe": "recolor.models.recipe",
    "RecolorError": "recolor.datasets.errors",
    "evaluate": "recolor.platform.experiments.evaluation",
    "load_model": "recolor.platform.registry.model",
    "prepare": "recolor.platform.experiments.preparation",
    "train": "recolor.platform.experiments.training",
}


def __getattr__(name: str):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_MODULES[name]), name)
    # Found at once the next time.
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
