"""Hints: how far a color wanted at one point reaches over the picture.

Pixels that look alike to the network, lie near and are about as light take a hint's color; no
training is needed for that.
"""

from dataclasses import dataclass

from keras import ops


@dataclass(frozen=True)
class Reach:
    """How far a hint reaches.

    Attributes:
        likeness: Difference of features, 1 - cosine, at which the effect falls to 1/e.
        distance: The same for the distance, in heights of the picture.
        lightness: The same for the difference of L.
    """

    likeness: float
    distance: float
    lightness: float


# Found on posters with true colors at random points. Under a palette most colors are right already,
# and a hint mends what is near; without one it must do for all that is like it.
UNDER_PALETTE = Reach(likeness=0.1, distance=0.3, lightness=15)
FREE = Reach(likeness=0.2, distance=0.5, lightness=25)


def hinted(features, lightness, hints, reach: Reach):
    """Find what hints say of every pixel.

    The hint i, at the pixel x_i with color c_i, reaches the pixel x with the strength::

        s_i = exp(-(1 - cos(f(x), f(x_i))) / likeness - |x - x_i|^2 / distance^2
                  - (L(x) - L(x_i))^2 / lightness^2)

    Args:
        features: The network's features f of a picture, ``[h, w, n]``.
        lightness: L in [0, 100], ``float32 [h, w]``.
        hints: x and y as shares of width and height, a and b: ``float32 [k, 4]``, k at least 1.
        reach: How far they reach.

    Returns:
        The color sum_i(s_i c_i) / sum_i(s_i), ``float32 [h, w, 2]``, and what it counts against
        the network's own, 1 - prod_i(1 - s_i), ``float32 [h, w, 1]``.
    """
    features = ops.cast(features, "float32")
    shape = ops.shape(lightness)
    height, width = (ops.cast(side, "float32") for side in shape)
    features = features / (ops.norm(features, axis=-1, keepdims=True) + 1e-6)
    column = ops.clip(ops.floor(hints[:, 0] * width), 0, width - 1)
    row = ops.clip(ops.floor(hints[:, 1] * height), 0, height - 1)
    place = ops.cast(row * width + column, "int32")
    flat = ops.reshape(features, (-1, features.shape[-1]))
    unlike = 1 - ops.matmul(flat, ops.transpose(ops.take(flat, place, axis=0)))
    light = ops.reshape(lightness, (-1, 1))
    lighter = light - ops.transpose(ops.take(light, place, axis=0))
    pixel = ops.arange(shape[0] * shape[1], dtype="int32")
    pixel_row, pixel_column = (
        ops.cast(number, "float32")[:, None] for number in (pixel // shape[1], pixel % shape[1])
    )
    squared = (((pixel_row - row) ** 2) + (pixel_column - column) ** 2) / height**2
    strength = ops.exp(
        -unlike / reach.likeness - squared / reach.distance**2 - (lighter / reach.lightness) ** 2
    )
    color = ops.matmul(strength, hints[:, 2:]) / (ops.sum(strength, -1, keepdims=True) + 1e-12)
    counts = 1 - ops.prod(1 - strength, axis=-1, keepdims=True)
    return ops.reshape(color, (*shape, 2)), ops.reshape(counts, (*shape, 1))
