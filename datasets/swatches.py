"""The swatches of a picture: groups of pixels of one color, wherever they are.

Colors say which pixels belong together, so whoever changes a picture's colors changes swatches. A
picture is divided finely for that, and the fine ones are merged to a few for people.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.cluster.vq import kmeans2
from skimage.color import rgb2lab

from recolor.datasets.color import L_SCALE, hex_color, lab8_to_rgb
from recolor.datasets.gamut import in_gamut
from recolor.datasets.palettes.color_names import NEUTRAL_CHROMA, color_name

# Fine swatches at most. On posters under random color maps, told their true colors, 8 to 16 and
# more than 20 had a larger error.
FINE = 20
# What counts as one step of L, a and b, and how far a pixel may be from a swatch it belongs to.
STEPS, WIDTH = np.array([14, 8, 8], np.float32), 0.5
# They are found on a copy of at most this side.
FOUND_SIDE = 128
ITERATIONS = 20
# Pixels at this many columns and rows stand for the whole picture.
SOME = (48, 48)
# Swatches are merged for people: until there are at most this many, and as long as their colors are
# on average this near in CIELAB.
MERGED, NEAR = 10, 16.0
# How much stronger than its center a shade of a swatch is at most, and how far its hue is from it.
STRONGEST, LARGEST_TURN = 1.3, np.pi / 6


@dataclass(frozen=True)
class Swatch:
    """What people see of a swatch.

    Attributes:
        color: Its mean color, ``#rrggbb``.
        share: Its part of the picture, 0 to 1.
        name: The color's name.
    """

    color: str
    share: float
    name: str


@dataclass(frozen=True)
class Swatches:
    """The swatches of a picture.

    Attributes:
        centers: L, a and b of each fine swatch, ``float32 [K, 3]``.
        shares: Its part of the picture, ``float32 [K]``, with sum 1.
        pixels: CIELAB of some pixels from all over the picture, ``float32 [48 * 48, 3]``.

    Example:
        >>> flag = Image.new("RGB", (30, 20), "white")
        >>> flag.paste("red", (0, 0, 30, 10))
        >>> [(swatch.name, swatch.share) for swatch in Swatches.of(flag).merged]
        [('white', 0.5), ('red', 0.5)]
    """

    centers: np.ndarray
    shares: np.ndarray
    pixels: np.ndarray

    @classmethod
    def of(cls, picture: Image.Image) -> Swatches:
        """Find the swatches of an RGB picture of any size, always the same ones (k-means)."""
        scale = min(1, FOUND_SIDE / max(picture.size))
        size = [max(1, round(scale * side)) for side in picture.size]
        # Single pixels, since means of them have colors that the picture has not.
        places = _lab(picture.resize(size, Image.Resampling.NEAREST)).reshape(-1, 3) / STEPS
        few = np.unique(places, axis=0)
        if len(few) > FINE:
            with warnings.catch_warnings():
                # It warns of swatches that no pixel is left in; they are dropped below.
                warnings.simplefilter("ignore")
                few, nearest = kmeans2(places, FINE, ITERATIONS, minit="++", seed=0)
        else:
            nearest = np.argmin(_squares(places, few), axis=-1)
        counts = np.bincount(nearest, minlength=len(few))
        used = counts > 0
        return cls(
            (few[used] * STEPS).astype(np.float32),
            (counts[used] / counts.sum()).astype(np.float32),
            _lab(picture.resize(SOME, Image.Resampling.NEAREST)).reshape(-1, 3),
        )

    def memberships(self, lab: np.ndarray, width: float = WIDTH) -> np.ndarray:
        """Return how much colors belong to each fine swatch.

        With v = (L/14, a/8, b/8), it is softmax(-|v - v_k|^2 / (2 width^2)) over the swatches k.

        Args:
            lab: CIELAB, ``float32 [n, 3]``.
            width: How far a color may be from a swatch's center.

        Returns:
            ``float32 [n, K]``; rows have sum 1.
        """
        away = _squares(lab / STEPS, self.centers / STEPS)
        away -= away.min(axis=-1, keepdims=True)
        near = np.exp(away / np.float32(-2 * width**2))
        return near / near.sum(axis=-1, keepdims=True)

    @cached_property
    def groups(self) -> np.ndarray:
        """The merged swatch that each fine one belongs to, the largest being 0: ``int [K]``."""
        if len(self.centers) == 1:
            return np.zeros(1, int)
        tree = linkage(self.centers, "average")
        found = fcluster(tree, NEAR, "distance")
        if found.max() > MERGED:
            found = fcluster(tree, MERGED, "maxclust")
        shares = np.bincount(found, self.shares)[1:]
        order = np.argsort(-shares, kind="stable")
        return np.argsort(order)[found - 1]

    @cached_property
    def merged(self) -> list[Swatch]:
        """The swatches for people, the largest first: 10 at most."""
        return self.described(self.centers[:, 1:])

    def described(self, colors: np.ndarray) -> list[Swatch]:
        """Describe the merged swatches in other colors.

        Args:
            colors: The ab of each fine swatch, ``float32 [K, 2]``.
        """
        swatches = []
        for group in range(self.groups.max() + 1):
            inside = self.groups == group
            weights = self.shares[inside] / self.shares[inside].sum()
            lightness = weights @ self.centers[inside, 0] * L_SCALE
            stored = np.rint(lightness).astype(np.uint8)
            # As in pictures, what sRGB lacks is less strong, and of the same hue and lightness.
            color = hex_color(lab8_to_rgb(lightness, in_gamut(stored, weights @ colors[inside])))
            share = float(self.shares[inside].sum())
            swatches.append(Swatch(color, share, color_name(color)))
        return swatches

    def nearest(self, rgb: Sequence[int]) -> np.ndarray:
        """Return which fine swatches make up the merged one nearest to a color: ``bool [K]``."""
        return self.groups == self.groups[self._nearest_fine(rgb)]

    def map_of(self, picture: Image.Image) -> np.ndarray:
        """Return the merged swatch that each pixel of an RGB picture is in: ``uint8 [h, w]``."""
        lab = _lab(picture)
        fine = np.argmin(_squares(lab.reshape(-1, 3) / STEPS, self.centers / STEPS), axis=-1)
        return self.groups[fine].reshape(lab.shape[:2]).astype(np.uint8)

    def shades(self, rgb: Sequence[int], ab: Sequence[float]) -> np.ndarray:
        """Return a new color in the shades of the swatch nearest to a color: ``float32 [K, 2]``.

        Where a part of the swatch is paler than the color, or stronger, or turned to another hue,
        it is so in the new color.

        Args:
            rgb: The color, sRGB.
            ab: The new color.
        """
        own = self.centers[:, 1] + 1j * self.centers[:, 2]
        center = own[self._nearest_fine(rgb)]
        if abs(center) < NEUTRAL_CHROMA:
            return np.tile(np.float32(ab), (len(own), 1))
        shade = own / center
        turn = np.clip(np.angle(shade), -LARGEST_TURN, LARGEST_TURN)
        new = complex(*ab) * np.minimum(np.abs(shade), STRONGEST) * np.exp(1j * turn)
        return np.stack([new.real, new.imag], axis=-1).astype(np.float32)

    def _nearest_fine(self, rgb: Sequence[int]) -> int:
        lab = rgb2lab(np.uint8(rgb)[None]).astype(np.float32)
        return int(np.argmin(_squares(lab / STEPS, self.centers / STEPS)))


def _lab(picture: Image.Image) -> np.ndarray:
    return rgb2lab(np.asarray(picture)).astype(np.float32)


def _squares(places: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the squared distance of each of two lists of points: ``float32 [n, K]``."""
    away = (places**2).sum(axis=-1)[:, None] + (others**2).sum(axis=-1)
    return np.maximum(away - 2 * places @ others.T, 0)
