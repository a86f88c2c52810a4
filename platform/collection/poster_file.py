"""What makes a file of the Internet a poster: an image with something on it."""

from recolor.datasets.images import ImageError, open_image, to_rgb
from recolor.platform.collection.failures import CollectError

SMALLEST_SIDE = 16
# A placeholder of a single color, saved with losses, has a few values more.
FEWEST_VALUES = 8
# By Pillow's names; MPO is a JPEG that holds another one.
SUFFIXES = {
    "JPEG": ".jpg",
    "MPO": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "GIF": ".gif",
    "TIFF": ".tif",
    "BMP": ".bmp",
    "AVIF": ".avif",
    "JPEG2000": ".jp2",
    "PPM": ".ppm",
    "TGA": ".tga",
}


def poster_suffix(data: bytes) -> str:
    """Look whether a file's content is a poster.

    Returns:
        The suffix of its true format.

    Raises:
        CollectError: If it is not, and why.
    """
    try:
        image = open_image(data)
        kind = image.format
        if min(image.size) < SMALLEST_SIDE:
            raise CollectError(f"no poster: {image.width}x{image.height} pixels")
        picture = to_rgb(image)
    except ImageError as error:
        raise CollectError(f"no image: {error}") from None
    if all(most - least < FEWEST_VALUES for least, most in picture.getextrema()):
        raise CollectError("no poster: of one color")
    return SUFFIXES[kind]
