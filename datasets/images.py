"""Image files as users have them: finding, opening and decoding them.

This file is shipped inside of served models too, so it imports nothing heavy.
"""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from recolor.datasets.color_profiles import to_srgb
from recolor.datasets.errors import RecolorError

# Above this an image is refused before it is decoded (a decompression bomb).
MAX_PIXELS = 100_000_000
LIMIT = f"{MAX_PIXELS / 1e6:.0f} megapixels"
WHITE = (255, 255, 255)

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp"),
    *(".avif", ".jp2", ".ppm", ".pgm", ".tga"),
)

# What Pillow may try: no format that needs an outside program, or holds several sizes at once. Some
# are missing from some builds of Pillow.
Image.init()
FORMATS = [
    name
    for name in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "JPEG2000", "PPM", "TGA")
    if name in Image.OPEN
]


class ImageError(RecolorError):
    """An image can't be used. The message is one line and says why."""


def find_images(paths: list[Path], leave_out: Path | None = None) -> list[tuple[str, Path]]:
    """List the images in folders (searched whole) and files, by name; each file once.

    Args:
        paths: Folders and files.
        leave_out: A folder whose content is not listed when it lies inside one of the folders.

    Returns:
        Pairs of a name and a path. A file in a folder is named by its path inside that folder.

    Raises:
        ImageError: If a path does not exist, or nothing was found.
    """
    found: dict[Path, tuple[str, Path]] = {}
    outside = leave_out.resolve() if leave_out else None
    for path in paths:
        if path.is_dir():
            for file in path.rglob("*"):
                if file.suffix.lower() in SUFFIXES and file.is_file():
                    resolved = file.resolve()
                    if outside not in resolved.parents:
                        found.setdefault(resolved, (file.relative_to(path).as_posix(), file))
        elif path.exists():
            found.setdefault(path.resolve(), (path.name, path))
        else:
            raise ImageError(f"{path}: no such file or folder")
    if not found:
        raise ImageError(
            f"no images in {', '.join(map(str, paths))} (looked for {' '.join(SUFFIXES)})"
        )
    return sorted(found.values())


def open_image(data: bytes) -> Image.Image:
    """Open an image without decoding its pixels yet.

    Raises:
        ImageError: If this is no image, or one of more than 100 megapixels.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns where the limit below does not apply yet.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        raise ImageError(f"too many pixels: the limit is {LIMIT}") from None
    except UnidentifiedImageError:
        raise ImageError("not an image, or of an unknown format") from None
    except Exception as error:
        raise ImageError(f"damaged image: {_one_line(error)}") from None
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(f"{image.width}x{image.height} pixels: the limit is {LIMIT}")
    return image


def to_rgb(image: Image.Image) -> Image.Image:
    """Decode an opened image to upright 8-bit sRGB, with transparency laid over white.

    Takes what Pillow opens: gray, palette, alpha, CMYK and 16-bit images; the first frame of an
    animation. Orientation and color profile of the file are applied, so the result holds neither.

    Raises:
        ImageError: If the data are damaged or the pixel format has no defined colors.
    """
    try:
        image.load()
        image = ImageOps.exif_transpose(image)
        if image.mode == "F":
            raise ImageError("floating-point images are not supported: save it with 8 bits")
        if image.mode.startswith("I"):
            image = _eight_bits(image)
        alpha = None
        if image.has_transparency_data:
            alpha = image.convert("RGBA").getchannel("A")
            image.info.pop("transparency", None)
        rgb = to_srgb(image)
        if alpha:
            rgb = Image.composite(rgb, Image.new("RGB", rgb.size, WHITE), alpha)
        rgb.info = {}
        return rgb
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        # Pillow's decoders raise a dozen different exceptions on damaged data.
        raise ImageError(f"damaged image: {_one_line(error)}") from None


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale 16-bit gray to 8 bits; Pillow's own conversion would clip it at 255."""
    gray = np.clip(np.asarray(image).astype(np.int64) // 257, 0, 255)
    scaled = Image.fromarray(gray.astype(np.uint8))
    scaled.info = dict(image.info)
    if "transparency" in scaled.info:
        scaled.info["transparency"] //= 257
    return scaled


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
