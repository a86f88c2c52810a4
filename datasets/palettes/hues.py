"""How vivid a palette is, and of which hue."""

import numpy as np

from recolor.datasets.color import rgb_to_lab8
from recolor.datasets.palettes.palette import NEUTRAL_CHROMA, Palette, parse_color

# A palette is vivid if its strongest color has this chroma.
VIVID = 40.0
# Hues this near count as one (standard deviation in degrees).
HUE_NEAR = 15.0
# Hues that look different are at least this far apart, in degrees.
APART = 40.0
# Palettes that share more of their hues look alike.
COMMON_HUES = 0.6


def is_vivid(palette: Palette) -> bool:
    """Whether the strongest color of a palette's swatch has a chroma of 40 or more."""
    return bool(np.hypot(*swatch_ab(palette).T).max() >= VIVID)


def hue_profile(palette: Palette) -> np.ndarray:
    """Return how much a palette has of each hue: its colors by share and chroma, neighbors mixed.

    Returns:
        By degree of hue in CIELAB, ``[360]``, with sum 1; all zero if the palette is nearly
        neutral: if its mean chroma is at most 8.
    """
    a, b = palette.colors.T.astype(np.float64)
    chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a))
    if palette.shares @ chroma <= NEUTRAL_CHROMA:
        return np.zeros(360)
    weights = palette.shares * np.where(chroma > NEUTRAL_CHROMA, chroma, 0)
    away = (np.arange(360)[:, None] - hue + 180) % 360 - 180
    profile = np.exp(-(away**2) / (2 * HUE_NEAR**2)) @ weights
    return profile / profile.sum()


def look_alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether palettes of two profiles, as of `hue_profile`, would give a picture alike hues.

    They do if most of one's colors are the other's as well, or if their main hues are. A nearly
    neutral palette looks like no other.
    """
    if not (one.any() and other.any()):
        return False
    away = (int(np.argmax(one)) - int(np.argmax(other)) + 180) % 360 - 180
    return abs(away) < APART or np.minimum(one, other).sum() > COMMON_HUES


def contrast(palette: Palette) -> float:
    """Return how much a palette's hues balance: 0 if it has but one, 1 if they do so wholly."""
    chroma = np.hypot(*palette.colors.T)
    weights = palette.shares * np.where(chroma > NEUTRAL_CHROMA, chroma, 0)
    directions = palette.colors / np.maximum(chroma, 1)[:, None]
    return 1 - float(np.hypot(*(weights @ directions)) / max(weights.sum(), 1e-12))


def swatch_ab(palette: Palette) -> np.ndarray:
    """Return the a and b of a palette's swatch, ``float64 [n, 2]``."""
    rgb = [parse_color(color) for color, _ in palette.swatch]
    return rgb_to_lab8(np.array(rgb))[1].astype(np.float64)
