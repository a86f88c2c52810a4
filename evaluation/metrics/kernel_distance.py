"""How much recolored posters, taken together, look like true ones."""

import numpy as np
from PIL import Image

from recolor.datasets.embeddings import efficientnet_lite0
from recolor.evaluation.metrics.metric import LOWER, Metric
from recolor.evaluation.metrics.observation import Observation

BATCH = 16


class Features:
    """What EfficientNet-Lite0 sees in RGB pictures, 1280 numbers each."""

    def __init__(self):
        self._network = efficientnet_lite0.feature_network()

    def of(self, pictures: list[np.ndarray]) -> np.ndarray:
        """Return the features of pictures of the network's size, ``float32 [n, 1280]``."""
        found = [
            self._network.predict_on_batch(np.stack(pictures[start : start + BATCH]))
            for start in range(0, len(pictures), BATCH)
        ]
        return np.concatenate(found)

    @staticmethod
    def scaled(rgb: np.ndarray) -> np.ndarray:
        """Scale a picture ``uint8 [h, w, 3]`` to the network's size, whatever its shape."""
        side = efficientnet_lite0.INPUT_SIDE
        return np.asarray(Image.fromarray(rgb).resize((side, side), Image.Resampling.BICUBIC))


class KernelDistance(Metric):
    """The kernel distance of Binkowski et al. (*Demystifying MMD GANs*, 2018), times 1000.

    That is the squared maximum mean discrepancy between the features of two sets of pictures, with
    the kernel ``(x . y / n + 1) ** 3``. The features are those of EfficientNet-Lite0 and not those
    of Inception, so the values can't be compared with the "KID" of other work. It is unbiased,
    and so may be a little below zero for sets that are alike.

    It costs time, and needs other true posters to compare with: without them it has no value, and
    validation, which is part of every training, does not measure it.

    Args:
        features: What computes features.
        reference: Those of other true posters, ``float32 [m, 1280]``.
    """

    name = "kernel_distance_lite0"
    label = "kernel distance to true posters, EfficientNet-Lite0, x1000"
    direction = LOWER
    validated = False
    digits = 2

    def __init__(self, features: Features | None = None, reference: np.ndarray | None = None):
        self._features = features
        self._reference = reference
        self._found: list[np.ndarray] = []
        self._waiting: list[np.ndarray] = []

    def update(self, poster: Observation) -> None:
        """Add a poster."""
        if self._reference is not None:
            self._waiting.append(self._features.scaled(poster.predicted.rgb))

    def merge(self, other: "KernelDistance") -> None:
        """Add all posters of another instance."""
        self._found += other._found
        self._waiting += other._waiting
        if len(self._waiting) >= BATCH:
            self._look()

    def result(self) -> float | None:
        """Return the distance; None for less than two posters, or without a reference."""
        if self._waiting:
            self._look()
        if not self._found:
            return None
        return kernel_distance(np.concatenate(self._found), self._reference)

    def _look(self) -> None:
        self._found.append(self._features.of(self._waiting))
        self._waiting = []


def kernel_distance(one: np.ndarray, other: np.ndarray) -> float | None:
    """Return 1000 times the unbiased squared discrepancy of features ``[n, k]`` and ``[m, k]``.

    None if there are less than two of either.
    """
    if min(len(one), len(other)) < 2:
        return None

    def kernel(x, y):
        return (x.astype(np.float64) @ y.T.astype(np.float64) / x.shape[1] + 1) ** 3

    def within(x):
        values = kernel(x, x)
        return (values.sum() - np.trace(values)) / (len(x) * (len(x) - 1))

    return 1000 * float(within(one) + within(other) - 2 * kernel(one, other).mean())
