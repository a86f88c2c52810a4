"""Image files as users have them: finding, opening and decoding them.

This file is shipped inside of served models too, so it imports nothing heavy.
"""

import base64
import binascii
import contextlib
import ctypes
import io
import logging
import os
import re
import stat
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePath

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from recolor.datasets import extra_formats, jpeg, tiff
from recolor.datasets.color_profiles import embedded_profile, srgb_profile, to_srgb
from recolor.datasets.errors import RecolorError, reason_of

# Above this an image is refused before it is decoded (a decompression bomb).
MAX_PIXELS = 100_000_000
# Of pictures that are recolored or printed one by one: 27x40 inches at 400 dpi are 173 megapixels.
MAX_FILE_PIXELS = 400_000_000
# That of a JPEG. A picture is processed in bands of rows, whose memory grows with the width.
MAX_SIDE = 65_535
# Of a pixel, in the largest of formats.
MAX_BYTES = 8
WHITE = (255, 255, 255)
UNREAD = "{} is not supported: save it with 8 bits, interleaved"
SPECIAL_FILE = "a pipe, a socket or a device, not a file"

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp"),
    *(".avif", ".jp2", ".ppm", ".pgm", ".tga"),
    *extra_formats.suffixes(),
)

# Of Windows, macOS, and network disks of Synology and QNAP, in small letters. What Unix hides
# begins with a dot.
KEPT_ASIDE = {
    *("$recycle.bin", "system volume information", "__macosx"),
    *("@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot"),
}

# What Pillow may try: no format that needs an outside program, or holds several sizes at once. Some
# are missing from some builds of Pillow.
Image.init()
FORMATS = [
    name
    for name in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "JPEG2000", "PPM", "TGA")
    if name in Image.OPEN
]
# An ImageError says what is wrong with a file. What Pillow logs is printed where no handler is set,
# and libtiff prints errors by itself: Pillow silences its warnings alone.
logging.getLogger("PIL").addHandler(logging.NullHandler())
with contextlib.suppress(AttributeError, OSError):
    ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler(None)


class ImageError(RecolorError):
    """An image can't be used. The message is one line and says why."""


class TooManyPixelsError(ImageError):
    """An image is larger than what is taken."""


def find_images(paths: list[Path], leave_out: Path | None = None) -> list[tuple[str, Path]]:
    """List the images in folders and files, by name; each file once.

    Folders are searched whole, but for what file systems and servers keep there, as `is_kept_aside`
    tells.

    Args:
        paths: Folders and files.
        leave_out: A folder whose content is not listed when it lies inside one of the folders.

    Returns:
        Pairs of a name and a path. A file in a folder is named by its path inside that folder. What
        can't be read is listed, too, for `read_file` to say why: a folder inside of a folder, a
        link that leads nowhere.

    Raises:
        ImageError: If a path does not exist or is not a file, a folder can't be listed, or nothing
            was found.
    """
    found: dict[str, tuple[str, Path]] = {}
    outside = f"{os.path.realpath(leave_out)}{os.sep}" if leave_out else None
    for path in paths:
        if path.is_dir():
            for file in _images_inside(path):
                real = os.path.realpath(file)
                if outside is None or not real.startswith(outside):
                    found.setdefault(real, (file.relative_to(path).as_posix(), file))
        elif path.is_file():
            found.setdefault(os.path.realpath(path), (path.name, path))
        elif path.exists():
            raise ImageError(f"{path}: {SPECIAL_FILE}")
        else:
            raise ImageError(f"{path}: no such file or folder")
    if not found:
        raise ImageError(
            f"no images in {', '.join(map(str, paths))} (looked for {' '.join(SUFFIXES)})"
        )
    return sorted(found.values())


def is_image(name: str) -> bool:
    """Tell by its name whether a file is an image."""
    return PurePath(name).suffix.lower() in SUFFIXES


def is_kept_aside(name: str) -> bool:
    """Tell whether a file or folder is hidden, or is what systems keep: thumbnails, the trash.

    So are the files ``._poster.jpg`` that macOS writes beside ``poster.jpg`` on foreign disks.
    """
    return name.startswith(".") or name.lower() in KEPT_ASIDE


def files_inside(folder: Path, unlisted: Callable[[OSError], None]) -> Iterator[Path]:
    """Search a whole folder for files, less those that are kept aside.

    Args:
        folder: The folder.
        unlisted: Called for each folder that can't be listed.
    """
    for place, folders, names in os.walk(folder, onerror=unlisted):
        folders[:] = [name for name in folders if not is_kept_aside(name)]
        yield from (Path(place, name) for name in names if not is_kept_aside(name))


def _images_inside(folder: Path) -> Iterator[Path]:
    """Search a whole folder for images, and for folders that can't be listed."""
    unlisted: list[OSError] = []
    yield from (file for file in files_inside(folder, unlisted.append) if is_image(file.name))
    for error in unlisted:
        if Path(error.filename) == folder:
            raise ImageError(f"{folder} can't be listed: {reason_of(error)}")
        yield Path(error.filename)


def read_file(path: Path, most_pixels: int = MAX_PIXELS) -> bytes:
    """Read the file of an image.

    Args:
        path: The file.
        most_pixels: How many the image may have.

    Raises:
        ImageError: If it can't be read, is not a file, or too large for such an image.
    """
    most = MAX_BYTES * most_pixels
    try:
        about = path.stat()
        # A pipe may wait for ever, and a device never end.
        if not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)):
            raise ImageError(SPECIAL_FILE)
        if about.st_size > most:
            raise ImageError(f"{about.st_size / 1e6:.0f} MB: the limit is {most / 1e6:.0f} MB")
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"can't be read: {reason_of(error)}") from None


def open_image(data: bytes, most_pixels: int = MAX_PIXELS) -> Image.Image:
    """Open an image, in most formats without decoding its pixels yet.

    Decoded at once are JPEG files without an end, and JPEG XL, PSD and PDF, after a look at the
    size.

    Args:
        data: The file's content.
        most_pixels: How many an image may have.

    Raises:
        TooManyPixelsError: If it has more, or a side of more than 65,535.
        ImageError: If this is not an image.
    """
    limit = f"the limit is {most_pixels / 1e6:g} megapixels"

    def check_size(width: int, height: int) -> None:
        if width * height > most_pixels:
            raise TooManyPixelsError(f"{width}x{height} pixels: {limit}")
        if max(width, height) > MAX_SIDE:
            raise TooManyPixelsError(f"{width}x{height}: the limit is {MAX_SIDE} a side")

    try:
        with warnings.catch_warnings():
            # Of damaged headers, and of many pixels where the limit below does not apply yet.
            warnings.simplefilter("ignore")
            if extra := extra_formats.open_extra(data, check_size):
                return extra
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (ImageError, MemoryError):
        raise
    except extra_formats.FormatError as error:
        raise ImageError(str(error)) from None
    except Image.DecompressionBombError:
        raise TooManyPixelsError(f"too many pixels: {limit}") from None
    except UnidentifiedImageError:
        if kind := tiff.unknown(data):
            raise ImageError(UNREAD.format(kind)) from None
        raise ImageError("not an image, or of an unknown format") from None
    except Exception as error:
        raise ImageError(f"damaged image: {_one_line(error)}") from None
    check_size(*image.size)
    if image.format == "TIFF" and (kind := tiff.misread(image)):
        raise ImageError(UNREAD.format(kind))
    if profile := embedded_profile(data):
        image.info["icc_profile"] = profile
    if image.format in ("JPEG", "MPO"):
        if found := jpeg.damage(data):
            raise ImageError(f"damaged image: {found}")
        if (whole := jpeg.ended(data)) is not data:
            return Image.open(io.BytesIO(whole), formats=FORMATS)
    return image


def to_rgb(image: Image.Image) -> Image.Image:
    """Decode an opened image to upright 8-bit sRGB, with transparency laid over white.

    Takes what Pillow opens: gray, palette, alpha, CMYK and 16-bit images; the first frame of an
    animation. Orientation and color profile of the file are applied, so the result holds neither.
    The opened image itself may be changed.

    Raises:
        ImageError: If the data are damaged or the pixel format has no defined colors.
    """
    return to_rgb_and_alpha(image)[0]


def to_rgb_and_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Decode an opened image as `to_rgb` does, and return its transparency as well.

    Returns:
        The picture over white, and its alpha channel (mode ``L``, 255 where it is opaque), None
        where there is none.

    Raises:
        ImageError: If the data are damaged or the pixel format has no defined colors.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decoded(image)
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        # Pillow's decoders raise a dozen different exceptions on damaged data.
        raise ImageError(f"damaged image: {_one_line(error)}") from None


def as_picture(source: str | os.PathLike | Image.Image | np.ndarray) -> Image.Image:
    """Return a picture as `to_rgb` does.

    Args:
        source: A file's path, a picture, or an array ``uint8 [h, w]``, ``[h, w, 3]`` or
            ``[h, w, 4]``.

    Raises:
        ImageError: If it can't be read as a picture, or has too many pixels.
    """
    if isinstance(source, (str, os.PathLike)):
        try:
            return to_rgb(open_image(read_file(Path(source))))
        except ImageError as error:
            raise ImageError(f"{source}: {error}") from None
    if isinstance(source, np.ndarray):
        if source.dtype != np.uint8 or not (
            source.ndim == 2 or (source.ndim == 3 and source.shape[2] in (3, 4))
        ):
            raise ImageError(
                "an array must be uint8 [h, w], [h, w, 3] or [h, w, 4], not "
                f"{source.dtype} {list(source.shape)}"
            )
        source = Image.fromarray(source)
    if not isinstance(source, Image.Image):
        raise ImageError(
            f"a picture is a path, a PIL image or an array, not {type(source).__name__}"
        )
    # The caller's own stays as it is.
    return to_rgb(source.copy())


def images_in(column: Iterable) -> list[object]:
    """List the images of a request's column, each to be decoded by `decode_image`.

    Where MLflow is given texts by name, ``{"image": [text, text]}``, it makes a single row of them.

    Args:
        column: Images, and sequences of images.
    """
    return [
        image
        for cell in column
        for image in (cell if isinstance(cell, (list, tuple, np.ndarray)) else [cell])
    ]


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
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise ImageError("neither bytes nor base64 text")
    return to_rgb(open_image(bytes(data), most_pixels))


def encode_png(picture: Image.Image) -> str:
    """Return an RGB picture as the base64 text of a PNG file."""
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=3, icc_profile=srgb_profile())
    return base64.b64encode(file.getvalue()).decode()


def _decoded(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    image.load()
    if image.format == "TIFF":
        tiff.mend_color_map(image)
    # In place, since a copy would take as much memory as the picture.
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "F":
        raise ImageError("floating-point images are not supported: save it with 8 bits")
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    elif image.mode == "La":
        image = image.convert("LA")
    alpha = None
    if image.has_transparency_data:
        alpha = image.convert("RGBA").getchannel("A")
        image.info.pop("transparency", None)
    rgb = to_srgb(image)
    if rgb is image:
        # An opened image holds its file, and all that is in it beside the pixels; a copy would need
        # twice the memory.
        rgb = rgb._new(rgb.im)
    if alpha:
        rgb = Image.composite(rgb, Image.new("RGB", rgb.size, WHITE), alpha)
    rgb.info = {}
    return rgb, alpha


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale gray of 12 or 16 bits to 8; Pillow's own conversion would clip it at 255."""
    black, white = tiff.gray_range(image) if image.format == "TIFF" else (0, 65_535)
    gray = (np.asarray(image).astype(np.int64) - black) * 255 // (white - black)
    scaled = Image.fromarray(gray.clip(0, 255).astype(np.uint8))
    scaled.info = dict(image.info)
    if "transparency" in scaled.info:
        scaled.info["transparency"] //= 257
    return scaled


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
