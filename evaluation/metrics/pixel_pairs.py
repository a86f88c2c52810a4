"""Pairs of a source's pixels: which belong together, and which are to be told apart."""

import numpy as np
from scipy.spatial.distance import pdist

# Pixels are paired on a grid of at most this many rows and columns.
GRID = 32
# Alike are colors of a smaller dE (1976), if they are within this share of the height.
ALIKE, NEAR = 4.0, 0.2
# Different are colors further apart in ab, wherever they are.
DIFFERENT = 25.0


class PixelPairs:
    """All pairs of a source's pixels on a grid: the same ones for all answers to it.

    The grid has 32 rows or columns along the longer side and as many fewer along the other one as
    that is shorter, evenly spaced from edge to edge. Of a smaller picture, all pixels are on it.

    Args:
        lab: The source in CIELAB, ``float32 [h, w, 3]``.

    Attributes:
        alike: Whether a pair is less than 4 apart in CIELAB (dE 1976), and at most a fifth of the
            source's height in the picture: ``bool [pairs]``.
        different: Whether a pair is more than 25 apart in ab: ``bool [pairs]``.
    """

    def __init__(self, lab: np.ndarray):
        height, width = lab.shape[:2]
        scale = min(1.0, GRID / max(height, width))
        self._grid = np.ix_(
            *[
                np.rint(np.linspace(0, side - 1, max(1, round(side * scale)))).astype(int)
                for side in (height, width)
            ]
        )
        rows, columns = self._grid
        places = np.stack(np.broadcast_arrays(rows, columns), axis=-1).reshape(-1, 2)
        self.alike = pdist(lab[self._grid].reshape(-1, 3)) < ALIKE
        self.alike &= pdist(places) <= NEAR * height
        self.different = self.distances(lab[..., 1:]) > DIFFERENT

    def distances(self, ab: np.ndarray) -> np.ndarray:
        """Return how far apart in ab each pair is in a picture ``[h, w, 2]``: ``[pairs]``."""
        return pdist(ab[self._grid].reshape(-1, 2))
