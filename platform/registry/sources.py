"""Where trained networks are found: bundled with recolor, in files, and in the registry.

Neither Keras nor TensorFlow is imported, and MLflow only where there is a store to ask.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from recolor.datasets.errors import first_line
from recolor.models.catalog import MODELS
from recolor.models.restoring import Restorer
from recolor.models.weights import Weights, WeightsError, pretrained_weights
from recolor.platform.registry.tasks import CHAMPION, RESTORING, WEIGHTS_FILE
from recolor.platform.serving.onnx_painter import SUFFIX as ONNX_SUFFIX
from recolor.platform.serving.onnx_painter import check_usable
from recolor.platform.tracking.place import store_exists


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


def check_source(source: str) -> None:
    """Check that a model may be there, as far as can be told without a store and Keras.

    Args:
        source: As in `find_weights`.

    Raises:
        WeightsError, OnnxError: If there is no such file or model kind, or it can't be used.
    """
    if source == CHAMPION or ":/" in source:
        return
    if source.endswith(ONNX_SUFFIX):
        check_usable(Path(source))
    elif local_weights(source) is None:
        raise no_weights(source)


def find_weights(source: str) -> Weights:
    """Find weights here or in the store.

    Args:
        source: As in `local_weights`, or the URI of a registered model, or ``champion``.

    Raises:
        WeightsError: If the weights are missing or damaged.
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


def load_restorer() -> Restorer:
    """Return the network that restores by default.

    It is the champion of ``poster-restore`` if that is better than the bundled network, see
    `comparison`. If it is not, or its files are missing, it is the bundled one; its ``about`` says
    why.

    Raises:
        DatabaseError, ServerError: If there is a store and it can't be used.
        RegistryError, RestorerError: If the champion can't be loaded, and not because its files are
            missing.
    """
    bundled = Restorer.bundled()
    if not store_exists():
        return bundled
    from recolor.platform.registry.comparison import shortfall
    from recolor.platform.registry.versions import (
        MissingFilesError,
        current_champion,
        missing_champion,
        version_uri,
    )
    from recolor.platform.tracking import store

    store.connect()
    champion = current_champion(RESTORING)
    if champion is None:
        missing = missing_champion(RESTORING)
        return replace(bundled, about=f"{bundled.about}; {missing}") if missing else bundled
    number = champion.version
    if reason := shortfall(champion):
        why = f"champion version {number} {reason}: --model {RESTORING.champion} takes it"
        return replace(bundled, about=f"{bundled.about}; {why}")
    try:
        about = f"{RESTORING.model} version {number} ({CHAMPION})"
        return registered_restorer(version_uri(number, RESTORING), about)
    except MissingFilesError as error:
        return replace(bundled, about=f"{bundled.about}; the champion can't be used: {error}")


def registered_restorer(uri: str, about: str) -> Restorer:
    """Load a registered restoration network.

    Args:
        uri: The URI of a version.
        about: Which network it is, for people to read.

    Raises:
        MissingFilesError: If its files are gone, or it was moved.
        RegistryError: If there is no such model.
        RestorerError: If it is another kind of network.
    """
    import mlflow

    from recolor.platform.registry.versions import RegistryError, check_files

    try:
        check_files(uri)
        file = mlflow.artifacts.download_artifacts(f"{uri}/artifacts/{WEIGHTS_FILE}")
    except RegistryError:
        raise
    except Exception as error:
        # A URI may lead to any store, and each has its own exceptions.
        raise RegistryError(f"model {uri} can't be loaded ({first_line(error)})") from None
    return Restorer.load(Path(file), about)
