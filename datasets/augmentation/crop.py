"""Cropping."""

import numpy as np
from PIL import Image

from recolor.datasets.augmentation.lab_image import to_lab_image, with_lab_image

SMALLEST_CROP = 0.6


def crop(poster: dict[str, np.ndarray], generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Take a square part of at least `SMALLEST_CROP` of the side, and scale it to the whole."""
    side = len(poster["ab"])
    part = side * generator.uniform(SMALLEST_CROP, 1)
    left, top = generator.uniform(0, side - part, 2)
    box = (left, top, left + part, top + part)
    image = to_lab_image(poster).resize((side, side), Image.Resampling.BILINEAR, box)
    return with_lab_image(poster, image)
