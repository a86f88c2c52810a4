"""The classification network: a distribution over color classes at every pixel."""

import keras
from keras import layers, ops

from recolor.datasets.classes import ColorClasses
from recolor.models.layers import conv, trunk


class Classification:
    """Predicts the logits of Q color classes at half resolution (paper, Fig. 2); trained on eq. 2.

    Args:
        classes: The classes populated in the training set.
    """

    name = "classification"
    batch_size = 20
    epochs = 260

    def __init__(self, classes: ColorClasses):
        self.classes = classes

    def network(self, size: int) -> keras.Model:
        """Build the network: logits ``float32 [batch, S/2, S/2, Q]``."""
        inputs, x = trunk(size)
        x = conv(128)(x)
        x = layers.Conv2D(len(self.classes), 1, dtype="float32")(x)
        return keras.Model(inputs, x, name=self.name)

    def loss(self, ab, outputs):
        """Eq. 2 as the mean over pixels, image by image.

        The target has five classes a pixel, so only their logits are gathered: a dense target of Q
        numbers a pixel is never built.

        Args:
            ab: True colors, integers in [-128, 127], ``[batch, S, S, 2]``.
            outputs: Logits ``[batch, S/2, S/2, Q]``.

        Returns:
            ``float32 [batch]``.
        """
        neighbors, soft_weights = self.classes.soft_encoding
        color = self._half_resolution_color(ab)
        logits = ops.cast(outputs, "float32")
        picked = ops.take_along_axis(logits, ops.take(neighbors, color, axis=0), axis=-1)
        expected = ops.sum(ops.take(soft_weights, color, axis=0) * picked, axis=-1)
        # The soft weights sum to one, so -sum(Z log softmax) is this difference.
        cross_entropy = ops.logsumexp(logits, axis=-1) - expected
        rebalancing = ops.take(self.classes.color_weights, color, axis=0)
        return ops.mean(rebalancing * cross_entropy, axis=(1, 2))

    def decode(self, outputs, temperature):
        """Return ab ``float32 [batch, S, S, 2]``: the annealed mean, upsampled bilinearly."""
        ab = annealed_mean(outputs, self.classes.centers, temperature)
        return layers.UpSampling2D(interpolation="bilinear", dtype="float32")(ab)

    @staticmethod
    def _half_resolution_color(ab):
        """The mean color of each 2x2 pixels, rounded, as a row of the tables over all colors."""
        ab = ops.average_pool(ops.cast(ab, "float32"), 2, data_format="channels_last")
        ab = ops.cast(ops.round(ab), "int32") + 128
        return ab[..., 0] * 256 + ab[..., 1]


def annealed_mean(logits, centers, temperature):
    """Decode class logits to colors (eq. 4): the mean of the centers under softmax(logits / T).

    Args:
        logits: ``[..., Q]``.
        centers: (a, b) of each class, ``[Q, 2]``.
        temperature: T > 0. Towards 0 the most likely class wins; 1 is the plain mean.

    Returns:
        ab ``float32 [..., 2]``.
    """
    logits = ops.cast(logits, "float32")
    # The difference first: at a low temperature the quotient alone may be too large a number.
    logits = logits - ops.max(logits, axis=-1, keepdims=True)
    probabilities = ops.softmax(logits / temperature, axis=-1)
    return ops.matmul(probabilities, ops.convert_to_tensor(centers, "float32"))
