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


# The light of every level of sRGB.
LIGHT = _linear(np.arange(256) / 255).astype(np.float32)
# The level of evenly spaced amounts of light: so many that it is off by 1/40 at most.
LEVELS = np.rint(255 * _level(np.arange(2**16) / (2**16 - 1))).astype(np.uint8)


def rgb_to_lightness(rgb):
    """Convert sRGB ``uint8 [..., 3]`` to L in [0, 100], ``float32 [..., 1]``."""
    y = ops.matmul(ops.take(LIGHT, ops.cast(rgb, "int32")), TO_XYZ[1:2].T.astype(np.float32))
    return 116 * _bent(y) - 16


def rgb_to_ab(rgb):
    """Convert sRGB ``uint8 [..., 3]`` to a and b, ``float32 [..., 2]``."""
    light = ops.take(LIGHT, ops.cast(rgb, "int32"))
    bent = _bent(ops.matmul(light, TO_XYZ.T.astype(np.float32)))
    x, y, z = (bent[..., axis] for axis in range(3))
    return ops.stack([500 * (x - y), 200 * (y - z)], axis=-1)


def lab_to_rgb(lightness, ab):
    """Convert L ``float32 [..., 1]`` and ab ``[..., 2]`` to sRGB ``uint8 [..., 3]``.

    Colors outside of the gamut are clipped to it, channel by channel.
    """
    y = (lightness[..., 0] + 16) / 116
    bent = ops.stack([y + ab[..., 0] / 500, y, ops.maximum(y - ab[..., 1] / 200, 0)], axis=-1)
    xyz = ops.where(bent > 0.2068966, bent * bent * bent, (bent - 16 / 116) / 7.787)
    light = ops.clip(ops.matmul(xyz, TO_RGB.T), 0, 1)
    return ops.take(LEVELS, ops.cast(light * (len(LEVELS) - 1) + 0.5, "int32"))


def _bent(xyz):
    return ops.where(xyz > 0.008856, xyz ** (1 / 3), xyz * 7.787 + 16 / 116)
