"""Color classes: the ab plane cut into cells, and the soft encoding of a color over them.

The plane from -128 to 127 is cut into 32x32 cells of 8x8 integer pairs. Only the cells that the
training set populates are classes. Since a and b are integers, there are just 65,536 colors, so
whatever depends on a color alone is a table with a row for each.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

GRID = 32
CELL = 8
NEIGHBORS = 5
SIGMA = 5.0


def cell_of(ab: np.ndarray) -> np.ndarray:
    """Return the grid position of each color: ints ``[..., 2]`` in [-128, 127] to [0, 31]."""
    return (np.asarray(ab, np.int16) + 128) // CELL


def cell_index(ab: np.ndarray) -> np.ndarray:
    """Return each color's cell as one number, 32 * (cell of a) + (cell of b): ``[...]``."""
    cell = cell_of(ab)
    return cell[..., 0] * GRID + cell[..., 1]


def color_index(ab: np.ndarray) -> np.ndarray:
    """Return each integer color's row, 0 to 65,535, in a table over all colors."""
    ab = np.asarray(ab, np.int32) + 128
    return ab[..., 0] * 256 + ab[..., 1]


def cell_centers(cells: np.ndarray) -> np.ndarray:
    """Return the (a, b) centers, ``float32 [Q, 2]``, of cells given as one number each."""
    return np.stack(np.divmod(np.asarray(cells), GRID), axis=-1).astype(np.float32) * CELL - 124.5


def count_cells(ab: np.ndarray) -> np.ndarray:
    """Count the pixels ``int8 [..., 2]`` in each of the 1,024 cells: ``int64 [1024]``."""
    # `cell_index`, in fewer steps: a + 128 and b + 128 as the low and the high byte of a number.
    both = np.ascontiguousarray(ab, np.int8).view("<u2") ^ 0x8080
    cells = ((both & 0xFF) // CELL * GRID) | (both >> 8) // CELL
    return np.bincount(cells.ravel(), minlength=GRID * GRID)


@dataclass(frozen=True)
class ColorClasses:
    """The Q populated cells and how often each occurs.

    Attributes:
        cells: The classes' cells as one number each, ``int [Q]``, ascending.
        frequency: The share f_q of pixels in each class, ``float64 [Q]``, with sum 1.
    """

    cells: np.ndarray
    frequency: np.ndarray

    @classmethod
    def from_counts(cls, counts: np.ndarray) -> "ColorClasses":
        """Make classes of the populated cells.

        Raises:
            ValueError: If ``counts`` is not 1,024 whole numbers of at least 0, or has fewer than
                five populated cells, which the soft encoding needs.
        """
        counts = np.asarray(counts)
        if counts.shape != (GRID * GRID,):
            raise ValueError(f"cell counts must be {GRID * GRID} numbers, not {counts.shape}")
        if counts.dtype.kind not in "iu" or counts.min() < 0:
            raise ValueError("cell counts must be whole numbers of at least 0")
        cells = np.flatnonzero(counts)
        if len(cells) < NEIGHBORS:
            raise ValueError(
                f"the training posters populate {len(cells)} color classes, but soft encoding needs"
                f" at least {NEIGHBORS}: add posters with more color"
            )
        return cls(cells, counts[cells] / counts.sum())

    def __len__(self) -> int:
        return len(self.cells)

    @cached_property
    def centers(self) -> np.ndarray:
        """The classes' (a, b) centers, ``float32 [Q, 2]``."""
        return cell_centers(self.cells)

    @cached_property
    def weights(self) -> np.ndarray:
        """Rebalancing weights w_q of eq. 3, ``float64 [Q]``, scaled so that sum(f_q w_q) = 1."""
        weights = 1 / (self.frequency + 1 / len(self))
        return weights / np.sum(self.frequency * weights)

    @cached_property
    def soft_encoding(self) -> tuple[np.ndarray, np.ndarray]:
        """The paper's `soft_encoding_by`, with sigma = 5."""
        return self.soft_encoding_by(SIGMA)

    def soft_encoding_by(self, sigma: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the five nearest classes of every color and their weights, the nearest first.

        Gaussian weights on the distance in the ab plane, with sum 1. Rows are in the order of
        `color_index`.

        Args:
            sigma: The Gaussian's, in units of the ab plane.

        Returns:
            Class numbers ``int32 [65536, 5]`` and weights ``float32 [65536, 5]``.
        """
        axis = np.arange(-128, 128, dtype=np.float64)
        colors = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
        # A margin of candidates, so that ties at equal distance go to the lower class number and
        # the table does not depend on how the tree was built.
        candidates = min(NEIGHBORS + 8, len(self))
        distance, index = cKDTree(self.centers).query(colors, k=candidates)
        order = np.lexsort((index, np.round(distance, 6)), axis=-1)[:, :NEIGHBORS]
        distance = np.take_along_axis(distance, order, axis=-1)
        index = np.take_along_axis(index, order, axis=-1)
        # Relative to the nearest: far from every class, the plain Gaussians would all be zero.
        weights = np.exp((distance[:, :1] ** 2 - distance**2) / (2 * sigma**2))
        weights /= weights.sum(axis=-1, keepdims=True)
        return index.astype(np.int32), weights.astype(np.float32)

    @cached_property
    def color_weights(self) -> np.ndarray:
        """The weight v of every color, that of its strongest class (eq. 3): ``float32 [65536]``."""
        nearest = self.soft_encoding[0][:, 0]
        return self.weights[nearest].astype(np.float32)
