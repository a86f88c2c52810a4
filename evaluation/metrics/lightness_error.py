"""The error of lightness."""

import numpy as np

from recolor.evaluation.metrics.metric import PosterMean
from recolor.evaluation.metrics.observation import Observation


class LightnessError(PosterMean):
    """Mean absolute error of L, 0 to 100, over the poster without padding, and over posters.

    Defined only where a colored poster was given, since other answers have the true L.
    """

    name = "lightness_error"
    label = "error of L, poster alone"

    def value(self, poster: Observation) -> float | None:
        """Return the mean over the poster."""
        if poster.given is None:
            return None
        return float(np.mean(np.abs(poster.true.lab[..., 0] - poster.predicted.lab[..., 0])))
