"""Registered versions and the bundled network, measured on a data set."""

from collections.abc import Callable

from recolor.datasets.manifest import Manifest
from recolor.evaluation.validation import validate, validate_by
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


def validate_bundled(
    manifest: Manifest, kind: str, metric: str, progress: Callable[[int], None]
) -> dict[str, float]:
    """Measure a bundled network on a data set's validation posters, as `validate_by` does.

    Args:
        manifest: The data set.
        kind: The network's model kind.
        metric: The metric's name.
        progress: Called with 1 after each poster.

    Raises:
        MeasurementError: If the network's colors are not finite.
    """
    model = load(kind)
    embedded = model.knows_embeddings_of(manifest)
    return validate_by(metric, manifest, model.painter, progress, embedded)


def may_know(manifest: Manifest, source: str) -> bool:
    """Whether a model may have learned from posters that a data set holds out.

    Args:
        manifest: The data set.
        source: As `find_weights` takes it.

    Raises:
        WeightsError: If the model's weights can't be read.
    """
    return not find_weights(source).held_out_like(manifest.held_out)
