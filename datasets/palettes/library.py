"""Color schemes of posters: a library of named palettes, and which of them fit a gray picture."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from recolor.datasets.catalog import did_you_mean
from recolor.datasets.errors import reason_of
from recolor.datasets.palettes.clustering import (
    clusters,
    most_unlike,
    seen_colors,
    vivid_scheme,
)
from recolor.datasets.palettes.color_names import palette_name
from recolor.datasets.palettes.hues import hue_profile, look_alike
from recolor.datasets.palettes.palette import CELLS, NEUTRAL_CHROMA, Palette, PaletteError

FORMAT = 2
# The library that comes with recolor.
FILE = Path(__file__).with_name("library.json")
SCHEMES = 42
# Ranking them takes time for each.
MOST_SCHEMES = 256
# Posters with less color, as a share of their pixels, say nothing of colors.
LEAST_COLORED = 0.1
# The schemes are chosen from up to CANDIDATES times as many clusters, each of CLUSTERED posters on
# average.
CANDIDATES, CLUSTERED = 10, 20
# How much the agreement with a picture counts against how common a scheme is, as an exponent.
AGREEMENT, LEAST_AGREEMENT = 8.0, 1e-9


@dataclass(frozen=True)
class PaletteLibrary:
    """Color schemes, the commonest first.

    Attributes:
        palettes: The schemes.
        commonness: The share of posters that has each, ``[K]``, with sum 1.
        mean: The mean share of each cell in all posters, ``[1024]``, with sum 1.
        origin: What it was made of, for people to read.
    """

    palettes: Sequence[Palette]
    commonness: np.ndarray
    mean: np.ndarray
    origin: str

    @cached_property
    def names(self) -> list[str]:
        """The schemes' names."""
        return [palette.name for palette in self.palettes]

    def __getitem__(self, name: str) -> Palette:
        """Return a scheme by its name or its number, from 1.

        Raises:
            PaletteError: If there is no such scheme.
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
            + did_you_mean(name, (palette.name for palette in self.palettes))
        )

    def ranked(self, shares: np.ndarray, beside: Sequence[Palette] = ()) -> list[Palette]:
        """Order the schemes for a picture: those first that suit it, each in another hue.

        A scheme suits a picture if it agrees with the colors that a network would give it by itself
        (Bhattacharyya coefficient), more than with posters as they are on average: what agrees with
        every picture suits none above others. If nothing is shown beside them, it counts as well
        how common a scheme is, since the picture may have had its colors. Those that suit best come
        first, but for those that look like one before, or like one beside: they wait until no
        others are left.

        Args:
            shares: The network's own mean distribution over the cells, ``[1024]``.
            beside: Palettes that are shown before the schemes.
        """
        agreement = self._agreement(np.maximum(shares, 0)) / self._usual_agreement
        suits = agreement**AGREEMENT * (1 if beside else self.commonness)
        left = np.argsort(-suits, kind="stable").tolist()
        shown = [hue_profile(palette) for palette in beside]
        ranked: list[Palette] = []
        while left:
            for number in left:
                if not any(look_alike(self._hues[number], other) for other in shown):
                    break
            else:
                # Every hue was shown, so each may be shown again.
                shown.clear()
                continue
            left.remove(number)
            shown.append(self._hues[number])
            ranked.append(self.palettes[number])
        return ranked

    @cached_property
    def _usual_agreement(self) -> np.ndarray:
        return self._agreement(self.mean)

    @cached_property
    def _hues(self) -> list[np.ndarray]:
        return [hue_profile(palette) for palette in self.palettes]

    def _agreement(self, shares: np.ndarray) -> np.ndarray:
        return self._roots @ np.sqrt(shares) + LEAST_AGREEMENT

    @cached_property
    def _roots(self) -> np.ndarray:
        return np.sqrt(np.stack([palette.shares for palette in self.palettes]))

    @classmethod
    def make(
        cls, counts: np.ndarray, mean_abl: np.ndarray, origin: str, schemes: int = SCHEMES
    ) -> "PaletteLibrary":
        """Make schemes of what is colored in posters: vivid ones, which are unlike each other.

        Posters are clustered finely by their colors, strong ones counting most. Of the clusters'
        schemes, those are chosen one by one that are least like the chosen ones.

        Args:
            counts: Pixels of each poster in each cell, ``[posters, 1024]``.
            mean_abl: Mean a, b and L of all pixels in each cell, ``[1024, 3]``.
            origin: What the posters are, for people to read.
            schemes: How many to make; there may be fewer if the posters are alike.

        Returns:
            The library; how common a scheme is says how many of the posters are most like it.

        Raises:
            PaletteError: If fewer posters than schemes have color.
        """
        shares = counts / counts.sum(axis=1, keepdims=True)
        mean = shares.mean(axis=0)
        colored = np.hypot(*mean_abl[:, :2].T) > NEUTRAL_CHROMA
        shares = shares[shares[:, colored].sum(axis=1) >= LEAST_COLORED]
        if len(shares) < schemes:
            raise PaletteError(
                f"{len(counts)} posters, {len(shares)} of them with color, are too few for "
                f"{schemes} palettes"
            )
        count = int(np.clip(len(shares) // CLUSTERED, schemes, CANDIDATES * schemes))
        cluster = clusters(seen_colors(shares, mean_abl), count)
        size = np.bincount(cluster, minlength=count)
        kept = np.flatnonzero(size > len(shares) / count / 4)
        candidates = [vivid_scheme(shares[cluster == number], mean_abl) for number in kept]
        chosen, nearest = most_unlike(candidates, size[kept], mean_abl, schemes)
        commonness = np.bincount(nearest, size[kept], len(chosen))
        return cls._named([candidates[n] for n in chosen], commonness, mean, origin)

    @classmethod
    def _named(
        cls, palettes: list[Palette], size: np.ndarray, mean: np.ndarray, origin: str
    ) -> "PaletteLibrary":
        """Sort schemes, the commonest first, and name them."""
        order = np.argsort(-size, kind="stable")
        named: list[Palette] = []
        for number in order:
            name = palette_name(palettes[number], [known.name for known in named])
            named.append(replace(palettes[number], name=name))
        return cls(named, size[order] / size.sum(), mean, origin)

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
        mean = [round(float(share), 7) for share in self.mean]
        content = {"format": FORMAT, "origin": self.origin, "mean": mean, "schemes": schemes}
        # A line for each scheme.
        text = json.dumps(content, separators=(",", ":")).replace('{"name"', '\n{"name"')
        Path(file).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path = FILE) -> "PaletteLibrary":
        """Read a library.

        Raises:
            PaletteError: If there is no such file, or it is not a library.
        """
        try:
            content = json.loads(Path(file).read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise PaletteError(
                    f"{file} is of another format: make it again with `recolor palettes --make`"
                )
            if (count := len(content["schemes"])) > MOST_SCHEMES:
                raise PaletteError(f"{file} has {count} schemes: keep at most {MOST_SCHEMES}")
            palettes = [_palette(scheme) for scheme in content["schemes"]]
            commonness = np.array([scheme["commonness"] for scheme in content["schemes"]], float)
            if len({palette.name.casefold() for palette in palettes}) < len(palettes):
                raise ValueError("two schemes have the same name")
            if not (np.isfinite(commonness).all() and commonness.min() > 0):
                raise ValueError("commonness must be positive")
            mean = np.array(content["mean"], float)
            if not (mean.shape == (CELLS,) and np.isfinite(mean).all() and mean.min() >= 0):
                raise ValueError("the mean has a share for each cell")
            if not mean.sum() > 0:
                raise ValueError("the mean has pixels")
            return cls(
                palettes, commonness / commonness.sum(), mean / mean.sum(), str(content["origin"])
            )
        except OSError as error:
            raise PaletteError(f"{file} can't be read: {reason_of(error)}") from None
        except PaletteError:
            raise
        except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError):
            raise PaletteError(
                f"{file} is not a palette library: make one with `recolor palettes --make`"
            ) from None


@lru_cache(maxsize=4)
def load_library(file: Path | None = None) -> PaletteLibrary:
    """Read a library once; by default the one that comes with recolor."""
    return PaletteLibrary.load(file or FILE)


def _palette(scheme: dict) -> Palette:
    palette = Palette.of_json(scheme)
    return replace(palette, shares=palette.shares / palette.shares.sum())
