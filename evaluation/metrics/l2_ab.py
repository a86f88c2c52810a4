"""L2ab, the error of the paper."""

import numpy as np

from recolor.evaluation.metrics.metric import LOWER, PosterMean
from recolor.evaluation.metrics.observation import Observation


class L2ab(PosterMean):
    """Eq. 1: half the squared error in a and b, as a mean over the square and over posters."""

    name = "l2_ab"
    label = "L2ab (eq. 1), padding included"
    direction = LOWER

    def value(self, poster: Observation) -> float:
        """Return eq. 1: half the sum over both channels is the mean over them."""
        error = poster.true.ab.astype(np.float32) - poster.predicted.ab
        return float(np.mean(np.square(error)))
