"""How different suggestions for one poster are."""

import itertools

import numpy as np
from skimage.color import deltaE_ciede2000

from recolor.evaluation.metrics.metric import PosterMean
from recolor.evaluation.metrics.observation import Observation


class Diversity(PosterMean):
    """Mean CIEDE2000 between all pairs of suggestions for a poster, and over posters."""

    name = "diversity"
    label = "CIEDE2000 between suggestions"

    def value(self, poster: Observation) -> float | None:
        """Return the mean over all pairs; None where there is no pair."""
        if len(poster.suggestions) < 2:
            return None
        pairs = itertools.combinations(map(poster.lab, poster.suggestions), 2)
        return float(np.mean([float(np.mean(deltaE_ciede2000(*pair))) for pair in pairs]))
