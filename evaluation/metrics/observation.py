"""A poster and an answer to it, in all the forms that metrics look at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial.distance import pdist
from skimage.color import deltaE_ciede2000

from recolor.datasets.classes import cell_of
from recolor.datasets.color import L_SCALE, lab8_to_rgb, round_ab
from recolor.datasets.errors import RecolorError
from recolor.datasets.palettes.palette import Palette
from recolor.datasets.posters import Box

# Pixels are paired on a grid of at most this many rows and columns.
GRID = 32
# Alike are colors of a smaller dE (1976), if they are within this share of the height.
ALIKE, NEAR = 4.0, 0.2
# Different are colors further apart in ab, wherever they are.
DIFFERENT = 25.0


class MeasurementError(RecolorError):
    """An answer can't be measured."""


class Colors:
    """The colors of a poster: the true ones, those that a model was given, or its answer.

    Args:
        lightness: Stored L, ``uint8 [S, S]``.
        ab: ``int8 [S, S, 2]``.
        box: Where the poster lies in the square.
        name: What they are called where they are shown.

    Attributes:
        ab, box, name: As above.
        square: Stored L of all of the square.
        lightness: Stored L of the poster alone, ``uint8 [h, w]``.
        cell: The cell of the color grid of each of the square's pixels, ``int16 [S, S, 2]``.
        inside: ab of the poster alone, ``int8 [h, w, 2]``.
        rgb: The poster alone, ``uint8 [h, w, 3]``.
        lab: The poster alone, unscaled, ``float32 [h, w, 3]``.
    """

    def __init__(self, lightness: np.ndarray, ab: np.ndarray, box: Box, name: str = ""):
        self.ab, self.box, self.name = ab, box, name
        self.square = lightness
        self.lightness = lightness[box.slices]
        self.cell = cell_of(ab)
        self.inside = ab[box.slices]
        self.rgb = lab8_to_rgb(self.lightness, self.inside)
        self.lab = self.with_ab(self.inside)

    @classmethod
    def of(cls, poster: Mapping[str, np.ndarray]) -> "Colors":
        """Return the true colors of a poster, as of `recolor.datasets.shards.parse`."""
        return cls(poster["lightness"][..., 0], poster["ab"], Box.of(poster), "true")

    @cached_property
    def pairs(self) -> "PixelPairs":
        """Which of the poster's pixels belong together."""
        return PixelPairs(self.lab)

    def with_ab(self, inside: np.ndarray) -> np.ndarray:
        """Return the poster with another ab, ``[h, w, 2]``, as CIELAB ``float32 [h, w, 3]``."""
        stored = self.lightness[..., None].astype(np.float32) / np.float32(L_SCALE)
        return np.concatenate([stored, inside.astype(np.float32)], axis=-1)


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


@dataclass(frozen=True)
class Answer:
    """The colors that are measured of a poster, and what is needed to measure them.

    Attributes:
        ab: ``[S, S, 2]`` of any real type, rounded to integers in [-128, 127] to be measured.
        asked: The palette that the answer was to have, if any.
        suggestions: All answers that this one was chosen from, like ``ab``.
        lightness: Stored L, ``uint8 [S, S]``; None for the poster's own.
        given: The colored poster that was restored; None where it answers to something else.
        source: The colored poster that was recolored; None where it answers to something else.
        locked: How far each pixel of the poster alone was to keep the source's color, 0 to 1,
            ``[h, w]``; None for not at all.
    """

    ab: np.ndarray
    asked: Palette | None = None
    suggestions: Sequence[np.ndarray] = ()
    lightness: np.ndarray | None = None
    given: Colors | None = None
    source: Colors | None = None
    locked: np.ndarray | None = None


# From a poster, as of `recolor.datasets.shards.parse`, to an answer.
Predictor = Callable[[Mapping[str, np.ndarray]], Answer]


class Observation:
    """A poster and an answer to it, as metrics look at them.

    What several metrics need is computed here, once. All metrics see the same rounded colors, as
    the data are rounded.

    Args:
        true: The poster's colors.
        answer: The answer.

    Attributes:
        true, predicted: The colors of both.
        box: Where the poster lies in the square.
        cells_off: How many cells of the color grid the answer is away from the truth, the larger
            of the distances in a and b: ``int16 [S, S]``.
        delta_e: CIEDE2000 at each pixel of the poster alone, ``float32 [h, w]``.
        asked, given, source, locked: As of `Answer`.
        suggestions: Rounded, and of the poster alone: ``int8 [h, w, 2]`` each.

    Raises:
        MeasurementError: If a predicted color is not a finite number.
    """

    def __init__(self, true: Colors, answer: Answer):
        for ab in (answer.ab, *answer.suggestions):
            if not np.isfinite(ab).all():
                raise MeasurementError("the predicted colors are not finite numbers everywhere")
        self.true, self.box = true, true.box
        lightness = true.square if answer.lightness is None else answer.lightness
        self.predicted = Colors(lightness, round_ab(answer.ab), true.box)
        self.cells_off = np.abs(true.cell - self.predicted.cell).max(axis=-1)
        self.delta_e = deltaE_ciede2000(true.lab, self.predicted.lab)
        self.asked, self.locked = answer.asked, answer.locked
        self.given, self.source = answer.given, answer.source
        self.suggestions = [round_ab(ab[true.box.slices]) for ab in answer.suggestions]
