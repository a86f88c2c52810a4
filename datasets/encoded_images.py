"""Images as requests and answers hold them: as base64 text."""

from __future__ import annotations

import base64
import binascii
import io
import re

from PIL import Image

from recolor.datasets.color_profiles import srgb_profile
from recolor.datasets.images import ImageError, open_image, to_rgb


def decode_image(data: object, most_pixels: int) -> Image.Image:
    """Open an image file, given as its bytes, as base64 text or as a data URL.

    Args:
        data: The file.
        most_pixels: How many pixels the image may have.

    Returns:
        An RGB picture.

    Raises:
        ImageError: If it is not an image, or is too large.
    """
    if isinstance(data, str):
        try:
            # Without the line breaks that many encoders make.
            text = re.sub("^data:[^,]*,", "", "".join(data.split()), flags=re.IGNORECASE)
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise ImageError("not base64") from None
    if not isinstance(data, bytes):
        raise ImageError("neither bytes nor base64 text")
    return to_rgb(open_image(data, most_pixels))


def encode_png(picture: Image.Image) -> str:
    """Return an RGB picture as the base64 text of a PNG file."""
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=3, icc_profile=srgb_profile())
    return base64.b64encode(file.getvalue()).decode()
