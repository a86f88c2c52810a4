"""The colors that sRGB has at each lightness, and the nearest ones to those that it lacks."""

from functools import cache

import numpy as np

from recolor.datasets.color import L_SCALE, TO_RGB

# Chroma is known for this many hues, and interpolated between them.
HUES = 256
# No color of sRGB has a larger chroma.
LARGEST_CHROMA = 134.0
_HALVINGS = 10
# What rounding in the conversion may amount to.
_TOLERANCE = 1e-5


def in_gamut(lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """Bring colors into sRGB by taking chroma from them; hue and lightness stay.

    Args:
        lightness: Stored L, ``uint8 [...]``.
        ab: Colors of any real type, ``[..., 2]``.

    Returns:
        Their ab with a chroma of at most `largest_chroma`: ``float32 [..., 2]``.
    """
    ab = np.asarray(ab, np.float32)
    chroma = np.hypot(ab[..., 0], ab[..., 1])
    hue = np.arctan2(ab[..., 1], ab[..., 0]) * np.float32(HUES / (2 * np.pi))
    before = np.floor(hue).astype(np.int32)
    after = hue - before
    table = largest_chroma()
    most = (1 - after) * table[lightness, before % HUES]
    most += after * table[lightness, (before + 1) % HUES]
    return ab * (np.minimum(chroma, most) / np.maximum(chroma, np.float32(1e-6)))[..., None]


@cache
def largest_chroma() -> np.ndarray:
    """Return how colorful sRGB gets at each lightness and hue.

    It takes a fraction of a second, once.

    Returns:
        The chroma up to which all colors are sRGB's, ``float32 [256, 256]``: rows are stored L, and
        column n is the hue angle of n of 256 parts of a turn. (Where sRGB ends and begins again, as
        it does before its lightest yellow, that is its first end.)
    """
    angle = 2 * np.pi * np.arange(HUES) / HUES
    # What is stored as L may be half a step lighter or darker.
    lightness = ((np.arange(256) + np.array([[-0.5], [0], [0.5]])) / L_SCALE)[..., None]
    inside, outside = np.zeros((256, HUES)), np.full((256, HUES), LARGEST_CHROMA)
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        fits = _is_srgb(lightness, middle * np.cos(angle), middle * np.sin(angle)).any(axis=0)
        inside, outside = np.where(fits, middle, inside), np.where(fits, outside, middle)
    return inside.astype(np.float32)


def _is_srgb(lightness: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Whether colors of CIELAB are within sRGB: ``bool [...]``."""
    y = (lightness + 16) / 116
    f = np.stack(np.broadcast_arrays(y + a / 500, y, y - b / 200), axis=-1)
    # The CIE's own constants; scikit-image has rounded ones.
    linear = np.where(f > 6 / 29, f**3, (f - 4 / 29) * (108 / 841)) @ TO_RGB.T
    return ((linear >= -_TOLERANCE) & (linear <= 1 + _TOLERANCE)).all(axis=-1)
