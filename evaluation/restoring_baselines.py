"""Restoring without a network, and the best that nine numbers can do."""

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageOps
from scipy.optimize import least_squares

from recolor.datasets.ageing import density_of, light_of, linear_light, to_srgb
from recolor.datasets.color import srgb_of_linear
from recolor.evaluation.metrics.observation import Answer, Predictor
from recolor.evaluation.pictures import UNAGED, Pictures
from recolor.models.restoring import Restoration

# In per cent of the pixels at each end.
CUTOFF = 0.5
# Haze, kept and stain: where the search for the best begins, how far they may go, and how large
# their steps are. It begins at hardly aged and at aged, since it may end in a local minimum.
STARTS = (0.005, 0.95, 0.005), (0.03, 0.6, 0.05)
BOUNDS = (0, 0.05, -0.5), (0.5, 2, 1)
SCALES = (0.02, 0.3, 0.05)


def left_alone(picture: Image.Image) -> Image.Image:
    """Return the picture as it is."""
    return picture


def gray_world(picture: Image.Image) -> Image.Image:
    """Multiply each channel's linear light so that its mean is that of all channels."""
    light = linear_light()[np.asarray(picture)]
    means = light.mean(axis=(0, 1))
    scaled = light * (means.mean() / np.maximum(means, 1e-6))
    return Image.fromarray(np.rint(to_srgb(scaled)).astype(np.uint8))


def autocontrast(picture: Image.Image) -> Image.Image:
    """Stretch each channel to its extremes, less the outermost 0.5 % of the pixels at each end."""
    return ImageOps.autocontrast(picture, cutoff=CUTOFF)


def stretched(picture: Image.Image) -> Image.Image:
    """Stretch each channel to its extremes."""
    return ImageOps.autocontrast(picture)


BASELINES = {
    "left alone": left_alone,
    "gray world": gray_world,
    "autocontrast": autocontrast,
    "stretched": stretched,
}


def oracle(picture: Image.Image, true: Image.Image) -> Image.Image:
    """Restore an RGB picture by the nine numbers that bring it nearest to the true one.

    They have the least squared error in sRGB. No network can know them: they show how much of the
    ageing a `Restoration` can undo.
    """
    aged, wanted = np.asarray(picture), np.asarray(true)
    numbers = [_best(aged[..., channel], wanted[..., channel]) for channel in range(3)]
    return Restoration.of(np.transpose(numbers)).applied(picture)


def baselines_restoring(pictures: Pictures, age: str) -> dict[str, Predictor]:
    """Return the answers without a network by name, and the best that nine numbers can do.

    Args:
        pictures: The same as the models have.
        age: `AGED` or `UNAGED`.
    """

    def best(poster: Mapping[str, np.ndarray]) -> Answer:
        true, _ = pictures.of(poster, UNAGED)
        return pictures.restored(lambda picture: oracle(picture, true), age)(poster)

    simple = {name: pictures.restored(restore, age) for name, restore in BASELINES.items()}
    return {**simple, "oracle": best}


def _best(aged: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the best haze, kept and stain of a channel, ``uint8 [h, w]`` both."""
    levels, where = np.unique(aged, return_inverse=True)
    counts = np.bincount(where.ravel())
    # Around the mean of each level, the error doesn't depend on the curve.
    means = np.bincount(where.ravel(), wanted.ravel()) / counts
    weights, light = np.sqrt(counts), linear_light()[levels].astype(np.float64)

    def errors(numbers: np.ndarray) -> np.ndarray:
        return weights * (_restored(light, *numbers) - means)

    found = [
        least_squares(errors, start, bounds=BOUNDS, x_scale=SCALES, diff_step=1e-4)
        for start in STARTS
    ]
    return min(found, key=lambda one: one.cost).x


def _restored(light: np.ndarray, haze: float, kept: float, stain: float) -> np.ndarray:
    """Do what `Restoration.curves` does, without steps: linear light to sRGB in [0, 255]."""
    clear = np.maximum((light - haze) / (1 - haze), 0)
    restored = np.clip(light_of((density_of(clear) - stain) / kept), 0, 1)
    return 255 * srgb_of_linear(restored)
