"""The interface of an embedding, and the embeddings of many pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from recolor.datasets.errors import RecolorError

if TYPE_CHECKING:
    # Most data sets have no embedding: preparing one needs no Keras then.
    import keras

BATCH = 16
# From L as stored, uint8 [n, size, size, 1] with at most 16 of them, to float32 [n, e].
Embed = Callable[[np.ndarray], np.ndarray]


class EmbeddingError(RecolorError):
    """An embedding can't be had."""


class Embedding(ABC):
    """What turns a gray picture into a vector that says what it shows.

    Attributes:
        name: Its name in `EMBEDDINGS`.
        size: Length of the vector.
        sha256: Hex digest of the file of its weights; None where the name alone says which they
            are.
    """

    name: str
    size: int
    sha256: str | None = None

    @property
    def identity(self) -> dict[str, str | int]:
        """What tells this embedding from all others, on any machine: it is kept in data sets."""
        identity = {"name": self.name, "size": self.size}
        return identity if self.sha256 is None else {**identity, "sha256": self.sha256}

    @abstractmethod
    def network(self, side: int) -> keras.Model | None:
        """Build the network that computes it.

        Its only input is L, so it can't see a color that the answer must not leak from.

        Args:
            side: Side of the squares in pixels.

        Returns:
            A model from L as stored, ``uint8 [batch, side, side, 1]``, to ``float32 [batch,
            size]``. None stands for zeros.

        Raises:
            EmbeddingError: If the weights can't be had.
        """


class NoEmbedding(Embedding):
    """Zeros in the place of the paper's 1000 numbers, so that its networks need not differ."""

    name = "none"
    size = 1000

    def network(self, side: int) -> None:
        return None


NONE = NoEmbedding()


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
