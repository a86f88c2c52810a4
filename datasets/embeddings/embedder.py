"""Embeddings of many pictures."""

from collections.abc import Callable

import numpy as np

from recolor.datasets.embeddings.embedding import Embedding, EmbeddingError

BATCH = 16
# From L as stored, uint8 [n, size, size, 1] with at most 16 of them, to float32 [n, e].
Embed = Callable[[np.ndarray], np.ndarray]


def embedder(embedding: Embedding, size: int) -> Embed | None:
    """Return what computes embeddings; None where they are zeros.

    Args:
        embedding: Which ones.
        size: Side of the squares in pixels.

    Raises:
        EmbeddingError: If its network can't be had.
    """
    network = embedding.network(size)
    if network is None:
        return None
    if network.output_shape[1:] != (embedding.size,):
        raise EmbeddingError(
            f"embedding {embedding.name} says that it has {embedding.size} numbers, but gives "
            f"{network.output_shape[1:]}"
        )

    def embed(batch: np.ndarray) -> np.ndarray:
        # A batch that is always of one size, since its size may change the last bit of a result.
        padded = np.resize(batch, (BATCH, *batch.shape[1:]))
        return network.predict_on_batch(padded)[: len(batch)]

    return embed
