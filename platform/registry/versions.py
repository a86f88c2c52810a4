"""The registered model ``poster-recolor``: its versions and its champion.

It takes neither Keras nor TensorFlow to ask for them.
"""

import mlflow
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException

from recolor.datasets.errors import RecolorError
from recolor.platform.tracking import store

MODEL_NAME = "poster-recolor"
# The alias, and the word for it wherever a model is asked for.
CHAMPION = "champion"
CHAMPION_URI = f"models:/{MODEL_NAME}@{CHAMPION}"
# Version tags with the metrics in validation begin so.
METRIC_TAG = "validation."
# Other version tags.
KIND_TAG, DATA_TAG, POSTERS_TAG = "model", "dataset.digest", "training_posters"


class RegistryError(RecolorError):
    """The registry does not hold what is asked for, or a promotion is refused."""


def registered_model() -> RegisteredModel | None:
    """Return the registered model of this store, or None if there is none yet."""
    try:
        return mlflow.MlflowClient().get_registered_model(MODEL_NAME)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def registered_versions() -> list[ModelVersion]:
    """Return all versions in this store."""
    return list(mlflow.MlflowClient().search_model_versions(f"name = '{MODEL_NAME}'"))


def current_champion() -> ModelVersion | None:
    """Return the champion, or None if there is none."""
    model = registered_model()
    if model is None or CHAMPION not in model.aliases:
        return None
    return mlflow.MlflowClient().get_model_version(MODEL_NAME, str(model.aliases[CHAMPION]))


def find_champion() -> ModelVersion:
    """Return the champion of the store, which is not made where there is none.

    Raises:
        RegistryError: If there is no champion.
        DatabaseError, ServerError: If the store can't be used.
    """
    why = "there is no store here yet"
    if store.store_exists():
        store.connect()
        if champion := current_champion():
            return champion
        why = f"{MODEL_NAME} has no champion yet"
    raise RegistryError(f"{why}: train a model with `recolor train`, then run `recolor promote`")


def version_uri(number: str) -> str:
    """Return the URI of a version."""
    return f"models:/{MODEL_NAME}/{number}"


def validated_metrics(version: ModelVersion) -> dict[str, float]:
    """Return a version's metrics as `recolor.evaluation.validation.validate` has measured them."""
    return {
        name.removeprefix(METRIC_TAG): float(value)
        for name, value in version.tags.items()
        if name.startswith(METRIC_TAG)
    }
