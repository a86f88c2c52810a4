"""How much of what differs in the source is one color in the answer."""

import numpy as np

from recolor.evaluation.metrics.metric import PosterMean
from recolor.evaluation.metrics.observation import Observation
from recolor.evaluation.metrics.pixel_pairs import PixelPairs

# In ab: what is less apart is one color.
ONE_COLOR = 5.0


class Merged(PosterMean):
    """Percentage of the source's different pairs that come out alike, see `merged`.

    Defined only where a source was recolored.
    """

    name = "merged"
    label = "different pixels of the source that come out alike, %"

    def value(self, poster: Observation) -> float | None:
        """Return the percentage of the poster's pairs."""
        if poster.source is None:
            return None
        return merged(poster.source.pairs, poster.predicted.inside)


def merged(pairs: PixelPairs, ab: np.ndarray) -> float | None:
    """Return which share of the different pairs comes out less than 5 apart in ab.

    Args:
        pairs: The source's.
        ab: The answer, ``[h, w, 2]``.

    Returns:
        In per cent; None if no pixels of the source differ.
    """
    if not pairs.different.any():
        return None
    return float(100 * np.mean(pairs.distances(ab)[pairs.different] < ONE_COLOR))
