"""Plain words for colors."""

import numpy as np

from recolor.datasets.color import L_SCALE, rgb_to_lab8

NEUTRAL_CHROMA = 9.0
# Where each hue of CIELAB ends, in degrees.
HUES = (
    (18, "pink"), (52, "red"), (76, "orange"), (108, "yellow"), (163, "green"), (222, "teal"),
    (262, "sky blue"), (309, "blue"), (338, "purple"), (360, "pink"),
)  # fmt: skip


def color_name(color: str) -> str:
    """Name a color ``#rrggbb``.

    Example:
        >>> [color_name(color) for color in ("#0b3c5d", "#f28c28", "#6b3e26", "#fafafa")]
        ['blue', 'orange', 'brown', 'white']
    """
    rgb = np.array([int(color[start : start + 2], 16) for start in (1, 3, 5)], np.uint8)
    lightness, ab = rgb_to_lab8(rgb)
    level, (a, b) = float(lightness) / L_SCALE, ab.astype(float)
    chroma, hue = np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360
    if chroma < NEUTRAL_CHROMA:
        return "black" if level < 25 else "white" if level > 80 else "gray"
    name = next(name for end, name in HUES if hue < end)
    if name == "red" and level > 60:
        return "pink"
    if name in ("red", "orange", "yellow") and chroma < 38:
        return "brown" if level < 55 else "beige"
    if name == "orange" and level < 45:
        return "brown"
    if name == "yellow":
        return "olive" if level < 45 else "gold" if level < 80 else "yellow"
    return name
