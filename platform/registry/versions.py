"""The registered model of each task: its versions and its champion.

It takes neither Keras nor TensorFlow to ask for them.
"""

from collections.abc import Mapping
from contextlib import suppress

import mlflow
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException

from recolor.datasets.errors import RecolorError
from recolor.evaluation.answers import Measured, MetricKey
from recolor.platform.registry.tasks import CHAMPION, RECOLORING, Task, task_of_model
from recolor.platform.tracking import store
from recolor.platform.tracking.place import store_exists
from recolor.platform.tracking.store import missing_folder

MODEL_NAME = RECOLORING.model
CHAMPION_URI = f"models:/{MODEL_NAME}@{CHAMPION}"
# Version tags with the metrics in validation begin so.
METRIC_TAG = "validation."
# Other version tags.
KIND_TAG, DATA_TAG, POSTERS_TAG = "model", "dataset.digest", "training_posters"


class RegistryError(RecolorError):
    """The registry does not hold what is asked for, or a promotion is refused."""


class MissingFilesError(RegistryError):
    """A registered model is not where the store expects it."""


def registered_model(task: Task = RECOLORING) -> RegisteredModel | None:
    """Return a task's registered model in this store, or None if there is none yet."""
    try:
        return mlflow.MlflowClient().get_registered_model(task.model)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def registered_versions(task: Task = RECOLORING) -> list[ModelVersion]:
    """Return all versions of a task in this store."""
    return list(mlflow.MlflowClient().search_model_versions(f"name = '{task.model}'"))


def task_of(version: ModelVersion) -> Task:
    """Return the task of a version."""
    return task_of_model(version.name)


def current_champion(task: Task = RECOLORING) -> ModelVersion | None:
    """Return a task's champion, or None if there is none, or its version is missing."""
    number = _champion_number(task)
    try:
        return number and mlflow.MlflowClient().get_model_version(task.model, number)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def missing_champion(task: Task = RECOLORING) -> str | None:
    """Say what to do where a task's champion is a version that is missing; None elsewhere."""
    number = _champion_number(task)
    if number is None or current_champion(task):
        return None
    return (
        f"version {number} of {task.model}, the champion, is missing: `{task.promote}` chooses "
        "another"
    )


def _champion_number(task: Task) -> str | None:
    model = registered_model(task)
    if model is None or CHAMPION not in model.aliases:
        return None
    return str(model.aliases[CHAMPION])


def find_champion() -> ModelVersion:
    """Return the recoloring champion of the store; a missing store is not created.

    Raises:
        RegistryError: If there is no champion.
        DatabaseError, ServerError: If the store can't be used.
    """
    why = "there is no store here yet"
    if store_exists():
        store.connect()
        if champion := current_champion():
            return champion
        if missing := missing_champion():
            raise RegistryError(missing)
        why = f"{MODEL_NAME} has no champion yet"
    raise RegistryError(f"{why}: train a model with `recolor train`, then run `recolor promote`")


def version_uri(number: str, task: Task = RECOLORING) -> str:
    """Return the URI of a version."""
    return f"models:/{task.model}/{number}"


def check_files(uri: str) -> None:
    """Check that the files of a model are where the store expects them.

    Raises:
        MissingFilesError: If they are gone, or were moved.
    """
    if folder := missing_folder(uri):
        raise MissingFilesError(
            f"the files of model {uri} are not in {folder}, where they were when it was "
            "registered: bring them back, or train it again"
        )


def validated_metrics(tags: Mapping[str, str]) -> Measured:
    """Return what `recolor.evaluation.validation` has measured, from a version's tags.

    A tag that someone has edited, and is no number any more, counts as not measured.
    """
    found = {}
    for name, value in tags.items():
        if name.startswith(METRIC_TAG):
            with suppress(ValueError):
                found[MetricKey.parse(name.removeprefix(METRIC_TAG))] = float(value)
    return found
