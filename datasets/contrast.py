"""The lightness of faded pictures, stretched to what fresh prints have."""

import numpy as np
from PIL import Image

# Shares of the darkest and lightest pixels that may become black and white.
CLIPPED = 0.005
# Nothing lighter than this becomes black, and nothing darker white: a night stays one.
DARKEST_BLACK, LIGHTEST_WHITE = 72, 168


def stretched(picture: Image.Image) -> Image.Image:
    """Stretch an RGB picture's levels from black to white, all channels alike, within limits.

    Example:
        >>> faded = Image.linear_gradient("L").point(lambda level: 40 + 160 * level // 256)
        >>> stretched(faded.convert("RGB")).getextrema()[0]
        (0, 255)
    """
    counts = np.cumsum(picture.convert("L").histogram())
    low = int(np.searchsorted(counts, CLIPPED * counts[-1]))
    high = int(np.searchsorted(counts, (1 - CLIPPED) * counts[-1]))
    low, high = min(low, DARKEST_BLACK), max(high, LIGHTEST_WHITE)
    levels = np.clip(np.rint((np.arange(256) - low) * (255 / (high - low))), 0, 255)
    return picture.point(levels.astype(int).tolist() * 3)
