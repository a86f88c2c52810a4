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

        Args:
            ab: True colors, integers in [-128, 127], ``[batch, S, S, 2]``.
            outputs: Logits ``[batch, S/2, S/2, Q]``.

        Returns:
            ``float32 [batch]``.
        """
        neighbors, soft_weights = self.classes.soft_encoding
        color = self._half_resolution_color(ab)
        cross_entropy = soft_cross_entropy(
            ops.cast(outputs, "float32"),
            ops.take(neighbors, color, axis=0),
            ops.take(soft_weights, color, axis=0),
        )
        rebalancing = ops.take(self.classes.color_weights, color, axis=0)
        return ops.mean(rebalancing * cross_entropy, axis=(1, 2))

    def decode(self, outputs, temperature):
        """Return ab ``float32 [batch, S, S, 2]``: the annealed mean, upsampled bilinearly."""
        ab = annealed_mean(outputs, self.classes.centers, temperature)
        return layers.UpSampling2D(interpolation="bilinear", dtype="float32")(ab)

    @staticmethod
    def _half_resolution_color(ab):
        """The mean color of each 2x2 pixels, rounded, as a row of the tables over all colors."""
        ab = ops.average_pool(ops.cast(ab, "float32"), (2, 2), (2, 2), data_format="channels_last")
        ab = ops.cast(ops.round(ab), "int32") + 128
        return ab[..., 0] * 256 + ab[..., 1]


def soft_cross_entropy(logits, classes, weights):
    """Cross-entropy with a target of a few classes, which is never spread out over all Q.

    Its gradient is written down, since the frameworks would keep several arrays of the logits' size
    to derive it; this takes one.

    Args:
        logits: ``float32 [..., Q]``.
        classes: Numbers of the K classes in the target, all different, ``[..., K]``.
        weights: Their probabilities, which sum to one, ``float32 [..., K]``.

    Returns:
        -sum(weights log softmax(logits)[classes]), ``float32 [...]``.
    """

    @ops.custom_gradient
    def cross_entropy(logits):
        log_total = ops.logsumexp(logits, axis=-1)

        def gradient(*arguments, upstream=None):
            scale = (arguments[-1] if upstream is None else upstream)[..., None]
            # The softmax, less the target where it is not zero.
            slope = scale * ops.exp(logits - log_total[..., None])
            return _put_along_last_axis(
                slope, classes, ops.take_along_axis(slope, classes, axis=-1) - scale * weights
            )

        picked = ops.take_along_axis(logits, classes, axis=-1)
        # The weights sum to one, so -sum(weights log softmax) is this difference.
        return log_total - ops.sum(weights * picked, axis=-1), gradient

    return cross_entropy(logits)


def _put_along_last_axis(array, indices, values):
    """Return the array with other values at some places of its last axis."""
    rows = ops.reshape(array, (-1, array.shape[-1]))
    columns = ops.cast(ops.reshape(indices, (-1, indices.shape[-1])), "int32")
    row = ops.arange(ops.shape(rows)[0], dtype="int32")[:, None] + ops.zeros_like(columns)
    places = ops.reshape(ops.stack([row, columns], axis=-1), (-1, 2))
    rows = ops.scatter_update(rows, places, ops.reshape(values, (-1,)))
    return ops.reshape(rows, ops.shape(array))


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
