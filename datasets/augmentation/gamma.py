"""Bending the lightness."""

import math

import numpy as np

LARGEST_LOG_GAMMA = 0.2


def gamma(poster: dict[str, np.ndarray], generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Raise the lightness to a power between 0.82 and 1.22.

    That leaves black black and white white, so padding stays as it is. Colors are not bent with the
    lightness: what is learned is that they depend on its structure more than on its level.
    """
    power = math.exp(generator.uniform(-LARGEST_LOG_GAMMA, LARGEST_LOG_GAMMA))
    bent = np.round(255 * (np.arange(256) / 255) ** power).astype(np.uint8)
    return {**poster, "lightness": bent[poster["lightness"]]}
