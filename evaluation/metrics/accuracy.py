"""The share of pixels whose cell of the color grid is right, or almost: a family of nine metrics.

Three masks say which pixels count, and three distances how far off is near enough.
"""

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from recolor.datasets.classes import CELL
from recolor.evaluation.metrics.metric import HIGHER, Metric
from recolor.evaluation.metrics.observation import Observation

NEUTRAL_CELL = 128 // CELL


class Accuracy(Metric):
    """Percentage of all pixels under a mask whose cell is at most `distance` cells off.

    Attributes:
        distance: How many cells off is near enough.
        mask: The mask's name.
        words: What the mask is, for the label.
    """

    direction = HIGHER
    distance: ClassVar[int]
    mask: ClassVar[str]
    words: ClassVar[str]

    def __init__(self):
        self.hits = 0
        self.pixels = 0

    @staticmethod
    @abstractmethod
    def cells_off(poster: Observation) -> np.ndarray:
        """Return how many cells off the answer is at each pixel under the mask."""

    def update(self, poster: Observation) -> None:
        """Add a poster."""
        off = self.cells_off(poster)
        self.hits += int(np.count_nonzero(off <= self.distance))
        self.pixels += off.size

    def merge(self, other: "Accuracy") -> None:
        """Add all posters of another instance."""
        self.hits += other.hits
        self.pixels += other.pixels

    def result(self) -> float | None:
        """Return the percentage; None without any pixel under the mask."""
        return 100 * self.hits / self.pixels if self.pixels else None


class _Padded(Accuracy):
    mask, words = "padded", "with white padding"

    @staticmethod
    def cells_off(poster: Observation) -> np.ndarray:
        return poster.cells_off


class _Poster(Accuracy):
    mask, words = "poster", "poster alone"

    @staticmethod
    def cells_off(poster: Observation) -> np.ndarray:
        return poster.cells_off[poster.box.slices]


class _Chromatic(Accuracy):
    mask, words = "chromatic", "chromatic pixels"

    @staticmethod
    def cells_off(poster: Observation) -> np.ndarray:
        inside = poster.box.slices
        chromatic = (poster.true.cell[inside] != NEUTRAL_CELL).any(axis=-1)
        return poster.cells_off[inside][chromatic]


def _family(masked: type[Accuracy]) -> list[type[Accuracy]]:
    """Return a mask's metrics for the distances 0, 1 and 2."""
    return [
        type(
            f"{masked.__name__[1:]}{distance}",
            (masked,),
            {
                "name": f"accuracy_{distance}_{masked.mask}",
                "label": f"{distance}-class accuracy, {masked.words}, %",
                "distance": distance,
            },
        )
        for distance in (0, 1, 2)
    ]


Padded0, Padded1, Padded2 = _family(_Padded)
Poster0, Poster1, Poster2 = _family(_Poster)
Chromatic0, Chromatic1, Chromatic2 = _family(_Chromatic)
