"""Colorfulness, to be read beside the truth's."""

import numpy as np

from recolor.evaluation.metrics.metric import PosterMean
from recolor.evaluation.metrics.observation import Observation


def colorfulness(rgb: np.ndarray) -> float:
    """Colorfulness of an image ``uint8 [..., 3]``, 0 for gray (Hasler and Suesstrunk, 2003)."""
    red, green, blue = np.moveaxis(rgb.astype(np.float64), -1, 0)
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))


class Colorfulness(PosterMean):
    """Colorfulness of the answer without padding, as a mean over posters."""

    name = "colorfulness"
    label = "colorfulness (Hasler and Suesstrunk)"

    def value(self, poster: Observation) -> float:
        """Return the answer's colorfulness."""
        return colorfulness(poster.predicted.rgb)
