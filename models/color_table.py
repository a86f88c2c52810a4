"""A change of a picture's colors that depends on nothing but the color: a 3D look-up table.

What has one color before has one color after it, at any size; edges stay as sharp as they were.
"""

from functools import cache

import numpy as np
from PIL import Image, ImageFilter
from skimage.color import rgb2lab

from recolor.datasets.color import L_SCALE, lab8_to_rgb
from recolor.datasets.gamut import in_gamut
from recolor.datasets.swatches import Swatches

# Along each side of the cube of sRGB: as many as Pillow takes. With 33, colors beside white lent
# white paper a chroma of 3 of theirs.
NODES = 65
# Paper and white letters: they have at least this L, and hardly any chroma.
PAPER_L, PAPER_RANGE, PAPER_CHROMA = 65.0, 20.0, 7.0


def paperness(lab: np.ndarray) -> np.ndarray:
    """Return how much colors ``[..., 3]`` are those of paper and white letters: 0 to 1, ``[...]``.

    It is exp(-(C/7)^8) clip((L - 65)/20, 0, 1), with C the chroma.
    """
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    light = np.clip((lab[..., 0] - PAPER_L) / PAPER_RANGE, 0, 1)
    return np.exp(-((chroma / PAPER_CHROMA) ** 8)) * light


def recolored(
    picture: Image.Image, swatches: Swatches, colors: np.ndarray, amounts: np.ndarray
) -> Image.Image:
    """Give the swatches of a picture other colors; lightness stays.

    A color belonging to the swatches k by w_k goes from its own ab to

        ab + sum_k w_k s_k (ab_k - ab)

    Args:
        picture: RGB, of any size.
        swatches: Its fine swatches.
        colors: The new ab_k of each, ``float32 [K, 2]``.
        amounts: How far it goes there, s_k, 0 to 1: of paper and of all else, ``float32 [2, K]``.
    """
    if not amounts.any():
        return picture
    lab = _nodes()
    paper = paperness(lab)[:, None]
    weights = swatches.memberships(lab) * (paper * amounts[0] + (1 - paper) * amounts[1])
    ab = lab[:, 1:] * (1 - weights.sum(axis=-1, keepdims=True)) + weights @ colors
    # By the difference, so that what does not change is not changed by rounding, either.
    rgb = np.clip(_levels() + (_converted(ab) - _unchanged()) / 255, 0, 1)
    return picture.filter(ImageFilter.Color3DLUT(NODES, rgb.ravel()))


@cache
def _levels() -> np.ndarray:
    """Return the table's nodes, sRGB in [0, 1], red changing fastest: ``float32 [65^3, 3]``."""
    level = np.linspace(0, 1, NODES, dtype=np.float32)
    blue, green, red = np.meshgrid(level, level, level, indexing="ij")
    return np.stack([red, green, blue], axis=-1).reshape(-1, 3)


@cache
def _nodes() -> np.ndarray:
    """Return CIELAB of the table's nodes: ``float32 [65^3, 3]``."""
    return rgb2lab(_levels()).astype(np.float32)


@cache
def _unchanged() -> np.ndarray:
    """Return the table's nodes as `_converted` rounds them."""
    return _converted(_nodes()[:, 1:])


def _converted(ab: np.ndarray) -> np.ndarray:
    """Convert the table's nodes with another ab to sRGB in [0, 255]: ``float32 [65^3, 3]``."""
    stored = np.rint(_nodes()[:, 0] * L_SCALE).astype(np.uint8)
    return lab8_to_rgb(stored, in_gamut(stored, ab)).astype(np.float32)
