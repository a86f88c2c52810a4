"""Inception-ResNet-v2 as a describer of what a gray image shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recolor.datasets.errors import RecolorError
from recolor.datasets.manifest import Manifest, file_digest

if TYPE_CHECKING:
    # Most data sets have no embedding: preparing one needs no Keras then.
    import keras

INPUT_SIZE = 299


class EmbeddingError(RecolorError):
    """The embedding network can't be had."""


def embedding_identity(source: str) -> dict[str, str]:
    """Describe an embedding source so that a data set can name it.

    Args:
        source: ``imagenet``, ``random``, ``none``, or the path of a weights file.

    Returns:
        ``{"source": ...}``, for a file with its absolute path and its ``sha256``.

    Raises:
        EmbeddingError: If it is a path and there is no such file.
    """
    if source in ("imagenet", "random", "none"):
        return {"source": source}
    path = Path(source)
    if not path.is_file():
        raise EmbeddingError(
            f"embedding {source!r} is neither imagenet, random, none nor a weights file"
        )
    return {"source": str(path.resolve()), "sha256": file_digest(path)}


def embedding_network(source: str, size: int) -> keras.Model | None:
    """Build the network from L to the 1000-way softmax of Inception-ResNet-v2.

    Its only input is L, so it can't see a color that the answer must not leak from.

    Args:
        source: ``imagenet`` (Keras' weights, downloaded once), ``random`` (always the same random
            weights: for tests, and for machines without internet), ``none``, or the path of a
            weights file for Keras' InceptionResNetV2.
        size: Side of the squares in pixels.

    Returns:
        A model from ``uint8 [batch, size, size, 1]`` to ``float32 [batch, 1000]``; None for
        ``none``, which stands for zeros.

    Raises:
        EmbeddingError: If weights can't be downloaded or don't fit.
    """
    if source == "none":
        return None
    import keras
    from keras import layers

    lightness = keras.Input((size, size, 1), dtype="uint8", name="lightness")
    x = layers.Rescaling(1 / 127.5, offset=-1, dtype="float32")(lightness)
    x = layers.Resizing(INPUT_SIZE, INPUT_SIZE, dtype="float32")(x)
    x = layers.Concatenate()([x, x, x])
    return keras.Model(lightness, _inception(source)(x), name="embedding")


def load_embedding(manifest: Manifest) -> keras.Model | None:
    """Build the embedding network that a data set was prepared with.

    Raises:
        EmbeddingError: If it can't be had any more, or a weights file has changed.
    """
    if embedding_identity(manifest.embedding) != manifest.content["settings"]["embedding"]:
        raise EmbeddingError(
            f"{manifest.embedding} has changed since {manifest.folder} was prepared with it: "
            "prepare the data set again"
        )
    return embedding_network(manifest.embedding, manifest.size)


def _inception(source: str) -> keras.Model:
    import keras

    weights = None if source == "random" else source
    try:
        network = keras.applications.InceptionResNetV2(weights=weights)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise EmbeddingError(
            f"embedding {source!r} can't be loaded ({reason}); give the path of a weights file "
            "for InceptionResNetV2, or none"
        ) from None
    if source == "random":
        generator = np.random.default_rng(0)
        for variable in network.trainable_variables:
            if variable.name == "kernel":
                fan_in = np.prod(variable.shape[:-1])
                kernel = generator.standard_normal(variable.shape, np.float32)
                variable.assign(kernel * np.float32(np.sqrt(2 / fan_in)))
    network.trainable = False
    return network
