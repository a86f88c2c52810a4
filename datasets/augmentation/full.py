"""Mirroring, turning and zooming at once."""

import math

import numpy as np
from PIL import Image

from recolor.datasets.augmentation.lab_image import WHITE, to_lab_image, with_lab_image


def full(poster: dict[str, np.ndarray], generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Mirror half of the posters, turn by up to 5 degrees, zoom by up to 10 %; white around.

    In one step, since each resampling blurs the picture.
    """
    mirror, turn, zoom = generator.uniform(-1, 1, 3)
    angle = turn * (math.pi / 36)
    scale = 1 + zoom * 0.1
    flip = -1 if mirror < 0 else 1
    cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
    # Output (x, y) comes from input (a x + b y + c, d x + e y + f), turned about the center.
    center = len(poster["ab"]) / 2
    a, b, d, e = flip * cos, -flip * sin, sin, cos
    c, f = center - (a + b) * center, center - (d + e) * center
    turned = to_lab_image(poster).transform(
        poster["ab"].shape[1::-1],
        Image.Transform.AFFINE,
        (a, b, c, d, e, f),
        Image.Resampling.BILINEAR,
        fillcolor=WHITE,
    )
    return with_lab_image(poster, turned)
