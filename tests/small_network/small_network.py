"""A network with 450 weights instead of millions, for trainings that are not about what they learn.

Its checkpoints are small, so epochs are short.
"""

import keras
from keras import layers

from recolor.models.paper import Regression, conv


class Small(Regression):
    """Sees five by five pixels, and nothing of the embedding; begins with nearly gray answers."""

    name = "small"

    def build(self, size):
        lightness = keras.Input((size, size, 1), dtype="uint8", name="lightness")
        embedding = keras.Input((self.embedding_size,), name="embedding")
        x = layers.Rescaling(1 / 127.5, offset=-1)(lightness)
        x = conv("color_1", 16)(x)
        ab = conv("color_2", 2, activation=None, dtype="float32")(x)
        return keras.Model([lightness, embedding], ab)
