"""Whether a picture is gray, printed in one ink, or in color.

A print in one ink on paper, whichever ink and however yellowed the paper, has a single scale of
colors from the ink to the paper: a and b are functions of L. A picture in color has pixels that are
equally light and differ in color. So the kind is judged by how far pixels are from the curve
(L, a(L), b(L)) that fits most of them, and not by how much a and b vary.
"""

from itertools import pairwise

import numpy as np
from PIL import Image
from scipy.ndimage import maximum_filter, minimum_filter

from recolor.datasets.color import L_SCALE, small_lab8

GRAY, ONE_INK, COLORED = "gray", "one ink", "colored"

# The picture is judged on a copy of at most this side, where noise, halftone dots and JPEG's coarse
# colors are averaged.
JUDGED_SIDE = 128
# The curve is made of medians in this many bins of L, of those with this share of the pixels.
BINS, LEAST_IN_BIN = 34, 0.0007
# Uneven yellowing is at most this many units of ab (and more is taken for color), with no weight on
# pixels that are much farther than COMMON from the curve.
MOST_UNEVEN, COMMON = 6.0, 4.0
# A pixel may be compared with the curve at another L, up to this far, each unit counting as 0.3 of
# ab: JPEG's colors are a pixel or two beside its lightness, and the curve of a strong ink is steep.
REACH, L_WEIGHT = 12, 0.3
# By how much a pixel's distance is lowered for each unit that L varies among its neighbors: where
# ink and paper meet within a pixel, their mixture is off the curve.
EDGE_WEIGHT = 0.27
# A picture is colored if more than this share of its pixels are farther than DISTANCE from the
# curve. With DISTANCE, EDGE_WEIGHT and BINS, it was chosen on 80 posters of 1980 to 2019 printed in
# one ink, with and without noise, yellowing and JPEG, and on 120 old posters, also faded.
DISTANCE, COLORED_SHARE = 5.0, 0.005
# Black, one strong color and white are two inks, though a function of L as well. The strong color
# has at least this chroma on this share of the pixels, and of the same share of pixels that are the
# darkest, the median chroma is less than that of black. A duotone's middle tones have a chroma of
# 30 to 40, and a single ink is strongest where it is dark.
STRONG_CHROMA, BLACK_CHROMA, STRONG_SHARE = 60.0, 25.0, 0.05
# A picture is gray if this share of its pixels has less chroma than that.
GRAY_SHARE, GRAY_CHROMA = 0.95, 4.0


def color_kind(picture: Image.Image) -> str:
    """Classify a picture as `GRAY`, `ONE_INK` or `COLORED`.

    With f the curve that fits ab as a function of L, u a correction for yellowing that varies
    smoothly from border to center, and r the range of L in a pixel's 3x3 neighborhood, the distance
    of a pixel from the curve is

        d = min over |l| <= 12 of sqrt(|ab - u - f(L + l)|^2 + (0.3 l)^2) - 0.27 r

    A picture is colored if d > 5 for more than 0.5 % of its pixels. Otherwise, it is gray if 95 %
    of its pixels have a chroma of less than 4, and printed in one ink if not. Black beside a color
    of chroma 60 is a second ink, so such a picture is colored, too. One flat color is one ink.

    Args:
        picture: An RGB image of any size.

    Example:
        >>> ramp = Image.linear_gradient("L")
        >>> color_kind(ramp.convert("RGB"))
        'gray'
        >>> channels = [ramp.point(lambda v, w=white: v * w // 255) for white in (250, 225, 170)]
        >>> color_kind(Image.merge("RGB", channels))
        'one ink'
        >>> color_kind(Image.merge("RGB", (ramp, ramp.rotate(90), ramp)))
        'colored'
    """
    lightness, ab = _judged(picture)
    if (_distance(lightness, ab) > DISTANCE).mean() > COLORED_SHARE:
        return COLORED
    chroma = np.hypot(ab[..., 0], ab[..., 1])
    if (chroma >= STRONG_CHROMA).mean() >= STRONG_SHARE:
        dark = lightness <= np.quantile(lightness, STRONG_SHARE)
        if np.median(chroma[dark]) < BLACK_CHROMA:
            return COLORED
    gray = (chroma < GRAY_CHROMA).mean() >= GRAY_SHARE
    return GRAY if gray else ONE_INK


def _judged(picture: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Return L in [0, 100] and ab of a small copy: ``float32 [h, w]`` and ``float32 [h, w, 2]``."""
    lightness, ab = small_lab8(picture, JUDGED_SIDE)
    return lightness / np.float32(L_SCALE), ab.astype(np.float32)


def _distance(lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """Return d of `color_kind` for each pixel, or a little more where it is small: ``[h, w]``."""
    level = np.rint(lightness).astype(int)
    curve = _curve(level, ab)
    ab = ab - _unevenness(lightness, ab - curve[level])
    curve = _curve(level, ab)
    varied = EDGE_WEIGHT * (maximum_filter(lightness, 3) - minimum_filter(lightness, 3))
    distance = np.hypot(*np.moveaxis(ab - curve[level], -1, 0)) - varied
    # Other places on the curve only matter where the first is too far: that saves most of the time.
    far = distance > DISTANCE
    a, b = ab[far].T
    curve_a, curve_b = curve.T
    nearest = np.full(a.shape, np.inf, np.float32)
    for away in range(-REACH, REACH + 1, 3):
        place = np.clip(level[far] + away, 0, 100)
        square = (a - curve_a[place]) ** 2 + (b - curve_b[place]) ** 2 + (L_WEIGHT * away) ** 2
        np.minimum(nearest, square, out=nearest)
    distance[far] = np.sqrt(nearest) - varied[far]
    return distance


def _curve(level: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """Fit ab as a function of L by medians: ``float32 [101, 2]`` for every integer L."""
    order = np.argsort(level, axis=None, kind="stable")
    levels, colors = level.ravel()[order], ab.reshape(-1, 2)[order]
    ends = np.searchsorted(levels, np.linspace(0, 101, BINS + 1))
    bins = [
        slice(start, end)
        for start, end in pairwise(ends)
        if end - start > LEAST_IN_BIN * level.size
    ]
    at = [levels[part].mean() for part in bins]
    medians = np.array([np.median(colors[part], axis=0) for part in bins])
    every = np.arange(101)
    return np.stack([np.interp(every, at, medians[:, k]) for k in (0, 1)], -1).astype(np.float32)


def _unevenness(lightness: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Fit what is off the curve by a smooth function of the place: ``float32 [h, w, 2]``.

    Yellowing tints the paper and hardly the ink, so the function grows with L. Pixels with colors
    of their own have little weight.
    """
    height, width = lightness.shape
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([lightness / 100 * term for term in (x, y, x * x, y * y)], -1).reshape(-1, 4)
    residual = residual.reshape(-1, 2)
    weight = 1 / (1 + (residual**2).sum(axis=-1, keepdims=True) / COMMON**2)
    weighted = (terms * weight).T
    factors = np.linalg.lstsq(weighted @ terms, weighted @ residual, rcond=None)[0]
    uneven = np.clip(terms @ factors, -MOST_UNEVEN, MOST_UNEVEN)
    return uneven.reshape(height, width, 2).astype(np.float32)
