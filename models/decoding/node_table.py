"""Smooth functions of a color that are known at the nodes of a grid."""

from keras import ops


def at_places(table, places):
    """Interpolate linearly between the nodes of a grid, along all its axes.

    `keras.ops.image.map_coordinates` does the same for one number a node; several cost hardly more
    than one.

    Args:
        table: n numbers at each node, ``float32 [n1, ..., nk, n]``.
        places: Where to read it, in nodes, one for each axis: ``float32 [...]``. Beyond the outer
            nodes, their values hold.

    Returns:
        ``float32 [..., n]``.
    """
    nodes = ops.reshape(table, (-1, table.shape[-1]))
    sides = table.shape[:-1]
    places = [ops.clip(place, 0, side - 1) for place, side in zip(places, sides, strict=True)]
    before = [
        ops.minimum(ops.floor(place), side - 2) for place, side in zip(places, sides, strict=True)
    ]
    shares = [(place - low)[..., None] for place, low in zip(places, before, strict=True)]
    before = [ops.cast(low, "int32") for low in before]

    def between(axis, index):
        if axis == len(sides):
            return ops.take(nodes, index, axis=0)
        first = index * sides[axis] + before[axis]
        low, high = between(axis + 1, first), between(axis + 1, first + 1)
        return low + shares[axis] * (high - low)

    return between(0, 0)
