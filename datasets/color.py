"""CIELAB (D65) and the eight-bit form in which posters are stored.

L in [0, 100] is stored as ``uint8``, scaled by 255/100. The color axes a and b are rounded to the
nearest integer and stored as ``int8``: white comes out of the conversion at a = -0.0025, which
truncation would put on the wrong side of the class edge at zero.
"""

import warnings

import numpy as np
from skimage.color import lab2rgb, rgb2lab

# Predicted colors may lie outside of sRGB, and even of what eyes can see: they are clipped.
warnings.filterwarnings("ignore", "Conversion from CIE-LAB, via XYZ")

L_SCALE = 255 / 100


def rgb_to_lab8(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Convert sRGB to the stored form of CIELAB.

    Args:
        rgb: ``uint8 [..., 3]``, or floats in [0, 1] of that shape.

    Returns:
        L as ``uint8 [...]`` (0 is black, 255 is white) and ab as ``int8 [..., 2]``.
    """
    if rgb.dtype == np.uint8:
        # Single precision is four times as fast, and within 1e-4 of double precision.
        rgb = rgb.astype(np.float32) / 255
    lab = rgb2lab(rgb)
    lightness = np.clip(np.rint(lab[..., 0] * L_SCALE), 0, 255).astype(np.uint8)
    return lightness, round_ab(lab[..., 1:])


def hex_color(rgb: np.ndarray) -> str:
    """Write an sRGB color ``uint8 [3]`` as ``#rrggbb``."""
    return "#" + bytes(rgb).hex()


def round_ab(ab: np.ndarray) -> np.ndarray:
    """Round ab of any real type to the nearest integers in [-128, 127], as ``int8``."""
    return np.clip(np.rint(ab), -128, 127).astype(np.int8)


def lab8_to_rgb(lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """Convert stored L ``uint8 [...]`` and ab (any real type, ``[..., 2]``) to sRGB ``uint8``.

    Colors outside of the sRGB gamut are clipped to it, channel by channel.
    """
    lab = np.concatenate(
        [
            (lightness.astype(np.float32) / np.float32(L_SCALE))[..., None],
            np.asarray(ab, np.float32),
        ],
        axis=-1,
    )
    # lab2rgb does not clip when it is given a gamut's outside in single precision.
    rgb = np.clip(lab2rgb(lab), 0, 1)
    return np.rint(rgb * 255).astype(np.uint8)
