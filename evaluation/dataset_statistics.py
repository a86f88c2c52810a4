"""What the posters of a data set are like, in numbers."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cached_property, reduce
from operator import add

import numpy as np
from scipy.special import gammaln

from recolor.datasets.color import lab8_to_rgb
from recolor.datasets.input_pipeline import read_posters
from recolor.datasets.manifest import DatasetError, Manifest
from recolor.datasets.palettes.library import PaletteLibrary
from recolor.datasets.palettes.palette import NEUTRAL_CHROMA, Palette, cell_sums
from recolor.datasets.posters import Box
from recolor.datasets.splits import SPLITS
from recolor.datasets.years import Years
from recolor.evaluation.metrics.colorfulness import colorfulness

BATCH_POSTERS = 16
# Color schemes are made of so many posters at most, chosen at random.
SAMPLED_POSTERS = 5000
SCHEMES = 12
# A poster whose ab varies less than this (standard deviation) counts as gray, or gray with a tint.
LEAST_COLOR = 5.0
# How often posters are chosen at random to see how much their number of color classes varies.
CHOICES = 100
# What each poster has one value of.
VALUES = ("colorfulness", "chroma", "neutral", "lightness", "contrast", "gray")
# Widths of the bins of stored L and of chroma, and their numbers. Hues have a bin for each degree.
LIGHTNESS_STEP, LIGHTNESS_BINS = 4, 64
CHROMA_STEP, CHROMA_BINS = 4, 46


@dataclass(frozen=True)
class ColorStatistics:
    """Sums over posters, each of which counts the same, whatever its size.

    Attributes:
        posters: Number of posters.
        values: The sums of `VALUES`, ``[6]``: colorfulness, mean chroma, share of neutral pixels,
            mean L (0 to 100), its standard deviation, and 1 for a poster that has no color of its
            own.
        squares: The sums of their squares.
        cells: For each cell of the ab plane the sums of the shares of pixels, and of their a, b
            and L: ``[1024, 4]``.
        cell_posters: How many posters have each cell, ``int [1024]``.
        lightness: The sums of the shares of pixels by L, ``[64]``.
        chroma: The same by chroma, ``[46]``, 4 a bin.
        hues: The same by hue in degrees, ``[360]``, of pixels that are not neutral.
        colored_chroma: The sum of what these pixels add to the mean chroma.
    """

    posters: int
    values: np.ndarray
    squares: np.ndarray
    cells: np.ndarray
    cell_posters: np.ndarray
    lightness: np.ndarray
    chroma: np.ndarray
    hues: np.ndarray
    colored_chroma: float

    @classmethod
    def of_poster(cls, lightness: np.ndarray, ab: np.ndarray) -> "ColorStatistics":
        """Look at one poster.

        Args:
            lightness: Stored L without padding, ``uint8 [h, w]``.
            ab: ``int8 [h, w, 2]``.
        """
        a, b = np.moveaxis(ab.astype(np.float64), -1, 0)
        chroma = np.hypot(a, b)
        colored = chroma > NEUTRAL_CHROMA
        hue = np.degrees(np.arctan2(b[colored], a[colored])) % 360
        level = lightness / 255 * 100
        values = np.array(
            [
                colorfulness(lab8_to_rgb(lightness, ab)),
                chroma.mean(),
                1 - colored.mean(),
                level.mean(),
                level.std(),
                float(np.sqrt(a.var() + b.var()) <= LEAST_COLOR),
            ]
        )
        cells = cell_sums(lightness, ab) / lightness.size

        def shares(numbers: np.ndarray, bins: int) -> np.ndarray:
            return np.bincount(numbers.ravel().astype(int), minlength=bins) / lightness.size

        return cls(
            posters=1,
            values=values,
            squares=values**2,
            cells=cells,
            cell_posters=(cells[:, 0] > 0).astype(int),
            lightness=shares(lightness // LIGHTNESS_STEP, LIGHTNESS_BINS),
            chroma=shares(chroma // CHROMA_STEP, CHROMA_BINS),
            hues=shares(hue % 360, 360),
            colored_chroma=float(chroma[colored].sum() / lightness.size),
        )

    def __add__(self, other: "ColorStatistics") -> "ColorStatistics":
        """Return the sums over the posters of both."""
        names = (one.name for one in fields(self))
        return ColorStatistics(*(getattr(self, name) + getattr(other, name) for name in names))

    @property
    def means(self) -> dict[str, float]:
        """The mean of each of `VALUES`."""
        return dict(zip(VALUES, (self.values / self.posters).tolist(), strict=True))

    @property
    def errors(self) -> dict[str, float | None]:
        """The standard error of each mean; None of a single poster."""
        if self.posters == 1:
            return dict.fromkeys(VALUES)
        squares = np.maximum(self.squares - self.values**2 / self.posters, 0)
        errors = np.sqrt(squares / (self.posters - 1) / self.posters)
        return dict(zip(VALUES, errors.tolist(), strict=True))

    @property
    def classes(self) -> int:
        """How many cells of the color grid are populated."""
        return int(np.count_nonzero(self.cell_posters))

    def classes_in(self, posters: int) -> float:
        """Return how many cells so many of the posters populate, on average over all choices.

        The more posters, the more cells, so data sets are compared by as many of each.
        """
        rest = self.posters - self.cell_posters[self.cell_posters > 0]
        # The share of choices of which no poster has the cell: C(rest, posters) / C(all, posters).
        lacking = rest[rest >= posters]
        logarithm = _log_choices(lacking, posters) - _log_choices(self.posters, posters)
        return float(self.classes - np.exp(logarithm).sum())


@dataclass
class DatasetStatistics:
    """What the posters of a data set are like.

    Attributes:
        manifest: The data set.
        decades: The colors by decade, as 1980; None stands for posters whose year is not known.
        widths: How many sources have each width, in pixels.
        heights: The same of the heights.
        sample: The shares of pixels in each cell of the ab plane of posters chosen at random, at
            most 5,000: ``float32 [n, 1024]``.
    """

    manifest: Manifest
    decades: dict[int | None, ColorStatistics]
    widths: Counter[int]
    heights: Counter[int]
    sample: np.ndarray

    @cached_property
    def colors(self) -> ColorStatistics:
        """The colors of all posters."""
        return reduce(add, self.decades.values())

    @cached_property
    def schemes(self) -> PaletteLibrary:
        """The commonest color schemes."""
        return _schemes(self.sample, self.colors.cells)

    def classes_deviation(self, posters: int) -> float | None:
        """Return by how much the color classes of so many posters vary (standard deviation).

        None if the sample has no more posters than that: they can be chosen in one way alone.
        """
        if len(self.sample) <= posters:
            return None
        has, rng = self.sample > 0, np.random.default_rng(0)
        chosen = (rng.choice(len(has), posters, replace=False) for _ in range(CHOICES))
        return float(np.std([np.count_nonzero(has[rows].any(axis=0)) for rows in chosen]))


@dataclass(frozen=True)
class SharedSchemes:
    """Color schemes of several data sets together, and how common each is in each of them.

    Attributes:
        palettes: The schemes, made of as many posters of each data set; first those that the last
            data set has more often than the first one.
        shares: The share of posters that each scheme fits best, by data set: ``[K]``, with sum 1.
    """

    palettes: list[Palette]
    shares: dict[str, np.ndarray]

    @classmethod
    def of(cls, sets: dict[str, DatasetStatistics]) -> "SharedSchemes":
        """Cluster the posters of several data sets."""
        least = min(len(one.sample) for one in sets.values())
        # A sample's first posters are a fair sample, too.
        together = np.concatenate([one.sample[:least] for one in sets.values()])
        cells = reduce(add, (one.colors.cells / one.colors.posters for one in sets.values()))
        library = _schemes(together, cells)
        shares = {}
        for name, one in sets.items():
            fitting = library.best_fitting(one.sample)
            counts = np.bincount(fitting, minlength=len(library.palettes))
            shares[name] = counts / len(one.sample)
        first, *_, last = shares.values()
        order = np.argsort(first - last, kind="stable")
        return cls(
            [library.palettes[number] for number in order],
            {name: each[order] for name, each in shares.items()},
        )


@dataclass
class _Sample:
    """A fair sample of rows, of which more and more come in (reservoir sampling)."""

    size: int
    rows: list[np.ndarray] = field(default_factory=list)
    seen: int = 0
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def add(self, row: np.ndarray) -> None:
        self.seen += 1
        if len(self.rows) < self.size:
            self.rows.append(row)
        elif (place := self.rng.integers(self.seen)) < self.size:
            self.rows[place] = row


def dataset_statistics(
    manifest: Manifest, years: Years, progress: Callable[[int], None] = lambda count: None
) -> DatasetStatistics:
    """Look at all posters of a data set, one after another.

    Args:
        manifest: The data set.
        years: The posters' years, as far as they are known.
        progress: Called with the number of posters after each batch.

    Raises:
        DatasetError: If there are no posters.
        RecordError: If a shard is damaged.
        YearsError: If a poster has several years.
    """
    splits = [split for split in SPLITS if manifest.count(split)]
    if not splits:
        raise DatasetError(f"{manifest.folder} has no posters")
    decades: dict[int | None, ColorStatistics] = {}
    widths, heights = Counter(), Counter()
    sample = _Sample(SAMPLED_POSTERS)
    for split in splits:
        for batch in read_posters(manifest, split, BATCH_POSTERS):
            for name, sha256, lightness, ab, box, (height, width) in zip(
                *(batch[key] for key in ("id", "sha256", "lightness", "ab", "box", "source_size")),
                strict=True,
            ):
                inside = Box(*box).slices
                poster = ColorStatistics.of_poster(lightness[inside][..., 0], ab[inside])
                year = years[str(name), str(sha256)]
                decade = None if year is None else year // 10 * 10
                decades[decade] = decades[decade] + poster if decade in decades else poster
                widths[int(width)] += 1
                heights[int(height)] += 1
                sample.add(poster.cells[:, 0].astype(np.float32))
            progress(len(batch["box"]))
    ordered = sorted(decades, key=lambda decade: (decade is None, decade))
    return DatasetStatistics(
        manifest,
        {decade: decades[decade] for decade in ordered},
        widths,
        heights,
        np.array(sample.rows),
    )


def _schemes(sample: np.ndarray, cells: np.ndarray) -> PaletteLibrary:
    """Make color schemes of posters' shares ``[n, 1024]`` and sums over cells ``[1024, 4]``."""
    mean_abl = cells[:, 1:] / np.maximum(cells[:, :1], 1e-12)
    origin = f"{len(sample)} posters"
    return PaletteLibrary.of_clusters(sample, mean_abl, origin, min(SCHEMES, len(sample)))


def _log_choices(things: np.ndarray | int, chosen: int) -> np.ndarray:
    """Return the logarithm of the number of ways to choose some of many things."""
    things = np.asarray(things, np.float64)
    return gammaln(things + 1) - gammaln(chosen + 1) - gammaln(things - chosen + 1)
