"""One poster: from a file as users have them to what the networks see."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from recolor.datasets.color import numbers_to_lab8
from recolor.datasets.errors import TOO_LARGE
from recolor.datasets.images import WHITE, ImageError, open_image, read_file, to_rgb

# A smaller image has no colors worth learning; it can still be recolored.
MIN_SIDE = 16
# Of a square, and of an embedding. Networks for larger ones want more memory than machines have.
LARGEST_SIDE = 2048
LARGEST_EMBEDDING = 65_536
# Both sides of a JPEG are decoded to at least this for the fingerprint, whatever the size of the
# squares: posters that are near-duplicates at one size must be so at all. It is what squares of 256
# pixels are made from anyway.
FINGERPRINT_SIDE = 512


@dataclass(frozen=True)
class Box:
    """Where a poster lies in its square, in pixels; the rest is white padding."""

    top: int
    left: int
    height: int
    width: int

    @classmethod
    def of(cls, poster: Mapping) -> "Box":
        """Return where a stored poster lies, as of `recolor.datasets.shards.parse`."""
        return cls(*poster["box"])

    @property
    def slices(self) -> tuple[slice, slice]:
        """The rows and columns of the poster."""
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )

    def scaled(self, factor: float, size: tuple[int, int]) -> "Box":
        """Return where it lies in a copy of the whole picture.

        Args:
            factor: By what the sides were multiplied.
            size: Width and height of the copy.
        """
        left, right = (min(size[0], round(x * factor)) for x in (self.left, self.left + self.width))
        top, bottom = (min(size[1], round(y * factor)) for y in (self.top, self.top + self.height))
        left, top = min(left, size[0] - 1), min(top, size[1] - 1)
        return Box(top, left, max(1, bottom - top), max(1, right - left))


@dataclass(frozen=True)
class Poster:
    """A poster as it is stored.

    What is around it in its square is known: white, so it is not stored.

    Attributes:
        sha256: Hex digest of the source's bytes.
        lightness: L of CIELAB in the box, ``uint8 [h, w]``.
        ab: Colors in the box, ``int8 [h, w, 2]``.
        box: Where the poster lies in the square.
        source_size: (height, width) of the source in pixels, upright.
        fingerprint: Perceptual hash for near-duplicates, ``uint8 [32]``.
    """

    sha256: str
    lightness: np.ndarray
    ab: np.ndarray
    box: Box
    source_size: tuple[int, int]
    fingerprint: np.ndarray


def stored_inputs(poster: Mapping) -> tuple:
    """Return what the paper's networks take of a stored poster.

    Args:
        poster: Arrays or tensors, among them ``lightness``, ``uint8 [S, S, 1]``, and ``embedding``,
            ``float32 [n]``.
    """
    return poster["lightness"], poster["embedding"]


def letterbox(rgb: Image.Image, size: int) -> tuple[np.ndarray, Box]:
    """Scale an image to fit a square, keeping its aspect ratio, and center it on white.

    Returns:
        The square as ``uint8 [size, size, 3]`` and where the image lies in it.
    """
    fitted, box = fit(rgb, size)
    square = Image.new("RGB", (size, size), WHITE)
    square.paste(fitted, (box.left, box.top))
    return np.asarray(square), box


def fit(rgb: Image.Image, size: int) -> tuple[Image.Image, Box]:
    """Scale an image to fit a square, keeping its aspect ratio.

    Returns:
        The image, and where it lies in the square.
    """
    scale = size / max(rgb.size)
    width, height = (max(1, round(side * scale)) for side in rgb.size)
    box = Box((size - height) // 2, (size - width) // 2, height, width)
    return rgb.resize((width, height), Image.Resampling.BICUBIC), box


def fingerprint(rgb: Image.Image) -> np.ndarray:
    """Hash how an image looks: ``uint8 [32]``, 256 bits of the signs of horizontal steps in gray.

    Two versions of a picture (scaled, recompressed, with other colors) differ in few bits.
    """
    gray = np.asarray(rgb.convert("L").resize((17, 16), Image.Resampling.BOX), np.int16)
    return np.packbits(gray[:, 1:] > gray[:, :-1])


def read_poster(path: Path, size: int) -> Poster:
    """Read a poster and bring it into a square of ``size`` pixels.

    Raises:
        ImageError: If the file can't be read or is not a usable image of at least 16 pixels a side.
    """
    data = read_file(path)
    image = open_image(data)
    if min(image.size) < MIN_SIDE:
        raise ImageError(
            f"{image.width}x{image.height} pixels: too small, the least is {MIN_SIDE} a side"
        )
    stored = image.size
    enough = max(2 * size, FINGERPRINT_SIDE)
    # JPEG decodes large posters at a fraction of the cost when told what size is enough.
    image.draft(None, (enough, enough))
    drafted = image.size
    rgb = to_rgb(image)
    width, height = stored if rgb.size == drafted else stored[::-1]
    fitted, box = fit(rgb, size)
    lightness, ab = numbers_to_lab8(_color_numbers(fitted))
    # Squares of 256 pixels or less are made from what the fingerprint needs.
    seen = rgb if enough == FINGERPRINT_SIDE else _for_fingerprint(data, drafted) or rgb
    return Poster(
        sha256=hashlib.sha256(data).hexdigest(),
        lightness=lightness,
        ab=ab,
        box=box,
        source_size=(height, width),
        fingerprint=fingerprint(seen),
    )


def _color_numbers(rgb: Image.Image) -> np.ndarray:
    """Return the number of each pixel's color, see `numbers_to_lab8`: ``uint32 [h, w]``."""
    # With a byte that means nothing in each pixel, as Pillow holds it: to take it out and put it
    # in again would take as long as to look the colors up.
    pixels = np.frombuffer(rgb.tobytes("raw", "RGBX"), "<u4").reshape(rgb.height, rgb.width)
    return pixels & 0xFFFFFF


def _for_fingerprint(data: bytes, decoded: tuple[int, int]) -> Image.Image | None:
    """Decode an image as its fingerprint needs it; None if it was decoded at that size already."""
    image = open_image(data)
    image.draft(None, (FINGERPRINT_SIDE, FINGERPRINT_SIDE))
    return None if image.size == decoded else to_rgb(image)


def try_read_poster(path: Path, size: int) -> Poster | str:
    """Read a poster, or say why it can't be used: one bad file must not end the work on many."""
    try:
        return read_poster(path, size)
    except ImageError as error:
        return str(error)
    except MemoryError:
        return TOO_LARGE
