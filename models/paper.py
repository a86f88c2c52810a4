"""The paper's two networks, and the trunk that they share: encoder, fusion, first decoder steps.

The networks take two inputs, for pictures whose sides are multiples of 8 pixels:

- ``lightness``: L as stored, ``uint8 [batch, h, w, 1]``, brought to [-1, 1] inside;
- ``embedding``: what the gray image shows, ``float32 [batch, n]``; in the paper, the 1000
  numbers of Inception-ResNet-v2's softmax.
"""

import keras
from keras import layers, ops

from recolor.models.class_distribution import ClassDistribution, logits_of
from recolor.models.kind import ModelKind

# (filters, stride) of the encoder's 3x3 convolutions (paper, Fig. 1).
ENCODER = [(64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 1), (256, 1)]


def conv(name: str, filters: int, stride: int = 1, **options) -> layers.Conv2D:
    """A 3x3 convolution with ReLU and "same" padding, as everywhere in the networks."""
    options = {"activation": "relu", "padding": "same", **options}
    return layers.Conv2D(filters, 3, strides=stride, name=name, **options)


def trunk(
    size: int | None, embedding_size: int
) -> tuple[list[keras.KerasTensor], keras.KerasTensor]:
    """Build the part up to the features at half resolution.

    Args:
        size: Side of the squares in pixels, a multiple of 8, or None for pictures of any shape. The
            weights do not depend on it.
        embedding_size: Length of the embedding.

    Returns:
        The two inputs, and features ``[batch, h/2, w/2, 64]``.
    """
    lightness = keras.Input((size, size, 1), dtype="uint8", name="lightness")
    embedding = keras.Input((embedding_size,), name="embedding")

    x = layers.Rescaling(1 / 127.5, offset=-1)(lightness)
    for number, (filters, stride) in enumerate(ENCODER, 1):
        x = conv(f"encoder_{number}", filters, stride)(x)

    # Fusion. The paper replicates the embedding to every position, appends it to the features and
    # convolves 1x1. That is a sum of two linear maps, and the embedding's need be computed only
    # once an image: same weights, same result, a fifth of the arithmetic.
    x = layers.Conv2D(256, 1, name="fusion")(x)
    semantics = layers.Dense(256, use_bias=False, name="fusion_embedding")(embedding)
    x = layers.Add()([layers.Reshape((1, 1, 256))(semantics), x])
    x = layers.ReLU()(x)

    x = conv("decoder_1", 128)(x)
    x = layers.UpSampling2D()(x)
    x = conv("decoder_2", 64)(x)
    x = conv("decoder_3", 64)(x)
    return [lightness, embedding], layers.UpSampling2D()(x)


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
        """Eq. 2 as the mean over pixels, image by image: `ModelKind.loss` says of what shape."""
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
