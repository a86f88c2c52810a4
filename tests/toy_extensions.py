"""A model kind, an embedding, an augmentation and a metric of one's own, for their catalogs."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
from keras import layers, ops

from recolor.datasets.augmentation.catalog import AUGMENTATIONS
from recolor.datasets.embeddings.catalog import EMBEDDINGS
from recolor.datasets.embeddings.embedding import Embedding
from recolor.evaluation.metrics.catalog import METRICS
from recolor.evaluation.metrics.metric import PosterMean
from recolor.models.catalog import MODELS
from recolor.models.kind import ModelKind


class Brightness(Embedding):
    """The mean lightness, and its square."""

    name = "brightness"
    size = 2

    def network(self, side):
        lightness = keras.Input((side, side, 1), dtype="uint8")
        mean = layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 255)(lightness))
        return keras.Model(lightness, layers.Concatenate()([mean, layers.Multiply()([mean, mean])]))


class Tint(ModelKind):
    """One color for the whole poster, from its embedding alone and where it lies in its square.

    It begins with a warm color, learns its bias faster, and does not learn its scale.
    """

    name = "tint"
    epochs = 2
    batch_size = 5

    def build(self, size):
        lightness = keras.Input((size, size, 1), dtype="uint8")
        embedding = keras.Input((self.embedding_size,))
        box = keras.Input((4,))
        color = layers.Dense(2, name="color")(layers.Concatenate()([embedding, box]))
        color = layers.Dense(2, use_bias=False, trainable=False, name="scale")(color)
        flat = layers.Rescaling(0.0)(lightness)
        square = layers.Add(dtype="float32")([flat, layers.Reshape((1, 1, 2))(color)])
        return keras.Model([lightness, embedding, box], square)

    def inputs(self, poster):
        box = poster["box"]
        # Arrays in training, tensors where a picture is recolored.
        share = box.astype(np.float32) if isinstance(box, np.ndarray) else ops.cast(box, "float32")
        return poster["lightness"], poster["embedding"], share / 1000

    def initialize(self, network):
        network.get_layer("color").bias.assign([0.5, 2.0])
        network.get_layer("scale").kernel.assign(10 * np.eye(2))

    def learning_rate_scale(self, path):
        return 10.0 if path == "color/bias" else 1.0

    def loss(self, ab, outputs):
        return ops.mean(ops.square(ops.cast(ab, "float32") - outputs), axis=(1, 2, 3))

    def decode(self, outputs, temperature):
        return outputs


class Warmth(PosterMean):
    """How much yellow there is."""

    name = "warmth"
    label = "mean b"
    direction = "higher"

    def value(self, poster):
        return float(poster.predicted.ab[..., 1].mean())


def upside_down(poster, generator):
    """Turn half of the posters upside down."""
    if generator.uniform() < 0.5:
        return poster
    return {**poster, **{name: poster[name][::-1] for name in ("lightness", "ab")}}


EXTENSIONS = (
    (MODELS, Tint.name, Tint),
    (EMBEDDINGS, Brightness.name, Brightness()),
    (METRICS, Warmth.name, Warmth),
    (AUGMENTATIONS, "upside-down", upside_down),
)


@contextmanager
def registered() -> Iterator[None]:
    """Register all of them for a while."""
    for catalog, name, thing in EXTENSIONS:
        catalog.register(name, thing)
    try:
        yield
    finally:
        for catalog, name, _ in EXTENSIONS:
            catalog.unregister(name)
