"""Which colors answers use: how many, how vivid, and how near to what was asked for."""

import itertools

import numpy as np
from skimage.color import deltaE_ciede2000

from recolor.datasets.classes import GRID, count_cells
from recolor.datasets.palettes.palette import Palette
from recolor.evaluation.metrics.metric import Metric, PosterMean
from recolor.evaluation.metrics.observation import Observation


class NClasses(Metric):
    """Cells of the color grid that occur at least once in all answers together.

    Attributes:
        cell_counts: Predicted pixels in each cell, ``int64 [1024]``.
    """

    name = "n_classes"
    label = "color classes populated"
    digits = 0

    def __init__(self):
        self.cell_counts = np.zeros(GRID * GRID, np.int64)

    def update(self, poster: Observation) -> None:
        """Add a poster."""
        self.cell_counts += count_cells(poster.predicted.ab)

    def merge(self, other: "NClasses") -> None:
        """Add all posters of another instance."""
        self.cell_counts += other.cell_counts

    def result(self) -> int:
        """Count the cells."""
        return int(np.count_nonzero(self.cell_counts))


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


class PaletteDistance(PosterMean):
    """Distance of the palette that was obtained from the one that was asked for, in ab."""

    name = "palette_distance"
    label = "distance from the palette asked for, in ab"

    def value(self, poster: Observation) -> float | None:
        """Return the distance, see `Palette.distance`; None where no palette was asked for."""
        if poster.asked is None:
            return None
        obtained = Palette.of_pixels(
            poster.predicted.lightness, poster.predicted.inside, "obtained"
        )
        return poster.asked.distance(obtained)


class Diversity(PosterMean):
    """Mean CIEDE2000 between all pairs of suggestions for a poster, and over posters."""

    name = "diversity"
    label = "CIEDE2000 between suggestions"

    def value(self, poster: Observation) -> float | None:
        """Return the mean over all pairs; None where there is no pair."""
        if len(poster.suggestions) < 2:
            return None
        pairs = itertools.combinations(map(poster.true.with_ab, poster.suggestions), 2)
        return float(np.mean([float(np.mean(deltaE_ciede2000(*pair))) for pair in pairs]))
