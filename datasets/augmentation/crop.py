"""Cropping."""

import numpy as np
from PIL import Image

from recolor.datasets.augmentation.lab_image import to_lab_image, with_lab_image

SMALLEST_CROP = 0.6


def crop(poster: dict[str, np.ndarray], generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Take a part of at least `SMALLEST_CROP` of the sides, and scale it to the whole."""
    image = to_lab_image(poster)
    part = generator.uniform(SMALLEST_CROP, 1)
    width, height = (side * part for side in image.size)
    left, top = (
        side * (1 - part) * place
        for side, place in zip(image.size, generator.uniform(size=2), strict=True)
    )
    box = (left, top, left + width, top + height)
    image = image.resize(image.size, Image.Resampling.BILINEAR, box)
    return with_lab_image(poster, image)
