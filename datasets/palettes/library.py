"""Color schemes of posters: a library of named palettes, and which of them fit a gray picture."""

import itertools
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from recolor.datasets.classes import cell_index
from recolor.datasets.color import L_SCALE, hex_color, lab8_to_rgb
from recolor.datasets.palettes.color_names import color_name
from recolor.datasets.palettes.palette import (
    CELLS,
    NEUTRAL_CHROMA,
    Palette,
    PaletteError,
    without_rarest,
)

FORMAT = 1
# The library that comes with recolor.
FILE = Path(__file__).with_name("library.json")
SCHEMES = 24
ROUNDS = 60
# Smaller shares of a cell are left out of a file.
SMALLEST_SHARE = 2e-5
# How much the agreement with a picture counts against how common a scheme is.
AGREEMENT = 8.0
# A scheme is the power mean of its posters' shares. An exponent below 1 leaves out colors that only
# some of them have: a mixture of all would have a little of everything.
EXPONENT = 0.5
# Its rarest colors, together this share of what is not neutral, are left out as well: under all of
# them, even areas came out in rainbows.
RAREST = 0.3
# Words of a scheme's name at most, and the share of neutrals from which on it counts as gray.
WORDS, GRAY = 4, 0.6


@dataclass(frozen=True)
class PaletteLibrary:
    """Color schemes, the commonest first.

    Attributes:
        palettes: The schemes.
        commonness: The share of posters that has each, ``[K]``, with sum 1.
        origin: What it was made of, for people to read.
    """

    palettes: Sequence[Palette]
    commonness: np.ndarray
    origin: str

    @cached_property
    def names(self) -> list[str]:
        """The schemes' names."""
        return [palette.name for palette in self.palettes]

    def __getitem__(self, name: str) -> Palette:
        """Return a scheme by its name or its number, from 1.

        Raises:
            PaletteError: If there is none.
        """
        wanted = name.strip().casefold()
        if re.fullmatch("[0-9]{1,4}", wanted) and 1 <= int(wanted) <= len(self.palettes):
            return self.palettes[int(wanted) - 1]
        for palette in self.palettes:
            if palette.name.casefold() == wanted:
                return palette
        raise PaletteError(
            f"{name!r} is not a palette: give colors (#0b3c5d,orange), a picture, source, auto, "
            f"none, or one of the library's {len(self.palettes)} schemes by name or number"
        )

    def ranked(self, shares: np.ndarray) -> list[Palette]:
        """Order the schemes for a picture: the best-fitting first, then others unlike it.

        How likely it is that a poster has a scheme follows from how common the scheme is, and from
        its agreement with the colors that a network would give the picture by itself (Bhattacharyya
        coefficient). The first one is the nearest to all schemes, weighted so; each further one is
        that which brings the nearest of the chosen ones closest to them.

        Args:
            shares: The network's own mean distribution over the cells, ``[1024]``.
        """
        agreement = self._roots @ np.sqrt(np.maximum(shares, 0))
        likely = self.commonness * (agreement + 1e-9) ** AGREEMENT
        likely = likely / likely.sum()
        chosen: list[int] = []
        nearest = np.full(len(self.palettes), np.inf)
        while len(chosen) < len(self.palettes):
            expected = likely @ np.minimum(self._distances, nearest[:, None])
            expected[chosen] = np.inf
            chosen.append(int(np.argmin(expected)))
            nearest = np.minimum(nearest, self._distances[:, chosen[-1]])
        return [self.palettes[number] for number in chosen]

    def best_fitting(self, shares: np.ndarray) -> np.ndarray:
        """Return which scheme agrees best with each poster (Bhattacharyya coefficient).

        Args:
            shares: The shares of each poster's pixels in each cell, ``[posters, 1024]``.

        Returns:
            Numbers of schemes, from 0: ``int [posters]``.
        """
        return np.argmax(np.sqrt(shares) @ self._roots.T, axis=1)

    @cached_property
    def _distances(self) -> np.ndarray:
        distances = np.zeros((len(self.palettes), len(self.palettes)))
        for one, two in itertools.combinations(range(len(self.palettes)), 2):
            distance = self.palettes[one].distance(self.palettes[two])
            distances[one, two] = distances[two, one] = distance
        return distances

    @cached_property
    def _roots(self) -> np.ndarray:
        return np.sqrt(np.stack([palette.shares for palette in self.palettes]))

    @classmethod
    def make(
        cls, counts: np.ndarray, mean_abl: np.ndarray, origin: str, schemes: int = SCHEMES
    ) -> "PaletteLibrary":
        """Cluster posters by their colors: k-means by Hellinger distance.

        Args:
            counts: Pixels of each poster in each cell, ``[posters, 1024]``.
            mean_abl: Mean a, b and L of all pixels in each cell, ``[1024, 3]``.
            origin: What the posters are, for people to read.
            schemes: How many to make.

        Raises:
            PaletteError: If there are fewer posters than schemes.
        """
        if len(counts) < schemes:
            raise PaletteError(f"{len(counts)} posters are too few for {schemes} palettes")
        shares = counts / counts.sum(axis=1, keepdims=True)
        cluster = _clusters(np.sqrt(shares), schemes)
        size = np.bincount(cluster, minlength=schemes)
        order = [number for number in np.argsort(-size, kind="stable") if size[number]]
        palettes: list[Palette] = []
        for number in order:
            palette = _scheme(shares[cluster == number], mean_abl)
            name = _new_name(palette, mean_abl[:, 2], [known.name for known in palettes])
            palettes.append(replace(palette, name=name))
        return cls(palettes, size[order] / size.sum(), origin)

    def save(self, file: Path) -> None:
        """Write the library as JSON."""
        schemes = []
        for palette, commonness in zip(self.palettes, self.commonness, strict=True):
            cells = np.flatnonzero(palette.shares)
            schemes.append(
                {
                    "name": palette.name,
                    "commonness": round(float(commonness), 5),
                    "swatch": [[color, round(share, 4)] for color, share in palette.swatch],
                    "cells": cells.tolist(),
                    "shares": [round(float(share), 6) for share in palette.shares[cells]],
                    "colors": np.round(palette.colors[cells], 1).tolist(),
                }
            )
        content = {"format": FORMAT, "origin": self.origin, "schemes": schemes}
        # A line for each scheme.
        text = json.dumps(content, separators=(",", ":")).replace('{"name"', '\n{"name"')
        Path(file).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path = FILE) -> "PaletteLibrary":
        """Read a library.

        Raises:
            PaletteError: If there is no such file, or it is no library.
        """
        try:
            content = json.loads(Path(file).read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise PaletteError(
                    f"{file} is of another format: make it again with `recolor palettes --make`"
                )
            palettes = [_palette(scheme) for scheme in content["schemes"]]
            commonness = np.array([scheme["commonness"] for scheme in content["schemes"]], float)
            if len({palette.name.casefold() for palette in palettes}) < len(palettes):
                raise ValueError("two schemes have the same name")
            if not (np.isfinite(commonness).all() and commonness.min() > 0):
                raise ValueError("commonness must be positive")
            return cls(palettes, commonness / commonness.sum(), str(content["origin"]))
        except OSError as error:
            raise PaletteError(f"{file} can't be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, IndexError, OverflowError):
            raise PaletteError(
                f"{file} is not a palette library: make one with `recolor palettes --make`"
            ) from None


@lru_cache(maxsize=4)
def load_library(file: Path | None = None) -> PaletteLibrary:
    """Read a library once; by default the one that comes with recolor."""
    return PaletteLibrary.load(file or FILE)


def _palette(scheme: dict) -> Palette:
    cells = np.array(scheme["cells"], int)
    if cells.min() < 0 or len(set(cells.tolist())) < len(cells):
        raise ValueError("cells must be different numbers from 0 to 1023")
    shares, colors = np.zeros(CELLS, np.float32), np.zeros((CELLS, 2), np.float32)
    shares[cells], colors[cells] = scheme["shares"], scheme["colors"]
    if not (np.isfinite(shares).all() and shares.min() >= 0 and shares.sum() > 0):
        raise ValueError("shares must be positive")
    if not (np.isfinite(colors).all() and np.abs(colors).max() <= 128):
        raise ValueError("colors must lie between -128 and 128")
    swatch = tuple((str(color), float(share)) for color, share in scheme["swatch"])
    if not all(re.fullmatch("#[0-9a-f]{6}", color) and 0 <= share <= 1 for color, share in swatch):
        raise ValueError("a swatch has colors as #rrggbb, each with its share")
    return Palette(str(scheme["name"]), shares / shares.sum(), colors, swatch)


def _scheme(shares: np.ndarray, mean_abl: np.ndarray) -> Palette:
    """Make one palette of the shares ``[posters, 1024]`` of posters that are alike."""
    mean = (shares**EXPONENT).mean(axis=0) ** (1 / EXPONENT)
    mean = np.where(mean < SMALLEST_SHARE * mean.sum(), 0, mean) / mean.sum()
    chroma = np.hypot(*mean_abl[:, :2].T)
    # The colors that were left out were strong ones: the others get some of that chroma. With all
    # of it, suggestions were further from true posters than with half, on a logarithmic scale.
    gain = np.sqrt(max(1.0, (shares.mean(axis=0) @ chroma) / max(mean @ chroma, 1e-12)))
    ab = mean_abl[:, :2] * np.where(chroma > NEUTRAL_CHROMA, gain, 1)[:, None]
    ab = np.clip(ab, -128, 127)
    cell = cell_index(np.rint(ab).astype(int))
    columns = (mean, mean * ab[:, 0], mean * ab[:, 1], mean * mean_abl[:, 2])
    sums = np.stack([np.bincount(cell, column, CELLS) for column in columns], axis=-1)
    moved = sums[:, 1:] / np.maximum(sums[:, :1], 1e-12)
    return Palette.of_sums(without_rarest(sums[:, 0], moved, RAREST), moved, "")


def _clusters(roots: np.ndarray, count: int) -> np.ndarray:
    """Assign vectors of length 1 ``[n, d]`` to clusters, always the same ones: ``[n]``."""
    rng = np.random.default_rng(0)
    roots = roots.astype(np.float32)
    centers = roots[rng.integers(len(roots), size=1)]
    while len(centers) < count:
        # k-means++: likelier the farther it is from all that were chosen.
        distance = np.maximum(1 - (roots @ centers.T).max(axis=1), 1e-9).astype(np.float64)
        chosen = rng.choice(len(roots), p=distance / distance.sum())
        centers = np.concatenate([centers, roots[chosen : chosen + 1]])
    for _ in range(ROUNDS):
        nearest = np.argmax(roots @ centers.T, axis=1)
        for number in range(count):
            members = roots[nearest == number]
            if len(members):
                mean = members.mean(axis=0)
                centers[number] = mean / np.linalg.norm(mean)
    return np.argmax(roots @ centers.T, axis=1)


def _new_name(palette: Palette, lightness: np.ndarray, taken: list[str]) -> str:
    """Name a palette by its colors, those first that are seen first, as no other is named."""
    chroma = np.hypot(*palette.colors.T)
    seen: dict[str, float] = defaultdict(float)
    for cell in np.flatnonzero((palette.shares > 0) & (chroma > NEUTRAL_CHROMA)):
        rgb = lab8_to_rgb(np.array(lightness[cell] * L_SCALE), palette.colors[cell])
        seen[color_name(hex_color(rgb))] += palette.shares[cell] * chroma[cell]
    words = sorted(seen, key=lambda word: -seen[word])
    if palette.shares[chroma <= NEUTRAL_CHROMA].sum() > GRAY:
        words.insert(0, "gray")
    for count in range(2, WORDS + 1):
        name = _joined(words[:count])
        if name not in taken:
            return name
    # The same few colors in other amounts.
    return next(f"{name} {n}" for n in range(2, 1000) if f"{name} {n}" not in taken)


def _joined(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
