"""Answers without a model. A model is worth something if it beats those that know as much."""

from dataclasses import dataclass

import numpy as np
from skimage.exposure import match_histograms

from recolor.datasets.classes import GRID, cell_centers, cell_index
from recolor.datasets.color import lab8_to_rgb, rgb_to_lab8, round_ab
from recolor.datasets.palettes.palette import Palette, classes_of_cells
from recolor.datasets.posters import Box

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
