"""Mirroring."""

import numpy as np


def mirror(poster: dict[str, np.ndarray], generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Mirror half of the posters."""
    if generator.uniform() < 0.5:
        return poster
    return {**poster, **{name: poster[name][:, ::-1] for name in ("lightness", "ab")}}
