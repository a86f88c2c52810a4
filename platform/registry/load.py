"""A model that is ready to recolor, whether it is registered, in a file, or comes with recolor."""

from dataclasses import dataclass, replace
from pathlib import Path

import keras

from recolor.datasets.embeddings.catalog import EMBEDDINGS
from recolor.datasets.embeddings.embedding import EmbeddingError
from recolor.datasets.palettes.library import load_library
from recolor.models.painter import Painter
from recolor.models.pretrained import DEFAULT
from recolor.models.recolorer import Recolorer
from recolor.models.weights import Weights, WeightsError
from recolor.platform.registry.promotion import current_champion
from recolor.platform.registry.registration import CHAMPION_URI, load_model
from recolor.platform.registry.weight_sources import local_weights, no_weights
from recolor.platform.tracking import store


@dataclass(frozen=True)
class UsableModel:
    """What is the same of all models.

    Attributes:
        source: Where it was found, for people to read.
        embedding: The `Manifest.embedding_id` that it was trained with.
        painter: What recolors pictures by it.
    """

    source: str
    embedding: str
    painter: Painter


def load(source: str | None, library: Path | None = None) -> UsableModel:
    """Find and load a model; the store is not touched where none is needed.

    Args:
        source: The URI of a registered model, the path of a file of weights, or the name of a model
            kind, for the weights that come with recolor. None for the champion, or, where there is
            none, for the default of those that come with recolor.
        library: A file of color schemes; by default those that come with recolor.

    Raises:
        RegistryError: If there is no such model.
        WeightsError: If there is no such file, or it can't be used.
        EmbeddingError: If a file's embedding network can't be had.
        PaletteError: If the library can't be read.
    """
    schemes = load_library(library)
    if source is None:
        source = CHAMPION_URI if _there_is_a_champion() else DEFAULT
    weights = local_weights(source)
    if weights is not None:
        return _of_weights(source, weights, schemes)
    if ":/" not in source:
        raise no_weights(source)
    store.connect()
    model = load_model(source)
    painter = replace(model.unwrap_python_model().painter, library=schemes)
    return UsableModel(source, model.metadata.metadata["embedding"], painter)


def _there_is_a_champion() -> bool:
    if not store.store_exists():
        return False
    store.connect()
    return current_champion() is not None


def _of_weights(source: str, weights: Weights, schemes) -> UsableModel:
    if weights.embedding not in EMBEDDINGS:
        raise EmbeddingError(
            f"{source} was trained with an embedding of a file of its own: use the registered model"
        )
    if keras.backend.backend() != "tensorflow":
        raise WeightsError(f"{source} is a file of weights: use it with KERAS_BACKEND=tensorflow")
    embedding = EMBEDDINGS[weights.embedding].network(weights.size)
    recolorer = Recolorer(
        *weights.network(), embedding, weights.size, weights.calibration, weights.coarse_size
    )
    painter = recolorer.painter(weights.temperature, weights.vividness, schemes)
    return UsableModel(source, weights.embedding, painter)
