"""Colors brought to a higher resolution along the edges of the lightness.

The fast guided filter (K. He and J. Sun, 2015): around every pixel of the small picture, color is
fitted as a line in lightness, color = slope * L + offset; the lines are resized instead of the
colors and take the large picture's own lightness. Colors then end where the picture has an edge,
instead of bleeding over it by the width of a small picture's pixel.

The large picture is never held as a whole: lines are resized to its width once, and to its rows
where and when these are finished.
"""

from keras import ops

# Variance of L, in [0, 100], that is taken for noise rather than for an edge.
EPSILON = 4.0


def fitted_lines(ab, lightness, radius: int):
    """Fit colors as lines in lightness.

    Args:
        ab: Colors of a small picture, or other values, ``float32 [h, w, n]``.
        lightness: Its L in [0, 100], ``float32 [h, w, 1]``.
        radius: Half the side of the window that a line is fitted in, in pixels.

    Returns:
        The n slopes and the n offsets, ``float32 [h, w, 2n]``.
    """

    def window_mean(picture):
        # Over the part of the window that is inside of the picture. One side after the other, since
        # the cost of each is that of the window's size.
        side = 2 * radius + 1
        for window in ((side, 1), (1, side)):
            picture = ops.average_pool(picture[None], window, 1, "same")[0]
        return picture

    # All means at once: for several numbers a pixel they cost hardly more than for one.
    both = ops.concatenate([lightness, ab], axis=-1)
    means, mean_products = ops.split(
        window_mean(ops.concatenate([both, lightness * both], axis=-1)), 2, axis=-1
    )
    mean_lightness, mean_ab = means[..., :1], means[..., 1:]
    products = mean_products - mean_lightness * means
    variance, covariance = products[..., :1], products[..., 1:]
    slope = covariance / (variance + EPSILON)
    offset = mean_ab - slope * mean_lightness
    return window_mean(ops.concatenate([slope, offset], axis=-1))


def interpolated(lines, places, count, axis: int):
    """Return some rows, or columns, of lines that are resized bilinearly.

    Args:
        lines: ``float32 [h, w, m]``.
        places: Which ones, ``int32 [k]``.
        count: How many there are in the resized whole.
        axis: 0 for rows, 1 for columns.

    Returns:
        ``float32 [k, w, m]`` or ``float32 [h, k, m]``.
    """
    last = ops.shape(lines)[axis] - 1
    scale = ops.cast(last + 1, "float32") / ops.cast(count, "float32")
    place = (ops.cast(places, "float32") + 0.5) * scale - 0.5
    before = ops.floor(place)
    share = place - before
    share = share[:, None, None] if axis == 0 else share[:, None]
    before = ops.cast(before, "int32")
    low, high = (
        ops.take(lines, ops.clip(number, 0, last), axis=axis) for number in (before, before + 1)
    )
    return low + share * (high - low)


def on_lines(lines, lightness):
    """Return the colors ``float32 [..., n]`` that lines ``[..., 2n]`` give a lightness."""
    slope, offset = ops.split(lines, 2, axis=-1)
    return slope * lightness + offset
