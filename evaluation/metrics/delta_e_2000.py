"""CIEDE2000, the difference of colors that eyes see."""

import numpy as np

from recolor.evaluation.metrics.metric import LOWER, PosterMean
from recolor.evaluation.metrics.observation import Observation


class DeltaE2000(PosterMean):
    """Mean CIEDE2000 over the poster without padding, and over posters."""

    name = "delta_e_2000"
    label = "CIEDE2000, poster alone"
    direction = LOWER

    def value(self, poster: Observation) -> float:
        """Return the mean over the poster."""
        return float(np.mean(poster.delta_e))
