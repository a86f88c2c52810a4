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

# Along each side of the cube of sRGB. Where white ends is told more finely: otherwise, colors
# beside it would lend white paper a chroma of 3 of theirs.
NODES, PAPER_NODES = 33, 65
# Rows that are recolored at once, so that large pictures need little more memory than themselves.
BAND = 256
# Paper and white letters: they have at least this L, and hardly any chroma.
PAPER_L, PAPER_RANGE, PAPER_CHROMA = 65.0, 20.0, 7.0


def paperness(lab: np.ndarray) -> np.ndarray:
    """Return how much colors ``[..., 3]`` are those of paper and white letters: 0 to 1, ``[...]``.

    It is exp(-(C/7)^8) clip((L - 65)/20, 0, 1), with C the chroma.
    """
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    light = np.clip((lab[..., 0] - PAPER_L) / PAPER_RANGE, 0, 1)
    return np.exp(-((chroma / PAPER_CHROMA) ** 8)) * light


def paper_mask(picture: Image.Image) -> Image.Image:
    """Return the `paperness` of an RGB picture's pixels, 0 to 255: mode L."""
    return picture.filter(_paper_filter()).getchannel(0)


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
    of_paper, of_other = amounts
    alike, weights = np.array_equal(of_paper, of_other), swatches.memberships(_nodes(NODES))
    other = _filter(weights * of_other, colors)
    # By default, paper stays as it is.
    paper = _filter(weights * of_paper, colors) if of_paper.any() and not alike else None
    result = Image.new("RGB", picture.size)
    for top in range(0, picture.height, BAND):
        part = picture.crop((0, top, picture.width, min(top + BAND, picture.height)))
        new = part.filter(other)
        if not alike:
            kept = part.filter(paper) if paper else part
            new = Image.composite(kept, new, paper_mask(part))
        result.paste(new, (0, top))
    return result


def _filter(weights: np.ndarray, colors: np.ndarray) -> ImageFilter.Color3DLUT:
    """Return what moves every color towards those of its swatches, by weights ``[33^3, K]``."""
    ab = _nodes(NODES)[:, 1:]
    moved = ab * (1 - weights.sum(axis=-1, keepdims=True)) + weights @ colors
    # By the difference, so that what does not change is not changed by rounding, either.
    change = _converted(moved) - _unchanged()
    return ImageFilter.Color3DLUT(NODES, np.clip(_levels(NODES) + change / 255, 0, 1).ravel())


@cache
def _paper_filter() -> ImageFilter.Color3DLUT:
    """Return what turns colors into their `paperness`, in every channel."""
    paper = paperness(_nodes(PAPER_NODES))
    return ImageFilter.Color3DLUT(PAPER_NODES, np.repeat(paper, 3))


@cache
def _levels(nodes: int) -> np.ndarray:
    """Return a table's nodes, sRGB in [0, 1], red changing fastest: ``float32 [nodes^3, 3]``."""
    level = np.linspace(0, 1, nodes, dtype=np.float32)
    blue, green, red = np.meshgrid(level, level, level, indexing="ij")
    return np.stack([red, green, blue], axis=-1).reshape(-1, 3)


@cache
def _nodes(nodes: int) -> np.ndarray:
    """Return CIELAB of a table's nodes: ``float32 [nodes^3, 3]``."""
    return rgb2lab(_levels(nodes)).astype(np.float32)


@cache
def _unchanged() -> np.ndarray:
    """Return the nodes as `_converted` rounds them."""
    return _converted(_nodes(NODES)[:, 1:])


def _converted(ab: np.ndarray) -> np.ndarray:
    """Convert the nodes with another ab to sRGB in [0, 255]: ``float32 [33^3, 3]``."""
    stored = np.rint(_nodes(NODES)[:, 0] * L_SCALE).astype(np.uint8)
    return lab8_to_rgb(stored, in_gamut(stored, ab)).astype(np.float32)
