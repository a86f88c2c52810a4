"""Whether what is alike in the source is alike in the answer."""

import numpy as np

from recolor.evaluation.metrics.metric import PosterMean
from recolor.evaluation.metrics.observation import Observation
from recolor.evaluation.metrics.pixel_pairs import PixelPairs


class Evenness(PosterMean):
    """How far apart in ab pixels come out that are alike and near in the source; 0 is even.

    See `evenness`. Defined only where a source was recolored.
    """

    name = "evenness"
    label = "distance of the source's alike pixels, in ab"

    def value(self, poster: Observation) -> float | None:
        """Return the mean over the poster's pairs."""
        if poster.source is None:
            return None
        return evenness(poster.source.pairs, poster.predicted.inside)


def evenness(pairs: PixelPairs, ab: np.ndarray) -> float | None:
    """Return the mean distance in ab at which alike pixels come out.

    Args:
        pairs: The source's.
        ab: The answer, ``[h, w, 2]``.

    Returns:
        The mean over all alike pairs; None if there are none.
    """
    if not pairs.alike.any():
        return None
    return float(pairs.distances(ab)[pairs.alike].mean())
