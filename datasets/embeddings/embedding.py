"""The interface of an embedding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from recolor.datasets.errors import RecolorError

if TYPE_CHECKING:
    # Most data sets have no embedding: preparing one needs no Keras then.
    import keras


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
