"""Palettes: which colors a picture has, and how much of each.

A palette is a distribution over the cells of the ab plane (`recolor.datasets.classes`). It says
nothing of lightness or place: what takes which of its colors is for the network to find out.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageColor

from recolor.datasets.catalog import did_you_mean
from recolor.datasets.classes import GRID, cell_centers, cell_index
from recolor.datasets.color import L_SCALE, hex_color, lab8_to_rgb, rgb_to_lab8, small_lab8
from recolor.datasets.color_kind import COLORED, color_kind
from recolor.datasets.errors import RecolorError

CELLS = GRID * GRID
# Colors of less chroma count as neutral: white, gray and black.
NEUTRAL_CHROMA = 8.0
# How far typed colors, and the neutrals, spread in the ab plane (standard deviations).
TYPED_SPREAD, NEUTRAL_SPREAD = 6.0, 1.5
# A picture's colors are counted on a copy of at most this side.
COUNTED_SIDE = 256
SWATCH_COLORS = 6
# Typed colors at most.
MOST_COLORS = 64
# Colors of a swatch are at least this far apart in the ab plane.
SWATCH_DISTANCE = 16.0
# Neutral share of posters' pixels by lightness, in 8 levels from black to white: 9,000 posters.
NEUTRAL_BY_LIGHTNESS = (0.82, 0.37, 0.25, 0.20, 0.20, 0.23, 0.32, 0.75)


class PaletteError(RecolorError):
    """A palette can't be made of what is given."""

    option = "palette"


@dataclass(frozen=True)
class Palette:
    """A distribution over colors.

    Attributes:
        name: What it is, for people to read.
        shares: The share of each cell of the ab plane, ``float32 [1024]``, with sum 1.
        colors: The mean (a, b) of each cell's colors, ``float32 [1024, 2]``.
        swatch: A few of its colors as ``#rrggbb`` with their shares, to be shown.
    """

    name: str
    shares: np.ndarray
    colors: np.ndarray
    swatch: tuple[tuple[str, float], ...]

    @classmethod
    def of_picture(cls, picture: Image.Image, name: str) -> "Palette":
        """Take the palette of a picture, an RGB image of any size."""
        return cls.of_pixels(*small_lab8(picture, COUNTED_SIDE), name)

    @classmethod
    def of_pictures(cls, pictures: Iterable[Image.Image], name: str) -> "Palette":
        """Take the mean palette of RGB pictures: each counts the same, whatever its size."""
        counts = [cell_sums(*small_lab8(picture, COUNTED_SIDE)) for picture in pictures]
        sums = sum(count / count[:, 0].sum() for count in counts)
        return cls.of_sums(sums[:, 0], sums[:, 1:] / np.maximum(sums[:, :1], 1e-12), name)

    @classmethod
    def of_pixels(cls, lightness: np.ndarray, ab: np.ndarray, name: str) -> "Palette":
        """Count the colors of pixels.

        Args:
            lightness: Stored L, ``uint8 [...]``; it only colors the swatch.
            ab: Integers in [-128, 127], ``[..., 2]``.
            name: The palette's name.
        """
        sums = cell_sums(lightness, ab)
        return cls.of_sums(sums[:, 0], sums[:, 1:] / np.maximum(sums[:, :1], 1e-12), name)

    @classmethod
    def of_sums(cls, weights: np.ndarray, mean_abl: np.ndarray, name: str) -> "Palette":
        """Make a palette of what is known of each cell.

        Args:
            weights: How much each cell counts, ``[1024]``, not all zero.
            mean_abl: Mean a, b and L (in [0, 100]) of its colors, ``[1024, 3]``.
            name: The palette's name.
        """
        shares = np.asarray(weights, np.float64) / np.sum(weights)
        centers = cell_centers(np.arange(CELLS))
        colors = np.where(shares[:, None] > 0, mean_abl[:, :2], centers).astype(np.float32)
        swatch = _swatch(shares, colors, mean_abl[:, 2])
        return cls(name, shares.astype(np.float32), colors, swatch)

    @classmethod
    def of_colors(cls, text: str, neutrals: float = 0.0) -> "Palette":
        """Make a palette of typed colors.

        Each color is spread by a Gaussian, since no surface has but one. A poster has white paper,
        black ground or gray letters as well, so a share of neutrals is mixed in.

        Args:
            text: Colors as ``#rrggbb`` or CSS names, each with a weight if wanted:
                ``#0b3c5d,orange:3``.
            neutrals: Least share of neutral colors, 0 to 1; what was typed counts.

        Raises:
            PaletteError: If a color or a weight is invalid, or there are more than 64 colors.

        Example:
            >>> palette = Palette.of_colors("#0b3c5d,orange:3", neutrals=0.25)
            >>> [(color, round(float(share), 4)) for color, share in palette.swatch]
            [('#0b3c5d', 0.1875), ('#ffa500', 0.5625), ('#808080', 0.25)]
        """
        parts = text.split(",")
        if len(parts) > MOST_COLORS:
            raise PaletteError(f"{len(parts)} colors are too many: at most {MOST_COLORS}")
        typed = [_typed_color(part) for part in parts]
        _, ab = rgb_to_lab8(np.array([rgb for rgb, _ in typed]))
        weights = np.array([weight for _, weight in typed])
        weights = weights / weights.sum()
        neutral = np.hypot(*ab.astype(float).T) < NEUTRAL_CHROMA
        colored = weights[~neutral].sum()
        added = 0.0
        if colored > 0 and 1 - colored < neutrals:
            # As much as is missing.
            added = 1 - (1 - neutrals) / colored
            weights = weights * (1 - added)
        density = np.zeros((2 * 128, 2 * 128))
        for color, weight, is_neutral in zip(ab, weights, neutral, strict=True):
            density += weight * _spread(color, NEUTRAL_SPREAD if is_neutral else TYPED_SPREAD)
        density += added * _spread((0, 0), NEUTRAL_SPREAD)
        axis = np.arange(-128, 128)
        every = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
        cell = cell_index(every).ravel()
        sums, a, b = (
            np.bincount(cell, (density * factor).ravel(), CELLS)
            for factor in (1, every[..., 0], every[..., 1])
        )
        mean = np.stack([a, b], axis=-1) / np.maximum(sums, 1e-12)[:, None]
        swatch = [
            (hex_color(rgb), float(weight)) for (rgb, _), weight in zip(typed, weights, strict=True)
        ]
        if added:
            swatch.append(("#808080", added))
        return cls(
            text, (sums / sums.sum()).astype(np.float32), mean.astype(np.float32), tuple(swatch)
        )

    @classmethod
    def of_json(cls, content: dict) -> "Palette":
        """Make a palette of what `to_json` has returned; its shares stay as they are.

        Raises:
            ValueError, KeyError, TypeError, IndexError, OverflowError: If it is something else.
        """
        cells = np.array(content["cells"], int)
        if cells.min() < 0 or len(set(cells.tolist())) < len(cells):
            raise ValueError("cells must be different numbers from 0 to 1023")
        shares = np.zeros(CELLS, np.float32)
        # Cells that the palette does not use.
        colors = cell_centers(np.arange(CELLS)).astype(np.float32)
        shares[cells], colors[cells] = content["shares"], content["colors"]
        if not (np.isfinite(shares).all() and shares.min() >= 0 and 0.9 < shares.sum() < 1.1):
            raise ValueError("shares must be positive, with sum 1")
        if not (np.isfinite(colors).all() and np.abs(colors).max() <= 128):
            raise ValueError("colors must lie between -128 and 128")
        swatch = tuple((str(color), float(share)) for color, share in content["swatch"])
        if not all(
            re.fullmatch("#[0-9a-f]{6}", color) and 0 <= share <= 1 for color, share in swatch
        ):
            raise ValueError("a swatch has colors as #rrggbb, each with its share")
        return cls(str(content["name"]), shares, colors, swatch)

    def to_json(self) -> dict:
        """Return the palette as plain values, without any loss."""
        cells = np.flatnonzero(self.shares)
        return {
            "name": self.name,
            "swatch": [[color, round(share, 4)] for color, share in self.swatch],
            "cells": cells.tolist(),
            # The shortest numbers that give the same ones in single precision.
            "shares": [float(str(share)) for share in self.shares[cells]],
            "colors": [[float(str(one)) for one in color] for color in self.colors[cells]],
        }

    def distance(self, other: "Palette") -> float:
        """Return how far apart two palettes are in the ab plane.

        The sliced Wasserstein distance: by how much, on average over the pixels and over
        directions, the colors of one would have to move to be the other's.
        """
        return palette_distance(self.shares, self.colors, other.shares, other.colors)


def cell_sums(lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """Add up the pixels of each cell of the ab plane.

    Args:
        lightness: Stored L, ``uint8 [...]``.
        ab: Integers in [-128, 127], ``[..., 2]``.

    Returns:
        Their number, and the sums of their a, b and L (in [0, 100]), ``float64 [1024, 4]``.
    """
    cell = cell_index(ab).ravel()
    columns = (np.ones(cell.shape), ab[..., 0], ab[..., 1], lightness / L_SCALE)
    return np.stack([np.bincount(cell, column.ravel(), CELLS) for column in columns], axis=-1)


def without_rarest(weights: np.ndarray, mean_abl: np.ndarray, share: float) -> np.ndarray:
    """Leave out the rarest colors; the others take their part, and neutrals keep theirs.

    Args:
        weights: How much each cell counts, ``[1024]``.
        mean_abl: Mean a, b and L of its colors, ``[1024, 3]``.
        share: What is left out, as a share of all that is not neutral: at most this much, 0 to 1.

    Returns:
        The new weights, ``float64 [1024]``, with the same sum.
    """
    weights = np.array(weights, np.float64)
    colored = np.flatnonzero((weights > 0) & (np.hypot(*mean_abl[:, :2].T) > NEUTRAL_CHROMA))
    rarest_first = colored[np.argsort(weights[colored], kind="stable")]
    total = weights[colored].sum()
    rare = np.cumsum(weights[rarest_first]) <= share * total
    weights[rarest_first[rare]] = 0
    if not rare.all():
        weights[colored] *= total / weights[colored].sum()
    return weights


def palette_distance(
    shares: np.ndarray,
    colors: np.ndarray,
    other_shares: np.ndarray,
    other_colors: np.ndarray,
    directions: int = 16,
) -> float:
    """Return the sliced Wasserstein-1 distance of two distributions over colors.

    Args:
        shares: Shares ``[n]``, with sum 1, of the colors ``[n, 2]``.
        colors: (a, b) of each.
        other_shares: The same of the other distribution, ``[m]``.
        other_colors: ``[m, 2]``.
        directions: In how many directions the plane is sliced.

    Returns:
        The distance in units of ab.
    """
    total = 0.0
    for angle in np.pi * (np.arange(directions) + 0.5) / directions:
        axis = np.array([np.cos(angle), np.sin(angle)])
        places = np.concatenate([colors @ axis, other_colors @ axis])
        order = np.argsort(places)
        moved = np.cumsum(np.concatenate([shares, -np.asarray(other_shares)])[order])[:-1]
        total += np.abs(moved) @ np.diff(places[order])
    return float(total / directions)


def has_color(picture: Image.Image) -> bool:
    """Whether a picture has colors of its own: it is not gray, nor printed in a single ink.

    See `recolor.datasets.color_kind`.
    """
    return color_kind(picture) == COLORED


def colored_chroma(picture: Image.Image) -> float:
    """Return the mean chroma of a picture's pixels that are not neutral; 0 if there are none."""
    _, ab = small_lab8(picture, COUNTED_SIDE)
    chroma = np.hypot(*np.moveaxis(ab.astype(np.float64), -1, 0))
    colored = chroma > NEUTRAL_CHROMA
    return float(chroma[colored].mean()) if colored.any() else 0.0


def neutral_share(lightness: np.ndarray) -> float:
    """Estimate which share of a gray picture is neutral, from its stored L ``uint8 [...]``.

    That is the share which posters of the same lightness have.
    """
    levels = np.bincount(lightness.ravel() >> 5, minlength=8) / lightness.size
    return float(levels @ np.array(NEUTRAL_BY_LIGHTNESS))


def is_colors(text: str) -> bool:
    """Whether a text looks like typed colors rather than like a name."""
    return "#" in text or "," in text or text.split(":")[0].strip().lower() in ImageColor.colormap


def classes_of_cells(centers: np.ndarray) -> np.ndarray:
    """Return the nearest of Q classes with centers ``[Q, 2]`` for every cell: ``int32 [1024]``."""
    cells = cell_centers(np.arange(CELLS))
    distance = ((cells[:, None] - np.asarray(centers)) ** 2).sum(axis=-1)
    return np.argmin(distance, axis=-1).astype(np.int32)


def parse_color(text: str) -> np.ndarray:
    """Parse ``#rrggbb`` or a CSS color name to sRGB ``uint8 [3]``.

    Raises:
        PaletteError: If it is neither.
    """
    name = text.strip().lower()
    if not re.fullmatch("#([0-9a-f]{3}|[0-9a-f]{6})", name) and name not in ImageColor.colormap:
        raise PaletteError(
            f"{text.strip()!r} is not a color: type it as #rrggbb or as a name like orange"
            + did_you_mean(name, ImageColor.colormap)
        )
    return np.array(ImageColor.getrgb(name)[:3], np.uint8)


def _typed_color(text: str) -> tuple[np.ndarray, float]:
    color, _, weight = text.strip().partition(":")
    rgb = parse_color(color)
    if weight and not re.fullmatch(r"\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*", weight):
        raise PaletteError(f"{weight!r} is not a weight: type a number, as in {color}:2")
    value = float(weight) if weight else 1.0
    if not 0 < value <= 1e6:
        raise PaletteError(f"the weight of {color} must be more than 0 and at most a million")
    return rgb, value


def _spread(color: Sequence[float], deviation: float) -> np.ndarray:
    """Return a Gaussian over all integer colors, ``[256, 256]``, with sum 1."""
    a, b = (
        np.exp(-((np.arange(-128, 128) - float(center)) ** 2) / (2 * deviation**2))
        for center in color
    )
    density = np.outer(a, b)
    return density / density.sum()


def _swatch(shares, colors, lightness) -> tuple[tuple[str, float], ...]:
    """Choose the colors that stand out, each with the share of the cells that it stands for."""
    chroma = np.hypot(*colors.T)
    # Large areas of weak color hide small ones of strong color, which are seen first all the same.
    weight = shares * (0.1 + chroma / 100)
    chosen: list[int] = []
    for cell in np.argsort(-weight, kind="stable"):
        if len(chosen) == SWATCH_COLORS:
            break
        if shares[cell] >= 1e-3 and all(
            np.hypot(*(colors[cell] - colors[other])) > SWATCH_DISTANCE for other in chosen
        ):
            chosen.append(int(cell))
    if not chosen:
        chosen = [int(np.argmax(shares))]
    nearest = np.argmin(((colors[:, None] - colors[chosen]) ** 2).sum(axis=-1), axis=-1)
    parts = []
    for number, cell in enumerate(chosen):
        rgb = lab8_to_rgb(np.array(lightness[cell] * L_SCALE), colors[cell])
        parts.append((hex_color(rgb), float(shares[nearest == number].sum())))
    return tuple(parts)
