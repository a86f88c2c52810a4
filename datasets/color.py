"""sRGB, CIELAB (D65) and the eight-bit form in which posters are stored.

L in [0, 100] is stored as ``uint8``, scaled by 255/100. The color axes a and b are stored as
``int8``. All three are computed in double precision and rounded to the nearest integer: white comes
out of the conversion at a = -0.0025, which truncation would put on the wrong side of the class edge
at zero.

Of the 16.7 million colors of 8-bit sRGB, none comes within 1e-9 of the middle between two integers,
a million times what double precision can be wrong by. So the stored values are the same on every
machine.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np
from PIL import Image
from skimage.color import lab2rgb, rgb2lab, xyz_tristimulus_values
from skimage.color.colorconv import xyz_from_rgb

from recolor.datasets.shared_table import shared_table

L_SCALE = 255 / 100
# From linear sRGB to X, Y and Z as shares of white's, ``[3, 3]``, and back.
TO_XYZ = xyz_from_rgb / xyz_tristimulus_values(illuminant="D65", observer="2")[:, None]
TO_RGB = np.linalg.inv(TO_XYZ)

N_RGB = 1 << 24
# Up to this many colors, computing is faster than opening the table.
FEW = 1 << 10
# Change it whenever another value is to be stored for a color.
TABLE_FILE = "lab8-2.table"


def linear_of_srgb(srgb, xp=np):
    """Convert sRGB to linear light, both in [0, 1]; ``xp`` is NumPy or `keras.ops`."""
    # Bounded below, so that gradients are finite on the side that is not chosen, too.
    high = xp.power((xp.maximum(srgb, 0.04045) + 0.055) / 1.055, 2.4)
    return xp.where(srgb > 0.04045, high, srgb / 12.92)


def srgb_of_linear(linear, xp=np):
    """Convert linear light to sRGB, both in [0, 1]; ``xp`` is NumPy or `keras.ops`."""
    high = 1.055 * xp.power(xp.maximum(linear, 0.0031308), 1 / 2.4) - 0.055
    return xp.where(linear > 0.0031308, high, 12.92 * linear)


def rgb_to_lab8(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Convert sRGB to the stored form of CIELAB.

    Args:
        rgb: ``uint8 [..., 3]``, or floats in [0, 1] of that shape.

    Returns:
        L as ``uint8 [...]`` (0 is black, 255 is white) and ab as ``int8 [..., 2]``.
    """
    if rgb.dtype != np.uint8:
        lab = _lab8(rgb)
    elif rgb.size <= 3 * FEW:
        lab = _lab8(rgb / 255)
    else:
        number = np.zeros((*rgb.shape[:-1], 4), np.uint8)
        number[..., :3] = rgb
        return numbers_to_lab8(number.view("<u4")[..., 0])
    return lab[..., 0].copy(), lab[..., 1:].view(np.int8).copy()


def small_lab8(picture: Image.Image, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Convert a small copy of an RGB picture, whose pixels are means of the picture's.

    Args:
        picture: Of any size; it is not copied.
        side: Longest side of the copy.

    Returns:
        L and ab, as `rgb_to_lab8` returns them.
    """
    small = picture.reduce(max(1, max(picture.size) // (2 * side)))
    small.thumbnail((side, side), Image.Resampling.BOX)
    return rgb_to_lab8(np.asarray(small))


def numbers_to_lab8(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Look colors up that are given by their numbers.

    Args:
        numbers: Those of `lab8_table`, ``uint32 [...]``.

    Returns:
        L and ab, as `rgb_to_lab8` returns them.
    """
    # All are in the table: "clip" spares looking for those that are not.
    lab = lab8_table().take(numbers, mode="clip")
    return lab.astype(np.uint8), (lab >> 8).astype("<u2")[..., None].view(np.int8)


@cache
def lab8_table() -> np.ndarray:
    """Return the stored L, a and b of every 8-bit sRGB color.

    It takes a few seconds when a user's first process asks for it, and is read from the user's
    cache from then on: see `shared_table`.

    Returns:
        ``uint32 [16777216]``, the number of a color being red + 256 green + 65536 blue. The bytes
        of a number are L, a, b and nothing; a and b are those of ``int8`` numbers.
    """
    # Numbers of four bytes, since rows of three take twice as long to look up.
    return shared_table(TABLE_FILE, (N_RGB, 4), _table_blocks).view("<u4")[:, 0]


def _table_blocks() -> Iterator[np.ndarray]:
    levels = np.arange(256) / 255
    for blue in levels:
        block = np.stack(np.meshgrid(blue, levels, levels, indexing="ij")[::-1], axis=-1)
        lab = np.zeros((len(levels) ** 2, 4), np.uint8)
        lab[:, :3] = _lab8(block).reshape(-1, 3)
        yield lab


def _lab8(rgb: np.ndarray) -> np.ndarray:
    """Convert sRGB in [0, 1] to L, a and b as bytes: ``uint8 [..., 3]``."""
    lab = rgb2lab(rgb.astype(np.float64))
    lightness = np.clip(np.rint(lab[..., :1] * L_SCALE), 0, 255).astype(np.uint8)
    return np.concatenate([lightness, round_ab(lab[..., 1:]).view(np.uint8)], axis=-1)


def hex_color(rgb: np.ndarray) -> str:
    """Write an sRGB color ``uint8 [3]`` as ``#rrggbb``."""
    return "#" + bytes(rgb).hex()


def round_ab(ab: np.ndarray) -> np.ndarray:
    """Round ab of any real type to the nearest integers in [-128, 127], as ``int8``."""
    return np.clip(np.rint(ab), -128, 127).astype(np.int8)


def lab8_to_rgb(lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """Convert L as it is stored, 0 to 255, and ab, both of any real type, to sRGB ``uint8``.

    Colors outside of the sRGB gamut are clipped to it, channel by channel.
    """
    lab = np.concatenate(
        [
            (lightness.astype(np.float32) / np.float32(L_SCALE))[..., None],
            np.asarray(ab, np.float32),
        ],
        axis=-1,
    )
    # Predicted colors may lie outside of what eyes can see: there, scikit-image takes a negative
    # (L + 16) / 116 - b / 200 for zero, and warns. A bound to b, a hair lower, does the same.
    lab[..., 2] = np.minimum(lab[..., 2], (lab[..., 0] + 16) * np.float32(200 / 116 * (1 - 1e-6)))
    # lab2rgb does not clip when it is given a gamut's outside in single precision.
    rgb = np.clip(lab2rgb(lab), 0, 1)
    return np.rint(rgb * 255).astype(np.uint8)
