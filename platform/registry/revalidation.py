"""Registered versions, measured anew on a data set."""

from collections.abc import Callable

from recolor.datasets.manifest import Manifest
from recolor.evaluation.validation import validate
from recolor.platform.registry.load import load
from recolor.platform.registry.versions import RegistryError, version_uri
from recolor.platform.registry.weight_sources import find_weights


def validate_version(
    manifest: Manifest, number: str, progress: Callable[[int], None]
) -> dict[str, float]:
    """Measure a version on a data set's validation posters, as `validate` does after a training.

    Args:
        manifest: The data set.
        number: The version's number.
        progress: Called with 1 after each poster.

    Raises:
        RegistryError: If the version can't be loaded, or there are no validation posters.
        MeasurementError: If the model's colors are not finite.
    """
    if not manifest.count("validation"):
        raise RegistryError(f"{manifest.folder} has no validation posters to measure versions on")
    model = load(version_uri(number))
    return validate(manifest, model.painter, progress, model.knows_embeddings_of(manifest))


def may_know(manifest: Manifest, number: str) -> bool:
    """Whether a version may have learned from posters that a data set holds out.

    Raises:
        WeightsError: If the version's weights can't be read.
    """
    return not find_weights(version_uri(number)).held_out_like(manifest.held_out)
