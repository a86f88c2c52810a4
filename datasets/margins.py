"""The background around a poster on a scan or a photograph of it.

A scanner's lid or a wall is part of the file, though not of the poster, and would count among its
colors. What tells it from a poster's own border is its color: a neutral middle gray, the same on
all sides, up to a straight edge. Posters have borders of white, of paper that has yellowed, or of
black, so these are left alone.
"""

import numpy as np
from PIL import Image

from recolor.datasets.posters import Box

# The margin is looked for on a copy of at most this side.
SEEN_SIDE = 512
# A margin's width, as a share of the picture's side. A margin of 3 % of the poster is 2.8 % of the
# picture, of which JPEG's ringing hides up to two pixels.
NARROWEST, WIDEST = 0.02, 0.33
# Where another side has a margin that is not too narrow.
NARROWEST_BESIDE = 0.01
# Levels of a margin's gray. On 11,300 posters of 1980 to 2019, 3,200 sides begin with a flat and
# neutral strip, and all but 140 of these are darker or lighter: black and white are the poster's.
DARKEST, LIGHTEST = 48, 232
# How far a neutral gray's Cb and Cr are from zero at most. Yellowed paper is farther.
NEUTRAL = 2
# Pixels whose Y, Cb or Cr is farther than this from the gray's are not margin. Noise of 1.5 levels
# and JPEG at quality 85 stay below, except in the blocks along the poster's edge.
TOLERANCE = 8
# Grays of different sides that are this close are one.
SAME_GRAY = 6
# Share of a line's pixels that may be off: dust.
SPECKS = 0.02
# The same for the outer half of a margin so narrow that it lies in the blocks along the edge.
NARROW_SPECKS = 0.1
# JPEG's blocks have 8 pixels, and 16 where its colors are halved.
BLOCK = 16
# Along the poster's edge, at least this share of the pixels must begin to be off within two lines,
# by the number of sides that have a margin. Three of 11,300 posters have the same gray on two or
# three sides, with shares of at most 0.74, 0.72 and 0.64, and none has it on four, where posters as
# dark or light as the margin need tolerance: 0.32 is the least of 40 posters in synthetic margins.
STRAIGHT = {1: 0.9, 2: 0.85, 3: 0.7, 4: 0.25}
# A line that has less than this part of the change is only an edge's blur.
BLUR = 0.3
# A margin on one side alone must be darker than this: light gray strips are often a sky or a wall.
LIGHTEST_ALONE = 200
# A margin this light may be the poster's paper, scanned too dark. It is not if this share of the
# poster is lighter by this many levels, since paper is the lightest of a print. Of 200 old posters,
# 97 % have that much that is lighter than 232; JPEG makes a third of it from noise.
LIGHT, LIGHTER_BY, LIGHTER_SHARE = 200, 10, 0.0002
# An edge is refined within this many of the reduced copy's pixels.
REACH = 3


def poster_box(picture: Image.Image) -> Box:
    """Find a poster in its scan: all but a margin of uniform neutral gray.

    The margin may be on one to four sides, 2 % to 33 % of the picture wide on one, at least 1 % on
    the others, and between the gray levels 48 and 232. Borders that may be the poster's own belong
    to the poster.

    Args:
        picture: An RGB image of any size.

    Returns:
        Where the poster is, in pixels of the picture: the whole picture where there is no margin.

    Example:
        >>> scan = Image.new("RGB", (300, 400), (128, 128, 128))
        >>> scan.paste((250, 240, 210), (30, 40, 270, 360))
        >>> poster_box(scan)
        Box(top=40, left=30, height=320, width=240)
    """
    factor = -(-max(picture.size) // SEEN_SIDE)
    pixels = _pixels(picture.reduce(factor))
    for gray in _border_grays(pixels):
        edges = _rough_edges(pixels, gray, -(-BLOCK // factor))
        if edges is not None:
            return _refined(picture, edges, factor, gray)
    return Box(0, 0, picture.height, picture.width)


def _pixels(picture: Image.Image) -> np.ndarray:
    """Return a picture's Y, Cb and Cr, the last two with 128 for zero: ``int16 [h, w, 3]``."""
    return np.asarray(picture.convert("YCbCr")).astype(np.int16)


def _sides(pixels: np.ndarray) -> list[np.ndarray]:
    """Views of a picture as seen from its four sides: rows are lines from the side inward."""
    across = np.swapaxes(pixels, 0, 1)
    return [pixels, pixels[::-1], across, across[::-1]]


def _border_grays(pixels: np.ndarray) -> list[np.ndarray]:
    """Colors that sides begin with and a margin may have, as ``[Y, Cb, Cr]``; most sides first."""
    found: list[list[np.ndarray]] = []
    for side in _sides(pixels):
        strip = side[: max(1, round(NARROWEST / 2 * len(side)))]
        gray = np.median(strip, axis=(0, 1))
        if not DARKEST <= gray[0] <= LIGHTEST or np.abs(gray[1:] - 128).max() > NEUTRAL:
            continue
        for group in found:
            if np.abs(group[0] - gray).max() < SAME_GRAY:
                group.append(gray)
                break
        else:
            found.append([gray])
    return [np.median(group, axis=0) for group in sorted(found, key=len, reverse=True)]


def _rough_edges(pixels: np.ndarray, gray: np.ndarray, block: int) -> np.ndarray | None:
    """Find how wide a margin of a given gray is on the four sides.

    Args:
        pixels: A small copy of the picture, ``int16 [h, w, 3]``.
        gray: The margin's color, ``[3]``.
        block: JPEG's blocks have this many pixels of the copy.

    Returns:
        The widths at the top, bottom, left and right, ``int64 [4]``, 0 where there is no margin.
        None if no side has a margin, or if it may be the poster's own.
    """
    away = _away(pixels, gray)
    off = away > TOLERANCE
    rows, columns = (np.flatnonzero(off.mean(axis=axis) > SPECKS) for axis in (1, 0))
    if not rows.size or not columns.size:
        return None
    height, width = off.shape
    lengths = np.array([height, height, width, width])
    starts = (rows[0], height - 1 - rows[-1], columns[0], width - 1 - columns[-1])
    across, down = slice(columns[0], columns[-1] + 1), slice(rows[0], rows[-1] + 1)
    edges, shares = np.zeros(4, int), np.zeros(4)
    for number, (side, start) in enumerate(zip(_sides(off), starts, strict=True)):
        line, shares[number] = _edge(
            side[start : start + block + 3, across if number < 2 else down]
        )
        edge = start + line
        if edge and side[: -(-edge // 2)].mean() < NARROW_SPECKS:
            edges[number] = edge
    wide = edges >= np.maximum(NARROWEST * lengths, 2)
    # As wide on all sides, a margin is a smaller part of the longer ones.
    narrow = (edges >= np.maximum(NARROWEST_BESIDE * lengths, 2)) & (shares >= STRAIGHT[2])
    margin = wide | (narrow & wide.any())
    edges[~margin] = 0
    sides = int(margin.sum())
    if (
        not sides
        or (edges > WIDEST * lengths).any()
        or shares[margin].min() < STRAIGHT[sides]
        or (sides == 1 and gray[0] > LIGHTEST_ALONE)
    ):
        return None
    if gray[0] > LIGHT:
        top, bottom, left, right = edges
        poster = pixels[top : height - bottom, left : width - right, 0]
        if (poster > gray[0] + LIGHTER_BY).mean() < LIGHTER_SHARE:
            return None
    return edges


def _away(pixels: np.ndarray, gray: np.ndarray) -> np.ndarray:
    """How far pixels are from a gray, in levels of the channel that is farthest: ``[h, w]``."""
    return np.abs(pixels - gray).max(axis=-1)


def _edge(off: np.ndarray) -> tuple[int, float]:
    """Find the poster's edge in a strip that begins in the margin.

    Args:
        off: Which pixels are not the margin's gray, ``bool [depth, length]``.

    Returns:
        The first line that is the poster's, and the share of pixels that begin to be off there.
    """
    more = np.diff(off.mean(axis=1), prepend=0, append=0)
    more_in_two = more[:-1] + more[1:]
    edge = int(np.argmax(more_in_two))
    share = float(more_in_two[edge])
    return edge + int(more[edge] < BLUR * share), share


def _refined(picture: Image.Image, edges: np.ndarray, factor: int, gray: np.ndarray) -> Box:
    """Find the edges that were seen on the reduced copy in strips of the picture itself."""
    top, bottom, left, right = (int(edge) * factor for edge in edges)
    rough = (left, top, picture.width - right, picture.height - bottom)
    if factor > 1:
        top, bottom, left, right = (
            _refined_edge(picture, rough, side, factor, gray) if edge else 0
            for side, edge in enumerate((top, bottom, left, right))
        )
    return Box(top, left, picture.height - top - bottom, picture.width - left - right)


def _refined_edge(
    picture: Image.Image,
    rough: tuple[int, int, int, int],
    side: int,
    factor: int,
    gray: np.ndarray,
) -> int:
    """Return how wide a side's margin is, from a strip along the rough edge of the poster."""
    upright = side >= 2
    edge = rough[(1, 3, 0, 2)[side]]
    length = picture.width if upright else picture.height
    low, high = max(edge - REACH * factor, 0), min(edge + REACH * factor, length)
    left, top, right, bottom = rough
    if upright:
        strip = picture.crop((low, top, high, bottom)).reduce((1, factor))
    else:
        strip = picture.crop((left, low, right, high)).reduce((factor, 1))
    off = _away(_pixels(strip), gray) > TOLERANCE
    line, _ = _edge(_sides(off)[side])
    return (length - high if side % 2 else low) + line
