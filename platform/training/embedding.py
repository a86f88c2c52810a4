"""The embedding network that goes with a trained network."""

import keras

from recolor.datasets.dataset_info import DatasetInfo
from recolor.datasets.embeddings.catalog import embedding_of
from recolor.models.catalog import MODELS


def embedding_network_of(manifest: DatasetInfo, model: str) -> keras.Model | None:
    """Return the network of a data set's embedding; None for a model kind that takes none.

    Args:
        manifest: The data set.
        model: Name of the model kind.

    Raises:
        EmbeddingError: If it can't be had.
    """
    if not MODELS[model].takes_embedding:
        return None
    return embedding_of(manifest).network(manifest.size)
