"""CIELAB (D65) for the pixels of a picture, in single precision and, where it saves time, by table.

`recolor.datasets.color` has the exact conversion, in double precision, of what is stored.
"""

import numpy as np
from keras import ops

# From linear sRGB to XYZ, in shares of the white point.
WHITE = np.array([0.95047, 1.0, 1.08883])
TO_XYZ = (
    np.array(
        [
            [0.412453, 0.357580, 0.180423],
            [0.212671, 0.715160, 0.072169],
            [0.019334, 0.119193, 0.950227],
        ]
    )
    / WHITE[:, None]
)
TO_RGB = np.linalg.inv(TO_XYZ).astype(np.float32)


def _linear(level):
    return np.where(level > 0.04045, ((level + 0.055) / 1.055) ** 2.4, level / 12.92)


def _level(linear):
    return np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)


# What every level of red, green and blue gives to X, Y and Z: ``[3, 3, 256]``.
LIGHTS = (TO_XYZ[..., None] * _linear(np.arange(256) / 255)).astype(np.float32)
# The level of evenly spaced amounts of light, enough of them to be off by 1/40 at most.
LEVELS = np.rint(255 * _level(np.arange(2**16) / (2**16 - 1))).astype(np.uint8)


def rgb_to_lightness(rgb):
    """Convert sRGB ``uint8 [..., 3]`` to L in [0, 100], ``float32 [..., 1]``."""
    return 116 * _bent(_xyz(rgb, 1))[..., None] - 16


def rgb_to_ab(rgb):
    """Convert sRGB ``uint8 [..., 3]`` to a and b, ``float32 [..., 2]``."""
    x, y, z = (_bent(_xyz(rgb, axis)) for axis in range(3))
    return ops.stack([500 * (x - y), 200 * (y - z)], axis=-1)


def lab_to_rgb(lightness, ab):
    """Convert L ``float32 [..., 1]`` and ab ``[..., 2]`` to sRGB ``uint8 [..., 3]``.

    Colors outside of the gamut are clipped to it, channel by channel.
    """
    y = (lightness[..., 0] + 16) / 116
    bent = (y + ab[..., 0] / 500, y, ops.maximum(y - ab[..., 1] / 200, 0))
    xyz = [_straight(one) for one in bent]
    # Channel by channel: products with matrices as small as these are slower.
    light = [sum(share * one for share, one in zip(row, xyz, strict=True)) for row in TO_RGB]
    number = ops.stack(light, axis=-1) * (len(LEVELS) - 1) + 0.5
    return ops.take(LEVELS, ops.cast(ops.clip(number, 0, len(LEVELS) - 1), "int32"))


def _xyz(rgb, axis):
    """Return X, Y or Z of sRGB ``uint8 [..., 3]``, as a share of the white point's."""
    levels = ops.cast(rgb, "int32")
    return sum(ops.take(LIGHTS[axis][channel], levels[..., channel]) for channel in range(3))


def _bent(xyz):
    # Several times as fast as a power.
    root = ops.exp(ops.log(ops.maximum(xyz, 0.008856)) / 3)
    return ops.where(xyz > 0.008856, root, xyz * 7.787 + 16 / 116)


def _straight(bent):
    return ops.where(bent > 0.2068966, bent * bent * bent, (bent - 16 / 116) / 7.787)
