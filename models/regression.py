"""The regression network: ab directly, trained on their squared error."""

import keras
from keras import layers, ops

from recolor.models.kind import ModelKind
from recolor.models.paper_trunk import conv, trunk


class Regression(ModelKind):
    """Predicts ab at every pixel (paper, Fig. 1); trained on eq. 1.

    It answers with one color a pixel: there is no distribution that a palette could constrain.
    """

    name = "regression"
    batch_size = 50
    epochs = 180

    def build(self, size: int | None) -> keras.Model:
        """Build the network, 6,573,794 parameters: ab in [-128, 128], ``[batch, S, S, 2]``."""
        inputs, x = trunk(size, self.embedding_size)
        x = conv("color_1", 32)(x)
        x = conv("color_2", 2, activation="tanh", dtype="float32")(x)
        x = layers.Rescaling(128.0, dtype="float32")(x)
        x = layers.UpSampling2D(interpolation="bilinear", dtype="float32")(x)
        return keras.Model(inputs, x, name=self.name)

    def loss(self, ab, outputs):
        """Eq. 1, image by image: true ab ``[batch, S, S, 2]`` and outputs to ``[batch]``."""
        error = ops.cast(ab, "float32") - ops.cast(outputs, "float32")
        # Half the sum over both channels is their mean.
        return ops.mean(ops.square(error), axis=(1, 2, 3))

    def decode(self, outputs, temperature):
        """Return ab ``float32 [batch, S, S, 2]``; the temperature has no say here."""
        return ops.cast(outputs, "float32")
