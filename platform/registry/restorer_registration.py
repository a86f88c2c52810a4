"""New versions of the registered model of restoration networks."""

import tempfile
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion

from recolor.models.painter import FORMAT
from recolor.models.weights import Weights
from recolor.platform.registry.registration import (
    REQUIREMENTS,
    code_for_serving,
    example_image,
    new_version,
    pinned,
)
from recolor.platform.registry.signature import restoring_signature
from recolor.platform.registry.tasks import RESTORING, WEIGHTS_FILE

SERVED_CODE = Path(__file__).parents[1] / "serving" / "pyfunc_restorer.py"


def register_restorer(
    weights: Weights, card: Path, description: str, metadata: dict, tags: dict
) -> ModelVersion:
    """Log a restoration network to the active run and register it as a new version.

    Args:
        weights: Its weights.
        card: The folder of its model card, kept with it.
        description: What the version is, in words.
        metadata: What a user of the model must know: kind, data set.
        tags: Tags of the version.
    """
    with tempfile.TemporaryDirectory() as folder:
        weights_file = Path(folder) / WEIGHTS_FILE
        weights.save(weights_file)
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(SERVED_CODE),
            artifacts={"weights": str(weights_file), "card": str(card)},
            code_paths=[str(code_for_serving(Path(folder)))],
            signature=restoring_signature(),
            input_example={"image": [example_image()]},
            pip_requirements=pinned(one for one in REQUIREMENTS if one != "tensorflow"),
            metadata={"format": FORMAT, "task": RESTORING.name, **metadata},
        )
    return new_version(RESTORING, info, description, tags)
