"""A poster and an answer to it, in all the forms that metrics look at."""

from collections.abc import Sequence

import numpy as np
from skimage.color import deltaE_ciede2000

from recolor.datasets.classes import cell_of
from recolor.datasets.color import L_SCALE, lab8_to_rgb, round_ab
from recolor.datasets.errors import RecolorError
from recolor.datasets.palettes.palette import Palette
from recolor.datasets.posters import Box
from recolor.evaluation.metrics.pixel_pairs import PixelPairs


class MeasurementError(RecolorError):
    """An answer can't be measured."""


class Colors:
    """The colors of a poster, true or predicted, and their conversions, each computed once.

    Args:
        lightness: Stored L, ``uint8 [S, S]``.
        ab: ``int8 [S, S, 2]``.
        box: Where the poster lies in the square.

    Attributes:
        ab: All of the square.
        lightness: Stored L of the poster alone, ``uint8 [h, w]``.
        cell: The cell of the color grid of each of its pixels, ``int16 [S, S, 2]``.
        inside: ab of the poster alone, ``int8 [h, w, 2]``.
        rgb: The poster alone, ``uint8 [h, w, 3]``.
        lab: The poster alone, unscaled, ``float32 [h, w, 3]``.
    """

    def __init__(self, lightness: np.ndarray, ab: np.ndarray, box: Box):
        self.ab = ab
        self.lightness = lightness[box.slices]
        self.cell = cell_of(ab)
        self.inside = ab[box.slices]
        self.rgb = lab8_to_rgb(self.lightness, self.inside)
        self.lab = _lab(self.lightness, self.inside)


class Truth:
    """A poster as it is. All answers to it are compared with the same one.

    Args:
        lightness: Stored L, ``uint8 [S, S]``.
        ab: ``int8 [S, S, 2]``.
        box: Where the poster lies in the square.

    Attributes:
        box: As above.
        lightness: Stored L of the poster alone, ``uint8 [h, w]``.
        colors: Its colors.
    """

    def __init__(self, lightness: np.ndarray, ab: np.ndarray, box: Box):
        self.box = box
        self.square_lightness = lightness
        self.lightness = lightness[box.slices]
        self.colors = Colors(lightness, ab, box)


class Given:
    """A colored poster that was given to be restored, as all answers to it share it.

    Args:
        truth: The poster as it is.
        lightness: Stored L of what was given, ``uint8 [S, S]``.
        ab: Its colors, ``int8 [S, S, 2]``.
        age: What was done to it, in a word.

    Attributes:
        colors: Its `Colors`.
        delta_e: Its mean CIEDE2000 from the truth, over the poster alone.
        age: As above.
    """

    def __init__(self, truth: Truth, lightness: np.ndarray, ab: np.ndarray, age: str):
        self.colors = Colors(lightness, ab, truth.box)
        self.delta_e = float(np.mean(deltaE_ciede2000(truth.colors.lab, self.colors.lab)))
        self.age = age


class Source:
    """A colored poster that was given to be recolored, as all answers to it share it.

    Args:
        lightness: Stored L of what was given, ``uint8 [S, S]``.
        ab: Its colors, ``int8 [S, S, 2]``.
        box: Where the poster lies in the square.

    Attributes:
        colors: Its `Colors`.
        pairs: Which of its pixels belong together.
    """

    def __init__(self, lightness: np.ndarray, ab: np.ndarray, box: Box):
        self.colors = Colors(lightness, ab, box)
        self.pairs = PixelPairs(self.colors.lab)


class Observation:
    """A poster and an answer to it.

    What several metrics need is computed here, once. All metrics see the same rounded colors, as
    the data are rounded.

    Args:
        truth: The poster.
        predicted_ab: The answer, ``[S, S, 2]`` of any real type; it is rounded to integers in
            [-128, 127].
        asked: The palette that the answer was to have, if any.
        suggestions: All answers that this one was chosen from, like ``predicted_ab``.
        lightness: Stored L of the answer, ``uint8 [S, S]``; None where it is the poster's.
        given: The colored poster that was restored; None where the answer is to something else.
        source: The colored poster that was recolored; None where the answer is to something else.
        locked: How far each pixel of the poster alone was to keep the source's color, 0 to 1,
            ``[h, w]``; None for not at all.

    Attributes:
        true, predicted: The `Colors` of both.
        box: Where the poster lies in the square.
        lightness: Stored L of the true poster alone, ``uint8 [h, w]``.
        cells_off: How many cells of the color grid the answer is away from the truth, the larger
            of the distances in a and b: ``int16 [S, S]``.
        delta_e: CIEDE2000 at each pixel of the poster alone, ``float32 [h, w]``.
        asked, given, source, locked: As above.
        suggestions: Rounded, and of the poster alone: ``int8 [h, w, 2]`` each.

    Raises:
        MeasurementError: If a predicted color is not a finite number.
    """

    def __init__(
        self,
        truth: Truth,
        predicted_ab: np.ndarray,
        asked: Palette | None = None,
        suggestions: Sequence[np.ndarray] = (),
        lightness: np.ndarray | None = None,
        given: Given | None = None,
        source: Source | None = None,
        locked: np.ndarray | None = None,
    ):
        for ab in (predicted_ab, *suggestions):
            if not np.isfinite(ab).all():
                raise MeasurementError("the predicted colors are not finite numbers everywhere")
        self.box = truth.box
        self.lightness = truth.lightness
        self.true = truth.colors
        if lightness is None:
            lightness = truth.square_lightness
        self.predicted = Colors(lightness, round_ab(predicted_ab), truth.box)
        self.cells_off = np.abs(self.true.cell - self.predicted.cell).max(axis=-1)
        self.delta_e = deltaE_ciede2000(self.true.lab, self.predicted.lab)
        self.asked = asked
        self.given = given
        self.source = source
        self.locked = locked
        self.suggestions = [round_ab(ab[truth.box.slices]) for ab in suggestions]

    def lab(self, inside_ab: np.ndarray) -> np.ndarray:
        """Put the poster's lightness to colors ``[h, w, 2]``: CIELAB ``float32 [h, w, 3]``."""
        return _lab(self.lightness, inside_ab)


def _lab(lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
    stored = lightness[..., None].astype(np.float32) / np.float32(L_SCALE)
    return np.concatenate([stored, ab.astype(np.float32)], axis=-1)
