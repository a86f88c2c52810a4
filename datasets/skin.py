"""Skin in a picture, grown from the faces in it by color and nearness.

Each face is a sample of its skin's color, and what surrounds the head above the eyes, hair and
background, is a sample of what is not skin. Bayes' rule makes probabilities of the two histograms
(histogram backprojection, M. Swain and D. Ballard, 1991) and of how likely skin is at a place: sure
inside the face, likely at the neck and the shoulders, ever less likely farther away, and rare
above the eyes. Whatever isn't connected with the face by skin is left out.
"""

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.special import expit, logit
from skimage.color import rgb2lab
from skimage.morphology import reconstruction

from recolor.datasets.color_kind import COLORED, color_kind
from recolor.datasets.faces import Face

# Skin is looked for on a copy of at most this side.
SEEN_SIDE = 320
# A face's ellipse: its half axes, as shares of the width of the face's box.
ACROSS, ALONG = 0.45, 0.58
# The histograms' bins: their width in L, and in a and b of equally light pixels.
BINS = np.array([10.0, 4.0, 4.0])
# Half widths of the histograms in bins, and how far they are smoothed.
GRID, SMOOTHING = np.array([5, 16, 16]), np.array([2.0, 1.2, 1.2])
# Shading scales L + 16, a and b by the same factor, so colors are compared as if their L was this.
# Below this L, noise would be scaled too much.
COMMON_L, DARK = 60.0, 20.0
# Density of all that neither sample shows, as a share of a bin's greatest possible.
ELSE = 0.02
# Faces of less chroma were printed in gray: the rest of the skin can't be told by color.
GRAY_FACE = 6.0
# How likely a pixel below the chin is skin, if it is connected with the face by skin or not, and how
# far this reaches: the deviation in widths of the face.
CONNECTED, APART, REACH = 0.5, 0.1, 2.5


def skin_mask(picture: Image.Image, faces: list[Face]) -> np.ndarray:
    """Tell how much each pixel belongs to the skin of the faces in a picture.

    Eyes and lips are part of a face. Where a picture has no colors that tell skin from the rest,
    only the faces are skin, as far as their lightness goes.

    Args:
        picture: An RGB image of any size.
        faces: Those that `find_faces` has found in it.

    Returns:
        ``float32 [h, w]`` in [0, 1], of the picture at a longer side of at most 320 pixels.
    """
    scale = min(1, SEEN_SIDE / max(picture.size))
    width, height = (max(1, round(scale * side)) for side in picture.size)
    mask = np.zeros((height, width), np.float32)
    if not faces:
        return mask
    small = picture.resize((width, height), Image.Resampling.BOX, reducing_gap=3)
    tells = color_kind(small) == COLORED
    cells = _cells(rgb2lab(np.asarray(small)).astype(np.float32))
    places = [_coordinates(face, width, height) for face in faces]
    inside = [_radius(place) for place in places]
    nearest = np.min(inside, axis=0)
    for place, radius in zip(places, inside, strict=True):
        face = radius < 0.6
        skin = _density(cells, face)
        other = _density(cells, (place[1] > 0) & (nearest > 1.25) & (radius < 3))
        # Smoothed, since halftones and JPEG make specks.
        pixels = np.sqrt(max(face.sum(), 1))
        likelihood = gaussian_filter(np.log((skin + 1e-4) / (other + ELSE)), 0.05 * pixels)
        colored = tells and _chroma(cells, face) > GRAY_FACE
        near = _posterior(likelihood, _prior(place, radius, CONNECTED if colored else 0))
        seed = np.where(radius < 1, near, 0)
        mask = np.maximum(mask, reconstruction(seed, near))
        if colored:
            mask = np.maximum(mask, _posterior(likelihood, _prior(place, radius, APART)))
    mask = np.clip((mask - 0.2) / 0.6, 0, 1)
    return gaussian_filter(mask.astype(np.float32), 0.7)


def _cells(lab: np.ndarray) -> np.ndarray:
    """Return where colors are in the histograms, in bins: ``[3, h, w]``."""
    lightness, ab = lab[..., :1], lab[..., 1:]
    equally_light = ab * (COMMON_L + 16) / (np.maximum(lightness, DARK) + 16)
    cells = np.concatenate([lightness - 50, equally_light], axis=-1) / BINS
    return np.moveaxis(np.clip(cells, -GRID, GRID) + GRID, -1, 0)


def _density(cells: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """How common the pixels' colors are in a sample of the pixels, 1 for a sample of one color."""
    histogram = np.zeros(2 * GRID + 1)
    if sample.any():
        np.add.at(histogram, tuple(np.rint(cells[:, sample]).astype(int)), 1 / sample.sum())
    histogram = gaussian_filter(histogram, SMOOTHING, mode="constant")
    histogram *= np.prod(np.sqrt(2 * np.pi) * SMOOTHING)
    return map_coordinates(histogram, cells, order=1)


def _coordinates(face: Face, width: int, height: int) -> np.ndarray:
    """Return x and y of the pixels, upright, from a face's center, in widths of it: ``[2, h, w]``."""
    size = np.array([width, height])
    left, top, right, bottom = face.box * np.tile(size, 2)
    rows, columns = np.mgrid[:height, :width] + 0.5
    x, y = columns - (left + right) / 2, rows - (top + bottom) / 2
    eyes, mouth = face.landmarks[:2].mean(axis=0), face.landmarks[3]
    up = (eyes - mouth) * size
    up = up / max(np.hypot(*up), 1e-6)
    return np.stack([-up[1] * x + up[0] * y, up[0] * x + up[1] * y]) / max(right - left, 1)


def _radius(place: np.ndarray) -> np.ndarray:
    """Distance from a face's center, 1 on its ellipse."""
    return np.hypot(place[0] / ACROSS, place[1] / ALONG)


def _posterior(likelihood: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Probability by Bayes' rule from the logarithm of the ratio of likelihoods."""
    return expit(likelihood + logit(np.maximum(prior, 1e-9)))


def _chroma(cells: np.ndarray, sample: np.ndarray) -> float:
    """Median chroma of a sample of the pixels, as if they were equally light."""
    ab = (cells[1:, sample].T - GRID[1:]) * BINS[1:]
    return float(np.median(np.hypot(*ab.T))) if len(ab) else 0.0


def _prior(place: np.ndarray, radius: np.ndarray, body: float) -> np.ndarray:
    """How likely skin is at a place, before its color is known; ``body`` at the chin."""
    x, y = place
    face = 0.99 * expit((1.05 - radius) / 0.08)
    distance = np.hypot(x, y + 0.5)
    return np.maximum(face, body * np.exp(-((distance / REACH) ** 2) / 2) * expit((0.1 - y) / 0.15))
