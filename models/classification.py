"""The classification network: a distribution over color classes at every pixel."""

import keras
from keras import ops

from recolor.models.class_distribution import ClassDistribution, logits_of
from recolor.models.paper_trunk import conv, trunk


class Classification(ClassDistribution):
    """Predicts a distribution over Q color classes at half resolution (paper, Fig. 2), by eq. 2."""

    name = "classification"
    batch_size = 20
    epochs = 260
    step = 2

    def build(self, size: int | None) -> keras.Model:
        """Build a network: features ``float32 [batch, S/2, S/2, 128]``, for `loss` and `decode`."""
        inputs, x = trunk(size, self.embedding_size)
        return keras.Model(inputs, self.head(conv("features", 128)(x)), name=self.name)

    def loss(self, ab, features):
        """Eq. 2 as the mean over pixels, image by image.

        Args:
            ab: True colors, integers in [-128, 127], ``[batch, S, S, 2]``.
            features: The network's outputs.

        Returns:
            ``float32 [batch]``.
        """
        neighbors, soft_weights = self.classes.soft_encoding
        color = self.colors_of_steps(ab)
        return soft_cross_entropy(
            features,
            *self.head.tensors(),
            ops.take(neighbors, color, axis=0),
            ops.take(soft_weights, color, axis=0),
            ops.take(self.classes.color_weights, color, axis=0),
        )


def soft_cross_entropy(features, kernel, bias, classes, weights, pixel_weights):
    """Eq. 2 as the mean over pixels, with a target of a few classes that is never spread over Q.

    The logits are ``features @ kernel + bias``, of one image at a time. Their gradient is written
    down, since the frameworks would keep several arrays of the logits' size, for every image, to
    derive it; instead the logits are computed again.

    Args:
        features: ``[batch, h, w, n]``.
        kernel: ``float32 [n, Q]``.
        bias: ``float32 [Q]``.
        classes: Numbers of the K classes in each pixel's target, all different,
            ``[batch, h, w, K]``.
        weights: Their probabilities, which sum to one, ``float32 [batch, h, w, K]``.
        pixel_weights: v of eq. 2, ``float32 [batch, h, w]``.

    Returns:
        ``float32 [batch]``.
    """

    @ops.custom_gradient
    def loss(features, kernel, bias):
        def image_loss(image):
            features, classes, weights, pixel_weights = image
            logits = logits_of(features, kernel, bias)
            picked = ops.take_along_axis(logits, classes, axis=-1)
            # The weights sum to one, so -sum(weights log softmax) is this difference.
            entropy = ops.logsumexp(logits, axis=-1) - ops.sum(weights * picked, axis=-1)
            return ops.mean(pixel_weights * entropy)

        def gradient(*arguments, upstream=None):
            upstream = arguments[-1] if upstream is None else upstream

            def image_gradient(image):
                features, classes, weights, pixel_weights, upstream = image
                scale = (upstream * pixel_weights / _pixels(pixel_weights))[..., None]
                # The softmax, less the target where it is not zero.
                slope = scale * ops.softmax(logits_of(features, kernel, bias), axis=-1)
                picked = ops.take_along_axis(slope, classes, axis=-1)
                slope = _put_along_last_axis(slope, classes, picked - scale * weights)
                rows = ops.reshape(slope, (-1, slope.shape[-1]))
                columns = ops.transpose(ops.reshape(features, (-1, features.shape[-1])))
                of_features = ops.matmul(slope, ops.transpose(kernel))
                return of_features, ops.matmul(columns, rows), ops.sum(rows, axis=0)

            images = (features, classes, weights, pixel_weights, upstream)
            of_features, of_kernel, of_bias = ops.map(image_gradient, images)
            return of_features, ops.sum(of_kernel, axis=0), ops.sum(of_bias, axis=0)

        return ops.map(image_loss, (features, classes, weights, pixel_weights)), gradient

    return loss(ops.cast(features, "float32"), kernel, bias)


def _pixels(image) -> int:
    height, width = image.shape
    return height * width


def _put_along_last_axis(array, indices, values):
    """Return the array with other values at some places of its last axis."""
    rows = ops.reshape(array, (-1, array.shape[-1]))
    columns = ops.cast(ops.reshape(indices, (-1, indices.shape[-1])), "int32")
    row = ops.arange(ops.shape(rows)[0], dtype="int32")[:, None] + ops.zeros_like(columns)
    places = ops.reshape(ops.stack([row, columns], axis=-1), (-1, 2))
    rows = ops.scatter_update(rows, places, ops.reshape(values, (-1,)))
    return ops.reshape(rows, ops.shape(array))
