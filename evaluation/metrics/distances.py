"""How far answers are from the truth."""

from typing import ClassVar

import numpy as np
from skimage.color import deltaE_ciede2000
from skimage.metrics import structural_similarity

from recolor.datasets.classes import CELL
from recolor.evaluation.metrics.metric import HIGHER, LOWER, Metric, PosterMean
from recolor.evaluation.metrics.observation import Observation

NEUTRAL_CELL = 128 // CELL
# Of SSIM.
WINDOW = 7
# In CIEDE2000. A smaller difference is hardly seen.
NOTABLE = 1.0


class L2ab(PosterMean):
    """Eq. 1: half the squared error in a and b, as a mean over the square and over posters."""

    name = "l2_ab"
    label = "L2ab (eq. 1), padding included"
    direction = LOWER

    def value(self, poster: Observation) -> float:
        """Return eq. 1: half the sum over both channels is the mean over them."""
        return _squared_error(poster.true.ab, poster.predicted.ab)


class Accuracy(Metric):
    """Percentage of all pixels under a mask whose cell is at most `distance` cells off.

    Attributes:
        distance: How many cells off is near enough.
        mask: Which pixels count: ``padded`` (all), ``poster`` or ``chromatic``.
    """

    direction = HIGHER
    distance: ClassVar[int]
    mask: ClassVar[str]

    def __init__(self):
        self.hits = 0
        self.pixels = 0

    def update(self, poster: Observation) -> None:
        """Add a poster."""
        off = poster.cells_off
        if self.mask != "padded":
            off = off[poster.box.slices]
        if self.mask == "chromatic":
            off = off[(poster.true.cell[poster.box.slices] != NEUTRAL_CELL).any(axis=-1)]
        self.hits += int(np.count_nonzero(off <= self.distance))
        self.pixels += off.size

    def merge(self, other: "Accuracy") -> None:
        """Add all posters of another instance."""
        self.hits += other.hits
        self.pixels += other.pixels

    def result(self) -> float | None:
        """Return the percentage; None without any pixel under the mask."""
        return 100 * self.hits / self.pixels if self.pixels else None


def _accuracies(mask: str, words: str) -> list[type[Accuracy]]:
    """Return a mask's accuracies for the distances 0, 1 and 2."""
    return [
        type(
            f"{mask.title()}{distance}",
            (Accuracy,),
            {
                "name": f"accuracy_{distance}_{mask}",
                "label": f"{distance}-class accuracy, {words}, %",
                "distance": distance,
                "mask": mask,
            },
        )
        for distance in (0, 1, 2)
    ]


Padded0, Padded1, Padded2 = _accuracies("padded", "with white padding")
Poster0, Poster1, Poster2 = _accuracies("poster", "poster alone")
Chromatic0, Chromatic1, Chromatic2 = _accuracies("chromatic", "chromatic pixels")


class DeltaE2000(PosterMean):
    """Mean CIEDE2000 over the poster without padding, and over posters."""

    name = "delta_e_2000"
    label = "CIEDE2000, poster alone"
    direction = LOWER

    def value(self, poster: Observation) -> float:
        """Return the mean over the poster."""
        return float(np.mean(poster.delta_e))


class Psnr(PosterMean):
    """PSNR in RGB without padding, from the mean of the posters' squared errors."""

    name = "psnr"
    label = "PSNR in RGB, poster alone, dB"
    direction = HIGHER

    def value(self, poster: Observation) -> float:
        """Return the poster's mean squared error."""
        return _squared_error(poster.true.rgb, poster.predicted.rgb)

    def result(self) -> float | None:
        """Return the ratio in dB; None where it is infinite."""
        error = super().result()
        return 10 * np.log10(255**2 / error).item() if error else None


class Ssim(PosterMean):
    """SSIM in RGB without padding, as a mean over the posters that hold a 7x7 window."""

    name = "ssim"
    label = "SSIM in RGB, poster alone"
    direction = HIGHER
    digits = 3

    def value(self, poster: Observation) -> float | None:
        """Return the poster's SSIM; None where the poster is narrower than the window."""
        if min(poster.box.height, poster.box.width) < WINDOW:
            return None
        return structural_similarity(
            poster.true.rgb, poster.predicted.rgb, win_size=WINDOW, channel_axis=-1
        )


class LightnessError(PosterMean):
    """Mean absolute error of L, 0 to 100, over the poster without padding, and over posters.

    Defined only where a colored poster was given, since other answers have the true L.
    """

    name = "lightness_error"
    label = "error of L, poster alone"

    def value(self, poster: Observation) -> float | None:
        """Return the mean over the poster."""
        if poster.given is None:
            return None
        return float(np.mean(np.abs(poster.true.lab[..., 0] - poster.predicted.lab[..., 0])))


class Harmed(PosterMean):
    """Percentage of posters that are worse than if they were left alone.

    Their mean CIEDE2000 is more than 1 above that of the poster that was given. Defined only where
    a colored poster was given, aged or not.
    """

    name = "harmed"
    label = "posters made worse, %"

    def value(self, poster: Observation) -> float | None:
        """Return 100 where the poster became worse, else 0."""
        if poster.given is None:
            return None
        before = deltaE_ciede2000(poster.true.lab, poster.given.lab)
        return 100.0 * bool(poster.delta_e.mean() > before.mean() + NOTABLE)


def _squared_error(true: np.ndarray, predicted: np.ndarray) -> float:
    return float(np.mean(np.square(true.astype(np.float32) - predicted)))
