"""Colors brought to a higher resolution along the edges of the lightness.

The fast guided filter (K. He and J. Sun, 2015): around every pixel of the small picture, color is
fitted as a line in lightness, color = slope * L + offset; the lines are resized instead of the
colors and take the large picture's own lightness. Colors then end where the picture has an edge,
instead of bleeding over it by the width of a small picture's pixel.
"""

from collections.abc import Callable

from keras import ops

# Variance of L, in [0, 100], that is taken for noise rather than for an edge.
EPSILON = 4.0


def guided_upsampling(
    ab, small_lightness, lightness, radius: int, resize: Callable = ops.image.resize
):
    """Upsample colors.

    Args:
        ab: Colors of the small pictures, or other values, ``float32 [batch, h, w, n]``.
        small_lightness: Their L in [0, 100], ``float32 [batch, h, w, 1]``.
        lightness: L of the large pictures, ``float32 [batch, H, W, 1]``.
        radius: Half the side of the window that a line is fitted in, in pixels of the small ones.
        resize: What resizes pictures ``[batch, h, w, 2n]`` to (H, W), bilinearly.

    Returns:
        ``float32 [batch, H, W, n]``.
    """

    def window_mean(pictures):
        # Over the part of the window that is inside of the picture. One side after the other, since
        # the cost of each is that of the window's size.
        side = 2 * radius + 1
        for window in ((side, 1), (1, side)):
            pictures = ops.average_pool(pictures, window, 1, "same")
        return pictures

    mean_lightness, mean_ab = window_mean(small_lightness), window_mean(ab)
    variance = window_mean(small_lightness**2) - mean_lightness**2
    covariance = window_mean(small_lightness * ab) - mean_lightness * mean_ab
    slope = covariance / (variance + EPSILON)
    offset = mean_ab - slope * mean_lightness
    lines = window_mean(ops.concatenate([slope, offset], axis=-1))
    lines = resize(lines, ops.shape(lightness)[1:3])
    slope, offset = ops.split(lines, 2, axis=-1)
    return slope * lightness + offset
