"""How many color classes all answers populate together."""

import numpy as np

from recolor.datasets.classes import GRID, count_cells
from recolor.evaluation.metrics.metric import Metric
from recolor.evaluation.metrics.observation import Observation


class NClasses(Metric):
    """Cells of the color grid that occur at least once in all answers together.

    Attributes:
        cell_counts: Predicted pixels in each cell, ``int64 [1024]``.
    """

    name = "n_classes"
    label = "color classes populated"
    digits = 0

    def __init__(self):
        self.cell_counts = np.zeros(GRID * GRID, np.int64)

    def update(self, poster: Observation) -> None:
        """Add a poster."""
        self.cell_counts += count_cells(poster.predicted.ab)

    def merge(self, other: "NClasses") -> None:
        """Add all posters of another instance."""
        self.cell_counts += other.cell_counts

    def result(self) -> int:
        """Count the cells."""
        return int(np.count_nonzero(self.cell_counts))
