"""Where trained weights are found: by a model kind's name, in a file, or in the registry."""

from pathlib import Path

from recolor.datasets.errors import first_line
from recolor.models.catalog import MODELS
from recolor.models.pretrained import pretrained_weights
from recolor.models.weights import Weights, WeightsError
from recolor.platform.registry.tasks import CHAMPION, WEIGHTS_FILE


def local_weights(source: str) -> Weights | None:
    """Find weights without a store.

    Args:
        source: The name of a model kind, for the weights that come with recolor, or a file's path.

    Returns:
        The weights; None if it is neither.

    Raises:
        WeightsError: If they are damaged.
    """
    if source in MODELS:
        return pretrained_weights(source)
    return Weights.load(Path(source)) if Path(source).is_file() else None


def find_weights(source: str) -> Weights:
    """Find weights here or in the store.

    Args:
        source: As in `local_weights`, or the URI of a registered model, or ``champion``.

    Raises:
        WeightsError: If there are none, or they are damaged.
        RegistryError: If there is no champion.
    """
    # Only here: without a store, MLflow is not needed.
    from recolor.platform.registry.versions import find_champion, version_uri

    if source == CHAMPION:
        source = version_uri(find_champion().version)
    if found := local_weights(source):
        return found
    if ":/" not in source:
        raise no_weights(source)
    import mlflow

    try:
        file = mlflow.artifacts.download_artifacts(f"{source}/artifacts/{WEIGHTS_FILE}")
    except Exception as error:
        # A URI may lead to any store, and each has its own exceptions.
        raise WeightsError(f"{source} has no weights ({first_line(error)})") from None
    return Weights.load(Path(file))


def no_weights(source: str) -> WeightsError:
    """Say that a source is unknown."""
    return WeightsError(
        f"{source} is neither a file of weights nor one of {', '.join(MODELS)}, which are bundled"
    )
