"""The classification network: a distribution over color classes at every pixel."""

import keras
import numpy as np
from keras import layers, ops

from recolor.datasets.classes import ColorClasses
from recolor.models.kind import EMBEDDING_SIZE, DistributionKind
from recolor.models.paper_trunk import conv, trunk


class Classification(DistributionKind):
    """Predicts a distribution over Q color classes at half resolution (paper, Fig. 2), by eq. 2.

    Its networks end in features; the logits of Q classes, which would be by far the largest array
    of all, are made of them image by image, where they are needed, and never for a whole batch.

    Args:
        classes: The classes populated in the training set.
    """

    name = "classification"
    batch_size = 20
    epochs = 260

    def __init__(self, classes: ColorClasses, embedding_size: int = EMBEDDING_SIZE):
        super().__init__(classes, embedding_size)
        self.head = ClassHead(len(classes))

    def build(self, size: int) -> keras.Model:
        """Build a network: features ``float32 [batch, S/2, S/2, 128]``, for `loss` and `decode`.

        All networks that are built by the same instance share the last layer.
        """
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
        color = self._half_resolution_color(ab)
        return soft_cross_entropy(
            features,
            *self.head.tensors(),
            ops.take(neighbors, color, axis=0),
            ops.take(soft_weights, color, axis=0),
            ops.take(self.classes.color_weights, color, axis=0),
        )

    def decode(self, outputs, temperature, offsets=0.0, colors=None, chosen=None):
        """Decode by the annealed mean, upsampled bilinearly; see `DistributionKind.decode`."""
        colors = self.classes.centers if colors is None else colors
        ab = ops.map(
            lambda image: annealed_mean(self.logits(image, chosen) + offsets, colors, temperature),
            outputs,
        )
        return _upsampled_twice(ab)

    def plain(self, network, temperature):
        """Return a network with the outputs ``ab`` and, for every class, ``logits``."""
        head = layers.Dense(len(self.classes), dtype="float32", name=ClassHead.NAME)
        mean = layers.Dense(2, use_bias=False, dtype="float32", name="annealed_mean")
        # The head that is put off hands the features through: what goes into it comes out.
        logits = head(network.get_layer(ClassHead.NAME).input)
        annealed = layers.Rescaling(1 / temperature, dtype="float32")(logits)
        ab = mean(layers.Softmax(dtype="float32")(annealed))
        ab = layers.UpSampling2D(interpolation="bilinear", dtype="float32")(ab)
        head.set_weights(self.head.get_weights())
        mean.set_weights([self.classes.centers])
        return keras.Model(network.inputs, {"ab": ab, "logits": logits}, name=self.name)

    def logits(self, outputs, chosen=None):
        """Return the logits ``float32 [..., n]`` of features ``[..., 128]``, of chosen classes."""
        if chosen is None:
            return self.head.logits(outputs)
        return _logits(outputs, *(ops.take(part, chosen, axis=-1) for part in self.head.tensors()))

    def adapted(self, tensors, classes):
        """Let each class begin as the nearest one among the other network's."""
        distance = np.abs(self.classes.centers[:, None] - classes.centers[None]).sum(axis=-1)
        nearest = np.argmin(distance, axis=-1)
        # The classes are the last axis of the head's kernel and bias.
        return {
            path: tensor[..., nearest] if path.startswith(f"{ClassHead.NAME}/") else tensor
            for path, tensor in tensors.items()
        }

    @staticmethod
    def _half_resolution_color(ab):
        """The mean color of each 2x2 pixels, rounded, as a row of the tables over all colors."""
        ab = ops.cast(ab, "float32")
        ab = ops.average_pool(ab, (2, 2), (2, 2), data_format="channels_last")
        ab = ops.cast(ops.round(ab), "int32") + 128
        return ab[..., 0] * 256 + ab[..., 1]


class ClassHead(layers.Dense):
    """The last 1x1 convolution, which is put off: in a network it hands the features through."""

    NAME = "class_head"

    def __init__(self, classes: int):
        super().__init__(classes, dtype="float32", name=self.NAME)

    def call(self, features):
        """Return the features as they are."""
        return features

    def compute_output_shape(self, input_shape):
        """Return the features' shape."""
        return input_shape

    def logits(self, features):
        """Return the logits ``float32 [..., Q]`` of features ``[..., 128]``."""
        return _logits(features, *self.tensors())

    def tensors(self):
        """Return kernel and bias; copies, since TensorFlow's own gradients must see no variable."""
        return ops.copy(self.kernel.value), ops.copy(self.bias.value)


def _upsampled_twice(pictures):
    """Double the sides of pictures ``[batch, h, w, n]``, of any size, bilinearly."""
    for _ in ("rows", "columns"):
        batch, height, width, channels = ops.shape(pictures)
        before = ops.concatenate([pictures[:, :1], pictures[:, :-1]], axis=1)
        after = ops.concatenate([pictures[:, 1:], pictures[:, -1:]], axis=1)
        both = ops.stack([0.75 * pictures + 0.25 * near for near in (before, after)], axis=2)
        pictures = ops.transpose(
            ops.reshape(both, (batch, 2 * height, width, channels)), (0, 2, 1, 3)
        )
    return pictures


def _logits(features, kernel, bias):
    return ops.matmul(ops.cast(features, "float32"), kernel) + bias


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
            logits = _logits(features, kernel, bias)
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
                slope = scale * ops.softmax(_logits(features, kernel, bias), axis=-1)
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
