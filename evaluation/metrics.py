"""The metrics of a split, gathered poster by poster."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from skimage.color import deltaE_ciede2000
from skimage.metrics import structural_similarity

from recolor.datasets.classes import CELL, GRID, cell_of, count_cells
from recolor.datasets.color import L_SCALE, lab8_to_rgb, round_ab
from recolor.datasets.palettes.palette import Palette
from recolor.datasets.posters import Box

MASKS = ("padded", "poster", "chromatic")
DISTANCES = (0, 1, 2)
NEUTRAL_CELL = 128 // CELL
SSIM_WINDOW = 7

# What each metric is, in the order of the tables; True where more is better, None where it ranks no
# models: the ground truth's value is the aim, or it only describes.
METRICS: dict[str, tuple[str, bool | None]] = {
    "l2_ab": ("L2ab (eq. 1), padding included", False),
    "n_classes": ("color classes populated", None),
    **{
        f"accuracy_{distance}_{mask}": (f"{distance}-class accuracy, {words}, %", True)
        for mask, words in zip(
            MASKS, ("with white padding", "poster alone", "chromatic pixels"), strict=True
        )
        for distance in DISTANCES
    },
    "delta_e_2000": ("CIEDE2000, poster alone", False),
    "colorfulness": ("colorfulness (Hasler and Suesstrunk)", None),
    "psnr": ("PSNR in RGB, poster alone, dB", True),
    "ssim": ("SSIM in RGB, poster alone", True),
    "palette_distance": ("distance from the palette asked for, in ab", None),
    "diversity": ("CIEDE2000 between suggestions", None),
}

# Those that only answers have which were asked for a palette, or are one of several.
OPTIONAL_METRICS = ("palette_distance", "diversity")


def colorfulness(rgb: np.ndarray) -> float:
    """Colorfulness of an image ``uint8 [..., 3]``, 0 for gray (Hasler and Suesstrunk, 2003)."""
    red, green, blue = np.moveaxis(rgb.astype(np.float64), -1, 0)
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))


@dataclass
class SplitMetrics:
    """Metrics over a whole split; memory does not grow with the number of posters.

    Every prediction is rounded to integers first. Averages over images give each image the same
    weight; accuracies are shares of all pixels under a mask.
    """

    posters: int = 0
    _sums: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(
            (
                "l2_ab",
                "delta_e_2000",
                "colorfulness",
                "mse",
                "ssim",
                "palette_distance",
                "diversity",
            ),
            0.0,
        )
    )
    # The posters that a metric is defined for, where it is not defined for all.
    _counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("ssim", "palette_distance", "diversity"), 0)
    )
    _cells: np.ndarray = field(default_factory=lambda: np.zeros(GRID * GRID, np.int64))
    _hits: np.ndarray = field(
        default_factory=lambda: np.zeros((len(MASKS), len(DISTANCES)), np.int64)
    )
    _pixels: np.ndarray = field(default_factory=lambda: np.zeros(len(MASKS), np.int64))

    def update(
        self,
        lightness: np.ndarray,
        true_ab: np.ndarray,
        predicted_ab: np.ndarray,
        box: Box,
        asked: Palette | None = None,
        suggestions: Sequence[np.ndarray] = (),
    ) -> None:
        """Add a poster.

        Args:
            lightness: Stored L, ``uint8 [S, S]``.
            true_ab: ``int8 [S, S, 2]``.
            predicted_ab: ``[S, S, 2]`` of any real type; rounded to integers in [-128, 127].
            box: Where the poster lies in the square.
            asked: The palette that the prediction was to have.
            suggestions: All predictions that it was chosen from, like ``predicted_ab``.
        """
        predicted_ab = round_ab(predicted_ab)
        self.posters += 1
        error = true_ab.astype(np.float32) - predicted_ab
        # Eq. 1: half the sum over both channels, as a mean over pixels.
        self._sums["l2_ab"] += float(np.mean(np.square(error)))
        self._cells += count_cells(predicted_ab)
        self._count_hits(true_ab, predicted_ab, box)

        inside = box.slices
        lightness, true_ab, predicted_ab = lightness[inside], true_ab[inside], predicted_ab[inside]
        true_rgb = lab8_to_rgb(lightness, true_ab)
        predicted_rgb = lab8_to_rgb(lightness, predicted_ab)
        self._sums["delta_e_2000"] += _delta_e(lightness, true_ab, predicted_ab)
        self._sums["colorfulness"] += colorfulness(predicted_rgb)
        rgb_error = true_rgb.astype(np.float32) - predicted_rgb
        self._sums["mse"] += float(np.mean(np.square(rgb_error)))
        if min(box.height, box.width) >= SSIM_WINDOW:
            self._add_where_defined(
                "ssim",
                structural_similarity(
                    true_rgb, predicted_rgb, win_size=SSIM_WINDOW, channel_axis=-1
                ),
            )
        if asked is not None:
            obtained = Palette.of_pixels(lightness, predicted_ab, "obtained")
            self._add_where_defined("palette_distance", asked.distance(obtained))
        if len(suggestions) > 1:
            pairs = itertools.combinations([round_ab(ab[inside]) for ab in suggestions], 2)
            differences = [_delta_e(lightness, *pair) for pair in pairs]
            self._add_where_defined("diversity", float(np.mean(differences)))

    def _add_where_defined(self, name: str, value: float) -> None:
        self._sums[name] += value
        self._counts[name] += 1

    def merge(self, other: "SplitMetrics") -> None:
        """Add all posters of another part of the split."""
        self.posters += other.posters
        for name, value in other._sums.items():
            self._sums[name] += value
        for name, count in other._counts.items():
            self._counts[name] += count
        self._cells += other._cells
        self._hits += other._hits
        self._pixels += other._pixels

    @property
    def cell_counts(self) -> np.ndarray:
        """Predicted pixels in each cell of the color grid, ``int64 [1024]``."""
        return self._cells

    def result(self) -> dict[str, float | None]:
        """Return every metric of `METRICS`; None where it is undefined (no pixel under a mask, or
        an infinite PSNR).

        Raises:
            ValueError: If no poster was added.
        """
        if not self.posters:
            raise ValueError("no posters were added")
        means = {name: value / self.posters for name, value in self._sums.items()}
        result = {
            "l2_ab": means["l2_ab"],
            "n_classes": int(np.count_nonzero(self._cells)),
            "delta_e_2000": means["delta_e_2000"],
            "colorfulness": means["colorfulness"],
            "psnr": 10 * np.log10(255**2 / means["mse"]).item() if means["mse"] else None,
            **{
                name: self._sums[name] / count if count else None
                for name, count in self._counts.items()
            },
        }
        for row, mask in enumerate(MASKS):
            for column, distance in enumerate(DISTANCES):
                hits, pixels = int(self._hits[row, column]), int(self._pixels[row])
                share = 100 * hits / pixels if pixels else None
                result[f"accuracy_{distance}_{mask}"] = share
        return {name: result[name] for name in METRICS}

    def _count_hits(self, true_ab: np.ndarray, predicted_ab: np.ndarray, box: Box) -> None:
        true_cell, predicted_cell = cell_of(true_ab), cell_of(predicted_ab)
        distance = np.abs(true_cell - predicted_cell).max(axis=-1)
        inside = np.zeros(distance.shape, bool)
        inside[box.slices] = True
        chromatic = inside & (true_cell != NEUTRAL_CELL).any(axis=-1)
        for row, mask in enumerate((np.ones_like(inside), inside, chromatic)):
            # How many pixels are off by 0, 1, 2, ... cells, summed up to each distance.
            off_by = np.bincount(distance[mask], minlength=len(DISTANCES))
            self._hits[row] += np.cumsum(off_by)[: len(DISTANCES)]
            self._pixels[row] += off_by.sum()


def _delta_e(lightness: np.ndarray, true_ab: np.ndarray, predicted_ab: np.ndarray) -> float:
    stored = lightness[..., None].astype(np.float32) / np.float32(L_SCALE)
    true_lab, predicted_lab = (
        np.concatenate([stored, ab.astype(np.float32)], axis=-1) for ab in (true_ab, predicted_ab)
    )
    return float(np.mean(deltaE_ciede2000(true_lab, predicted_lab)))
