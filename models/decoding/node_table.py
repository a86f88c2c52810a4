"""Smooth functions of a color that are known at the nodes of a grid."""

import math
from itertools import product

from keras import ops


def at_places(table, places):
    """Interpolate linearly between the nodes of a grid, along all its axes.

    Args:
        table: n numbers of each node, ``float32 [n, n1, ..., nk]``.
        places: Where to read it, in nodes, one for each axis: ``float32 [...]``. Beyond the outer
            nodes, their values hold.

    Returns:
        ``float32 [..., n]``.
    """
    sides = table.shape[1:]
    steps = [math.prod(sides[axis + 1 :]) for axis in range(len(sides))]
    places = [ops.clip(place, 0, side - 1) for place, side in zip(places, sides, strict=True)]
    before = [
        ops.minimum(ops.cast(place, "int32"), side - 2)
        for place, side in zip(places, sides, strict=True)
    ]
    shares = [place - ops.cast(low, place.dtype) for place, low in zip(places, before, strict=True)]
    first = sum(low * step for low, step in zip(before, steps, strict=True))
    corners = [sum(corner) for corner in product(*((0, step) for step in steps))]
    corners = {corner: first + corner for corner in corners}

    def between(nodes, axis, corner):
        if axis == len(sides):
            return ops.take(nodes, corners[corner])
        low = between(nodes, axis + 1, corner)
        high = between(nodes, axis + 1, corner + steps[axis])
        return low + shares[axis] * (high - low)

    # Number by number, which a compiler makes far better use of than of pairs.
    return ops.stack([between(nodes, 0, 0) for nodes in ops.unstack(table)], axis=-1)
