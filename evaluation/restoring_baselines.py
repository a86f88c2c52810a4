"""Restoring without a network, and the best that nine numbers can do."""

import numpy as np
from PIL import Image, ImageOps
from scipy.optimize import minimize

from recolor.datasets.ageing import linear_light, to_srgb
from recolor.models.restoring import Restoration

# In per cent of the pixels at each end.
CUTOFF = 0.5


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
    """Restore an RGB picture by the nine numbers that bring it nearest to the true one."""
    aged, wanted = np.asarray(picture), np.asarray(true, np.float64)
    numbers = [_best(aged[..., channel], wanted[..., channel]) for channel in range(3)]
    return Restoration(*map(tuple, np.transpose(numbers))).applied(picture)


def _best(aged: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the haze, kept and stain of a channel with the least squared error in sRGB."""
    counts = np.bincount(aged.ravel(), minlength=256)
    means = np.bincount(aged.ravel(), wanted.ravel(), 256) / np.maximum(counts, 1)

    def error(numbers: np.ndarray) -> float:
        haze, kept, stain = np.clip(numbers, (0, 0.05, 0), (0.5, 2, 1))
        curve = Restoration((haze,) * 3, (kept,) * 3, (stain,) * 3).curves[0]
        return float(counts @ np.square(curve - means))

    first = [(0.005, 0.95, 0.005), (0.03, 0.6, 0.05)]
    options = {"method": "Nelder-Mead", "options": {"maxiter": 200}}
    best = min((minimize(error, start, **options) for start in first), key=lambda one: one.fun)
    return np.clip(best.x, (0, 0.05, 0), (0.5, 2, 1))
