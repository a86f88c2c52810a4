"""CIELAB (D65) for the pixels of a picture, in single precision.

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
TO_RGB = np.linalg.inv(TO_XYZ)


def rgb_to_lab(rgb):
    """Convert sRGB in [0, 1], ``float32 [..., 3]``, to L in [0, 100] and ab."""
    linear = ops.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = ops.matmul(linear, TO_XYZ.T.astype(np.float32))
    bent = ops.where(xyz > 0.008856, xyz ** (1 / 3), xyz * 7.787 + 16 / 116)
    x, y, z = (bent[..., axis] for axis in range(3))
    return ops.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def lab_to_rgb(lab):
    """Convert L and ab, ``float32 [..., 3]``, to sRGB, clipped to [0, 1] channel by channel."""
    y = (lab[..., 0] + 16) / 116
    bent = ops.stack([y + lab[..., 1] / 500, y, ops.maximum(y - lab[..., 2] / 200, 0)], axis=-1)
    xyz = ops.where(bent > 0.2068966, bent**3, (bent - 16 / 116) / 7.787)
    # Outside of the gamut a channel may be negative, which has no root.
    linear = ops.maximum(ops.matmul(xyz, TO_RGB.T.astype(np.float32)), 0)
    rgb = ops.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    return ops.clip(rgb, 0, 1)
