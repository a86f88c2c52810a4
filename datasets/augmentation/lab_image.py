"""A poster as an image that Pillow can resample."""

import numpy as np
from PIL import Image

# Of white, which is around a poster.
WHITE = (255, 128, 128)


def to_lab_image(poster: dict[str, np.ndarray]) -> Image.Image:
    """Make an image of three bytes a pixel: L as stored, a + 128, b + 128."""
    color = (poster["ab"].astype(np.int16) + 128).astype(np.uint8)
    return Image.fromarray(np.concatenate([poster["lightness"], color], axis=-1))


def with_lab_image(poster: dict[str, np.ndarray], image: Image.Image) -> dict[str, np.ndarray]:
    """Return the poster with the lightness and color of an image as of `to_lab_image`."""
    lab = np.asarray(image)
    color = (lab[..., 1:].astype(np.int16) - 128).astype(np.int8)
    return {**poster, "lightness": lab[..., :1], "ab": color}
