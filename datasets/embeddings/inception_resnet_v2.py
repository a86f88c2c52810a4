"""Inception-ResNet-v2, the paper's embedding: its distribution over ImageNet's 1000 classes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recolor.datasets.checksums import file_digest
from recolor.datasets.embeddings.embedding import Embedding, EmbeddingError

if TYPE_CHECKING:
    import keras

INPUT_SIDE = 299


class InceptionResNetV2(Embedding):
    """The network under one set of weights.

    Args:
        name: The embedding's name.
        weights: ``imagenet`` (Keras' own, downloaded once), the path of a file, or None for random
            ones, always the same: for tests, and for machines without internet.
        sha256: Digest of the file.
    """

    size = 1000

    def __init__(self, name: str, weights: str | Path | None, sha256: str | None = None):
        self.name = name
        self.weights = weights
        self.sha256 = sha256

    @classmethod
    def of_file(cls, path: Path) -> InceptionResNetV2:
        """Take the weights from a file for Keras' InceptionResNetV2, wherever it may lie.

        Raises:
            OSError: If it can't be read.
        """
        return cls("inception-resnet-v2", path, file_digest(path))

    def network(self, side: int) -> keras.Model:
        """See `Embedding.network`."""
        import keras
        from keras import layers

        lightness = keras.Input((side, side, 1), dtype="uint8", name="lightness")
        x = layers.Rescaling(1 / 127.5, offset=-1, dtype="float32")(lightness)
        x = layers.Resizing(INPUT_SIDE, INPUT_SIDE, dtype="float32")(x)
        x = layers.Concatenate()([x, x, x])
        return keras.Model(lightness, self._inception()(x), name="embedding")

    def _inception(self) -> keras.Model:
        import keras

        try:
            network = keras.applications.InceptionResNetV2(weights=self.weights)
        except Exception as error:
            # Keras' download and its readers of files raise many kinds.
            reason = " ".join(str(error).split())[:200]
            raise EmbeddingError(
                f"embedding {self.weights} can't be loaded ({reason}); give the path of a weights "
                "file for InceptionResNetV2, or none"
            ) from None
        if self.weights is None:
            _randomize(network)
        network.trainable = False
        return network


def _randomize(network: keras.Model) -> None:
    generator = np.random.default_rng(0)
    for variable in network.trainable_variables:
        if variable.name == "kernel":
            fan_in = np.prod(variable.shape[:-1])
            kernel = generator.standard_normal(variable.shape, np.float32)
            variable.assign(kernel * np.float32(np.sqrt(2 / fan_in)))


IMAGENET = InceptionResNetV2("imagenet", "imagenet")
RANDOM = InceptionResNetV2("random", None)
