"""How vivid a palette is, and of which hue."""

import numpy as np

from recolor.datasets.color import rgb_to_lab8
from recolor.datasets.palettes.palette import NEUTRAL_CHROMA, Palette, parse_color

# A palette is vivid if its strongest color has this chroma.
VIVID = 40.0
# Hues this near count as one (standard deviation in degrees).
HUE_NEAR = 15.0


def is_vivid(palette: Palette) -> bool:
    """Whether the strongest color of a palette's swatch has a chroma of 40 or more."""
    return bool(np.hypot(*swatch_ab(palette).T).max() >= VIVID)


def dominant_hue(palette: Palette) -> float | None:
    """Return the hue of which a palette has most, in degrees of CIELAB; None if it is quiet.

    Each color counts by share and chroma, and its neighbors count with it.
    """
    if not is_vivid(palette):
        return None
    a, b = palette.colors.T.astype(np.float64)
    chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a))
    weights = palette.shares * np.where(chroma > NEUTRAL_CHROMA, chroma, 0)
    every = np.arange(360)
    away = (every[:, None] - hue + 180) % 360 - 180
    return float(np.argmax(np.exp(-(away**2) / (2 * HUE_NEAR**2)) @ weights))


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
