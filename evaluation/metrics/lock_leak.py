"""How far what is locked has changed."""

import numpy as np
from skimage.color import deltaE_ciede2000

from recolor.evaluation.metrics.metric import PosterMean
from recolor.evaluation.metrics.observation import Observation

# A lock is soft at its edges: what is locked by more than half is to stay.
LOCKED = 0.5
PERCENTILE = 95


class LockLeak(PosterMean):
    """95th percentile of CIEDE2000 from the source inside of locks, see `lock_leak`.

    Defined only where a source was recolored and something in it was locked.
    """

    name = "lock_leak"
    label = "CIEDE2000 inside of locks, 95th percentile"
    digits = 2

    def value(self, poster: Observation) -> float | None:
        """Return the poster's percentile."""
        if poster.source is None or poster.locked is None:
            return None
        return lock_leak(poster.source.colors.lab, poster.predicted.lab, poster.locked)


def lock_leak(source_lab: np.ndarray, answer_lab: np.ndarray, locked: np.ndarray) -> float | None:
    """Return how far most of what is locked has stayed as it was.

    Args:
        source_lab: The (restored) source in CIELAB, ``[h, w, 3]``.
        answer_lab: The answer, likewise.
        locked: How far each pixel is locked, 0 to 1: ``[h, w]``.

    Returns:
        The 95th percentile of CIEDE2000 over the pixels that are locked by more than half; None if
        there are none.
    """
    inside = locked > LOCKED
    if not inside.any():
        return None
    changes = deltaE_ciede2000(source_lab[inside], answer_lab[inside])
    return float(np.percentile(changes, PERCENTILE))
