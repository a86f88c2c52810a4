"""Leaving out the padding of portraits."""

import numpy as np

# Networks halve the sides up to five times.
MULTIPLE = 32


def portrait(
    poster: dict[str, np.ndarray], generator: np.random.Generator
) -> dict[str, np.ndarray]:
    """Cut the square to a rectangle for portraits: 64x96, 96x128 or 192x256 pixels, for example.

    A third of a portrait's square is padding, from which nothing is learned. Of wider posters a
    part is taken.
    """
    side = len(poster["ab"])
    width = side * 3 // 4 // MULTIPLE * MULTIPLE or side
    left, extent = poster["box"][1], poster["box"][3]
    # Somewhere within the poster, or around it where it is narrower.
    first, last = sorted((left, left + extent - width))
    start = min(max(0, generator.integers(first, last + 1)), side - width)
    return {
        **poster,
        **{name: poster[name][:, start : start + width] for name in ("lightness", "ab")},
    }
