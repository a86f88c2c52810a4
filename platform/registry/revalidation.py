"""Registered versions and the bundled network, measured on a data set."""

from collections.abc import Callable

from recolor.datasets.dataset_info import DatasetInfo
from recolor.evaluation.answers import Measured
from recolor.evaluation.validation import validate, validate_by, validate_restoration
from recolor.models.restoring import Restorer
from recolor.platform.registry.model import load_model
from recolor.platform.registry.sources import registered_restorer
from recolor.platform.registry.tasks import RESTORING, Task
from recolor.platform.registry.versions import RegistryError, version_uri


def validate_version(
    manifest: DatasetInfo, task: Task, number: str, progress: Callable[[int], None]
) -> Measured:
    """Measure a version on a data set's validation posters, as after a training.

    Args:
        manifest: The data set.
        task: What the version is for.
        number: The version's number.
        progress: Called with 1 after each poster.

    Raises:
        RegistryError: If the version can't be loaded, or there are no validation posters.
        MeasurementError: If what the model answers is not finite.
    """
    if not manifest.count("validation"):
        raise RegistryError(f"{manifest.folder} has no validation posters to measure versions on")
    uri = version_uri(number, task)
    if task is RESTORING:
        return validate_restoration(manifest, registered_restorer(uri, uri), progress)
    model = load_model(uri)
    return validate(manifest, model.painter, progress, model.knows_embeddings_of(manifest))


def validate_bundled(
    manifest: DatasetInfo, task: Task, metric: str, progress: Callable[[int], None]
) -> Measured:
    """Measure a task's bundled network on a data set's validation posters.

    Args:
        manifest: The data set.
        task: The task.
        metric: The metric's name.
        progress: Called with 1 after each poster.

    Returns:
        The value, as of `recolor.evaluation.validation`. Nothing if it is undefined, or there are
        no validation posters.

    Raises:
        MeasurementError: If what the network answers is not finite.
    """
    if task is RESTORING:
        measured = validate_restoration(manifest, Restorer.bundled(), progress)
        return {key: value for key, value in measured.items() if str(key) == metric}
    model = load_model(task.bundled)
    embedded = model.knows_embeddings_of(manifest)
    return validate_by(metric, manifest, model.painter, progress, embedded)


def may_know(manifest: DatasetInfo, source: str) -> bool:
    """Whether a model may have learned from posters that a data set holds out: if not known, yes.

    Args:
        manifest: The data set.
        source: As `load_model` takes it.

    Raises:
        RegistryError, WeightsError: If there is no such model.
    """
    return load_model(source).may_know(manifest, "validation")
