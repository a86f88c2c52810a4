"""Distributions over color classes: what the networks that answer with them share."""

from abc import abstractmethod

import keras
import numpy as np
from keras import layers, ops

from recolor.datasets.classes import ColorClasses
from recolor.models.catalog import EMBEDDING_SIZE
from recolor.models.kind import DistributionKind


class ClassDistribution(DistributionKind):
    """A kind whose networks end in features, of which one more layer makes logits.

    The logits of Q classes would be by far the largest array of all. They are made of the features
    where they are needed, image by image.

    Attributes:
        step: Side in pixels of the square that one distribution stands for, a power of two.
        head: The last layer. All networks that are built by the same instance share it.

    Args:
        classes: The classes populated in the training set.
    """

    step: int

    def __init__(self, classes: ColorClasses, embedding_size: int = EMBEDDING_SIZE):
        super().__init__(classes, embedding_size)
        self.head = ClassHead(len(classes))

    @abstractmethod
    def build(self, size: int | None) -> keras.Model:
        """Build a network that ends in `head`: features ``float32 [batch, S/step, S/step, n]``."""

    def decode(self, outputs, temperature, offsets=0.0, colors=None, chosen=None):
        """Decode by the annealed mean, upsampled bilinearly; see `DistributionKind.decode`."""
        colors = self.classes.centers if colors is None else colors
        ab = ops.map(
            lambda image: annealed_mean(self.logits(image, chosen) + offsets, colors, temperature),
            outputs,
        )
        for _ in range(self._doublings):
            ab = upsampled_twice(ab)
        return ab

    def logits(self, outputs, chosen=None):
        """Return the logits ``float32 [..., n]`` of features, of chosen classes."""
        parts = self.head.tensors()
        if chosen is not None:
            parts = [ops.take(part, chosen, axis=-1) for part in parts]
        return logits_of(outputs, *parts)

    def adapted(self, tensors, classes):
        """Let each class begin as the nearest one among the other network's."""
        distance = np.abs(self.classes.centers[:, None] - classes.centers[None]).sum(axis=-1)
        nearest = np.argmin(distance, axis=-1)
        # The classes are the last axis of the head's kernel and bias.
        return {
            path: tensor[..., nearest] if path.startswith(f"{ClassHead.NAME}/") else tensor
            for path, tensor in tensors.items()
        }

    def colors_of_steps(self, ab):
        """Return the mean color of each step, rounded, as rows of the tables over all colors.

        Args:
            ab: True colors, integers in [-128, 127], ``[batch, h, w, 2]``.

        Returns:
            ``int32 [batch, h/step, w/step]``.
        """
        ab = ops.average_pool(
            ops.cast(ab, "float32"), self.step, self.step, data_format="channels_last"
        )
        ab = ops.cast(ops.round(ab), "int32") + 128
        return ab[..., 0] * 256 + ab[..., 1]

    @property
    def _doublings(self) -> int:
        return self.step.bit_length() - 1


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

    def tensors(self):
        """Return kernel and bias; copies, since TensorFlow's own gradients must see no variable."""
        return ops.copy(self.kernel.value), ops.copy(self.bias.value)


def logits_of(features, kernel, bias):
    """Return ``features @ kernel + bias`` in single precision."""
    return ops.matmul(ops.cast(features, "float32"), kernel) + bias


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


def upsampled_twice(pictures):
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
