"""Series: posters that get one scheme, and in which a color of all becomes the same one in all.

The swatches of a first result say what becomes what. In every other poster, a swatch that is alike
is assigned what the first one's has become; the scheme takes care of the rest.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

from recolor.datasets.assignments import LOCKS, Assignment
from recolor.datasets.color import hex_color
from recolor.datasets.color_kind import COLORED
from recolor.datasets.palettes.palette import NEUTRAL_CHROMA, parse_color
from recolor.models.decoding.options import Decoding
from recolor.models.painter import Seen
from recolor.models.recipe import Recipe

# How far, in CIEDE2000, a swatch may be from one of the first result to be the same color. From 10
# on, bright reds of ten old posters took what the first one's dark red had become.
ALIKE = 7.0
# A smaller part of the first result, 0 to 1, does not say what large ones of others become.
LEAST_SHARE = 0.02
# What changes less stays as it is.
LEAST_CHANGE = 1.0


def in_series(decoding: Decoding, recipe: Recipe, seen: Seen) -> Decoding:
    """Return how a poster is to be recolored to go with a result.

    Args:
        decoding: That of the series; its palette is the result's. Hints name places in another
            poster and are left out, and locks hold only where a swatch is alike.
        recipe: That of the result.
        seen: The poster.
    """
    # Of others, none can be assigned.
    own = [swatch.color for swatch in seen.swatches.merged] if seen.color == COLORED else []
    becomes = {one.color: one.becomes for one in recipe.swatches if one.share >= LEAST_SHARE}
    typed = {hex_color(one.swatch): one.text.partition("=")[2] for one in decoding.assign}
    wanted = {color: typed[nearest] for color, nearest in _alike(own, typed)}
    for color, nearest in _alike(own, becomes):
        changed = _distance(nearest, becomes[nearest]) > LEAST_CHANGE
        if changed and _has_color(color) and _has_color(nearest):
            wanted.setdefault(color, becomes[nearest])
    assignments = tuple(Assignment.parse(f"{color}={new}") for color, new in wanted.items())
    locks = tuple(lock for lock in decoding.lock if lock in LOCKS or _alike([lock], own))
    return replace(decoding, hint=(), assign=assignments, lock=locks)


def _alike(colors: Collection[str], others: Collection[str]) -> list[tuple[str, str]]:
    """Pair each color, ``#rrggbb``, with the nearest of others, where that is the same color."""
    if not others:
        return []
    pairs = [(color, min(others, key=partial(_distance, color))) for color in colors]
    return [(color, nearest) for color, nearest in pairs if _distance(color, nearest) < ALIKE]


def _distance(color: str, other: str) -> float:
    """Return the CIEDE2000 of two colors."""
    return float(deltaE_ciede2000(_lab(color), _lab(other)))


def _has_color(color: str) -> bool:
    """Whether a color is not a neutral one, such as paper, which stays as it is."""
    return bool(np.hypot(*_lab(color)[1:]) >= NEUTRAL_CHROMA)


@lru_cache(maxsize=1000)
def _lab(color: str) -> np.ndarray:
    return rgb2lab(parse_color(color))
