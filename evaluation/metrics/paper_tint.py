"""How colored paper becomes."""

import numpy as np

from recolor.evaluation.metrics.metric import PosterMean
from recolor.evaluation.metrics.observation import Observation

# Paper, and white letters, are lighter than this and have less chroma.
PAPER_LIGHTNESS, PAPER_CHROMA = 85.0, 5.0
# Less of a poster, as a share, is not judged.
LEAST_PAPER = 0.005


class PaperTint(PosterMean):
    """Mean chroma in the answer of what is paper in the source, see `paper_tint`.

    Defined only where a source was recolored.
    """

    name = "paper_tint"
    label = "chroma of the source's paper"

    def value(self, poster: Observation) -> float | None:
        """Return the mean over the poster's paper."""
        if poster.source is None:
            return None
        return paper_tint(poster.source.colors.lab, poster.predicted.inside)


def paper_tint(source_lab: np.ndarray, ab: np.ndarray) -> float | None:
    """Return the mean chroma of paper: pixels with L > 85 and a chroma < 5 in the source.

    Args:
        source_lab: The source in CIELAB, ``[h, w, 3]``.
        ab: The answer, ``[h, w, 2]``.

    Returns:
        The mean over these pixels; None if they are less than 0.5 % of all.
    """
    paper = source_lab[..., 0] > PAPER_LIGHTNESS
    paper &= np.hypot(source_lab[..., 1], source_lab[..., 2]) < PAPER_CHROMA
    if paper.mean() < LEAST_PAPER:
        return None
    return float(np.hypot(*ab[paper].T.astype(np.float64)).mean())
