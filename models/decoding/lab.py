"""CIELAB (D65) for the pixels of a picture, in single precision and, where it saves time, by table.

`recolor.datasets.color` has the exact conversion, in double precision, of what is stored.
"""

import numpy as np
from keras import ops

from recolor.datasets.color import TO_RGB, TO_XYZ, linear_of_srgb, srgb_of_linear

# What every level of red, green and blue gives to X, Y and Z: ``[3, 3, 256]``.
LIGHTS = (TO_XYZ[..., None] * linear_of_srgb(np.arange(256) / 255)).astype(np.float32)
# The level of evenly spaced amounts of light, enough of them to be off by 1/40 at most.
LEVELS = np.rint(255 * srgb_of_linear(np.arange(2**16) / (2**16 - 1))).astype(np.uint8)


def rgb_to_lightness(rgb):
    """Convert sRGB ``uint8 [..., 3]`` to L in [0, 100], ``float32 [..., 1]``."""
    return _lightness(_bent(_xyz(rgb, 1)))[..., None]


def rgb_to_ab(rgb):
    """Convert sRGB ``uint8 [..., 3]`` to a and b, ``float32 [..., 2]``."""
    return ops.stack(_ab(*(_bent(_xyz(rgb, axis)) for axis in range(3))), axis=-1)


def light_to_lab(light):
    """Convert linear sRGB in [0, 1], ``float32 [..., 3]``, to L, a and b, ``float32 [..., 3]``."""
    xyz = ops.matmul(light, ops.convert_to_tensor(TO_XYZ.T, "float32"))
    x, y, z = ops.unstack(_bent(xyz), axis=-1)
    return ops.stack([_lightness(y), *_ab(x, y, z)], axis=-1)


def lab_to_rgb(lightness, ab):
    """Convert L ``float32 [..., 1]`` and ab ``[..., 2]`` to sRGB ``uint8 [..., 3]``.

    Colors outside of the gamut are clipped to it, channel by channel.
    """
    y = (lightness[..., 0] + 16) / 116
    bent = (y + ab[..., 0] / 500, y, ops.maximum(y - ab[..., 1] / 200, 0))
    xyz = [_straight(one) for one in bent]
    # Channel by channel: products with matrices as small as these are slower.
    shares = TO_RGB.astype(np.float32)
    light = [sum(share * one for share, one in zip(row, xyz, strict=True)) for row in shares]
    number = ops.stack(light, axis=-1) * (len(LEVELS) - 1) + 0.5
    return ops.take(LEVELS, ops.cast(ops.clip(number, 0, len(LEVELS) - 1), "int32"))


def _xyz(rgb, axis):
    """Return X, Y or Z of sRGB ``uint8 [..., 3]``, as a share of the white point's."""
    levels = ops.cast(rgb, "int32")
    return sum(ops.take(LIGHTS[axis][channel], levels[..., channel]) for channel in range(3))


def _lightness(y):
    return 116 * y - 16


def _ab(x, y, z):
    return 500 * (x - y), 200 * (y - z)


def _bent(xyz):
    # Several times as fast as a power.
    root = ops.exp(ops.log(ops.maximum(xyz, 0.008856)) / 3)
    return ops.where(xyz > 0.008856, root, xyz * 7.787 + 16 / 116)


def _straight(bent):
    return ops.where(bent > 0.2068966, bent * bent * bent, (bent - 16 / 116) / 7.787)
