"""Answers without a model. A model is worth something if it beats those that know as much."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from keras import ops
from skimage.exposure import match_histograms

from recolor.datasets.classes import GRID, cell_centers, cell_index
from recolor.datasets.color import lab8_to_rgb, rgb_to_lab8, round_ab
from recolor.datasets.dataset_info import DatasetInfo
from recolor.datasets.palettes.palette import Palette, classes_of_cells
from recolor.datasets.posters import Box
from recolor.evaluation.metrics.observation import Answer, Predictor
from recolor.evaluation.pictures import OTHER_COLORS, Pictures
from recolor.evaluation.scoring import posters
from recolor.evaluation.told import own_palette
from recolor.models.color_table import paperness
from recolor.models.decoding.options import PALETTE_VIVIDNESS
from recolor.models.decoding.palette_transfer import CARRIED, move, transfer_moves

# How many training posters the colors by lightness are counted on.
COUNTED_POSTERS = 1000
LEVELS = 32
ROUNDS = 100
# Keeps shares above zero, as in the networks' palette constraint.
SMALLEST_SHARE = 1e-5


def gray(shape: tuple[int, int]) -> np.ndarray:
    """Gray everywhere: zeros ``int8 [height, width, 2]``."""
    return np.zeros((*shape, 2), np.int8)


def mean_color(shape: tuple[int, int], box: Box, mean_ab: tuple[float, float]) -> np.ndarray:
    """Fill the poster with one color and the padding with gray: ``int8 [h, w, 2]``."""
    ab = gray(shape)
    ab[box.slices] = round_ab(np.asarray(mean_ab))
    return ab


def own_mean_color(true_ab: np.ndarray, box: Box) -> np.ndarray:
    """Fill the poster with its own mean color: what a palette tells without any picture."""
    mean = true_ab[box.slices].reshape(-1, 2).mean(axis=0)
    return mean_color(true_ab.shape[:2], box, mean)


@dataclass
class ColorsByLightness:
    """How often each color occurs at each of 32 levels of lightness, in training posters.

    Attributes:
        counts: Pixels by level of lightness and cell of the ab plane, ``float64 [32, 1024]``.
    """

    counts: np.ndarray

    @classmethod
    def empty(cls) -> "ColorsByLightness":
        """Return one without any poster."""
        return cls(np.zeros((LEVELS, GRID * GRID)))

    @classmethod
    def of(cls, manifest: DatasetInfo) -> "ColorsByLightness":
        """Count a data set's first training posters."""
        colors = cls.empty()
        for poster in itertools.islice(posters(manifest, "train"), COUNTED_POSTERS):
            inside = Box.of(poster).slices
            colors.add(poster["lightness"][inside][..., 0], poster["ab"][inside])
        return colors

    def add(self, lightness: np.ndarray, ab: np.ndarray) -> None:
        """Count a poster's pixels: stored L ``uint8 [...]`` and ab ``int8 [..., 2]``."""
        place = (lightness.astype(int) * LEVELS // 256) * GRID * GRID + cell_index(ab)
        self.counts += np.bincount(place.ravel(), minlength=self.counts.size).reshape(
            self.counts.shape
        )

    def under(self, palette: Palette, lightness: np.ndarray, box: Box) -> np.ndarray:
        """Decode these frequencies under a palette, in the way of a network's distributions.

        The iterative proportional fitting is the same, but all it knows about a pixel is its
        lightness. So this shows what the palette is worth without a network.

        Args:
            palette: The palette.
            lightness: Stored L, ``uint8 [S, S]``.
            box: Where the poster lies in the square.

        Returns:
            ``int8 [S, S, 2]``, neutral in the padding.
        """
        cells = np.flatnonzero(self.counts.sum(axis=0))
        level = lightness[box.slices].astype(int) * LEVELS // 256
        weights = np.bincount(level.ravel(), minlength=LEVELS) / level.size
        share = (self.counts[:, cells] + 0.01) / (self.counts[:, cells] + 0.01).sum(1)[:, None]
        # The share of a cell that no training poster has goes to the nearest cell that has one.
        centers = cell_centers(cells)
        nearest = classes_of_cells(centers)
        wanted = np.bincount(nearest, palette.shares, len(cells))
        colors = np.stack(
            [np.bincount(nearest, palette.shares * axis, len(cells)) for axis in palette.colors.T],
            axis=-1,
        )
        colors = np.where(wanted[:, None] > 0, colors / np.maximum(wanted, 1e-12)[:, None], centers)
        scale = np.ones(len(cells))
        for _ in range(ROUNDS):
            fitted = share * scale
            mean = weights @ (fitted / fitted.sum(axis=1, keepdims=True))
            scale *= (wanted + SMALLEST_SHARE) / (mean + SMALLEST_SHARE)
        fitted = share * scale
        by_level = round_ab(fitted / fitted.sum(axis=1, keepdims=True) @ colors)
        ab = gray(lightness.shape)
        ab[box.slices] = by_level[level]
        return ab


def matched_histograms(lightness: np.ndarray, true_ab: np.ndarray, box: Box) -> np.ndarray:
    """Give the gray poster the true one's histogram of red, of green and of blue."""

    def matched(gray_rgb, true_rgb):
        return match_histograms(gray_rgb, true_rgb, channel_axis=-1)

    return _by_rgb(matched, lightness, true_ab, box)


def matched_deviations(lightness: np.ndarray, true_ab: np.ndarray, box: Box) -> np.ndarray:
    """Give the gray poster the true one's mean and deviation of red, of green and of blue."""

    def matched(gray_rgb, true_rgb):
        axes = (0, 1)
        stretched = (gray_rgb - gray_rgb.mean(axes)) / np.maximum(gray_rgb.std(axes), 1e-6)
        return stretched * true_rgb.std(axes) + true_rgb.mean(axes)

    return _by_rgb(matched, lightness, true_ab, box)


def _by_rgb(function, lightness, true_ab, box: Box) -> np.ndarray:
    """Take the colors of an RGB picture that is made of the gray and the true one."""
    light, inside = lightness[box.slices], true_ab[box.slices]
    pictures = [lab8_to_rgb(light, ab).astype(np.float64) for ab in (0 * inside, inside)]
    rgb = np.clip(np.rint(function(*pictures)), 0, 255).astype(np.uint8)
    ab = gray(lightness.shape)
    ab[box.slices] = rgb_to_lab8(rgb)[1]
    return ab


def baseline_predictors(
    manifest: DatasetInfo, told_palette: bool = False, vividness: float = PALETTE_VIVIDNESS
) -> dict[str, Predictor]:
    """Return the answers to gray posters by name.

    Args:
        manifest: The data set. All but gray are computed from its training posters.
        told_palette: Whether to add those that know each poster's own palette, or the poster.
        vividness: How far the colors by lightness are moved to the palette's own, 0 to 1: use that
            of the models beside them.
    """
    shape = (manifest.size, manifest.size)
    predictors: dict[str, Predictor] = {"gray": lambda poster: Answer(gray(shape))}
    if manifest.mean_ab is not None:
        predictors["mean color"] = lambda poster: Answer(
            mean_color(shape, Box.of(poster), manifest.mean_ab)
        )
    if not told_palette or not manifest.count("train"):
        return predictors
    colors = ColorsByLightness.of(manifest)

    def under_palette(light, _, box, palette) -> np.ndarray:
        ab = colors.under(palette, light, box)
        if vividness:
            ab[box.slices] = _carried(ab[box.slices], palette, vividness)
        return ab

    def predictor(function) -> Predictor:
        def predict(poster: Mapping[str, np.ndarray]) -> Answer:
            palette, light = own_palette(poster), poster["lightness"][..., 0]
            return Answer(function(light, poster["ab"], Box.of(poster), palette), palette)

        return predict

    told = {
        "own mean color": lambda light, ab, box, palette: own_mean_color(ab, box),
        "lightness under the palette": under_palette,
        "matched histograms": lambda light, ab, box, palette: matched_histograms(light, ab, box),
        "matched deviations": lambda light, ab, box, palette: matched_deviations(light, ab, box),
    }
    return predictors | {name: predictor(function) for name, function in told.items()}


def baselines_told_the_source(pictures: Pictures) -> dict[str, Predictor]:
    """Return answers that know a poster's own palette and it in other colors.

    Args:
        pictures: The same as the models have.
    """

    def left_alone(poster: Mapping[str, np.ndarray]) -> Answer:
        _, source = pictures.of(poster, OTHER_COLORS)
        locked = paperness(source.lab)
        return Answer(source.ab, own_palette(poster), source=source, locked=locked)

    def moved(poster: Mapping[str, np.ndarray]) -> Answer:
        _, source = pictures.of(poster, OTHER_COLORS)
        palette, ab = own_palette(poster), source.ab.copy()
        ab[source.box.slices] = _carried(source.inside, palette, 1.0)
        return Answer(ab, palette, source=source, locked=paperness(source.lab))

    return {"source left alone": left_alone, "source moved to the palette": moved}


def _carried(ab: np.ndarray, palette: Palette, vividness: float) -> np.ndarray:
    """Move colors ``int8 [h, w, 2]`` towards a palette's own, as models do."""
    ab = ab.astype(np.float32)
    rows, columns = (np.linspace(0, side - 1, CARRIED).astype(int) for side in ab.shape[:2])
    some = ab[np.ix_(rows, columns)].reshape(-1, 2)
    moves = transfer_moves(some, np.float32(palette.shares), np.float32(palette.colors))
    return round_ab(ops.convert_to_numpy(move(ab, moves, vividness)))
