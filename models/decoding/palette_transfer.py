"""Colors carried over to a palette's own distribution.

Decoding under a palette gets every class its share, but a pixel's color is a mean over classes, and
a mean is grayish. Iterative distribution transfer (F. Pitié, A. Kokaram and R. Dahyot, 2007) finds
how far each color would have to move for the picture's colors to be distributed as the palette is.
The move is made a smooth function of the color alone, so that even areas stay even.
"""

import numpy as np
from keras import ops

from recolor.models.decoding.node_table import at_places

PASSES = 5
ROUNDS = 4
# The moves are known at the nodes of a grid over the ab plane, from -128 to 128.
STEP = 4
NODES = 256 // STEP + 1
# Over how many nodes moves are averaged, and over how many where no pixel is near.
BLUR, REACH = 1.0, 6.0
# Moves are found on this many rows and columns of a picture's pixels.
CARRIED = 48
# Colors of less chroma are neutral, and stay so.
NEUTRAL = 5.0
# How far the pixels of a class are spread around its color.
SPREAD = 2.0
GOLDEN_RATIO = (1 + 5**0.5) / 2
# The numbers of a plane that fills as evenly (M. Roberts' R2 sequence).
PLASTIC = 1.32471795724474602596


def transfer_moves(ab, palette, colors):
    """Find the moves from a picture's colors to a palette's.

    Args:
        ab: The colors of some pixels from all over the picture, ``float32 [n, 2]``.
        palette: The share of each of K colors, ``float32 [K]``, with sum 1.
        colors: Their ab, ``float32 [K, 2]``.

    Returns:
        The way along a and b for every node of the ab plane: ``float32 [2, 65, 65]``.
    """
    ab = ops.cast(ab, "float32")
    axes = _axes()
    targets = _samples(palette, colors, ab.shape[0])
    # Along all axes at once, since every pass needs them.
    places = ops.sort(ops.matmul(axes, ops.transpose(targets)))

    # What the averaging at the nodes has evened out is found again, and added. (A Python loop would
    # make a graph of thousands of operations, which takes many seconds to build.)
    def more(_, moves):
        moved = move(ab, moves, 1.0)
        return moves + _at_nodes(ab, _transferred(moved, axes, places) - moved)

    return ops.fori_loop(0, PASSES, more, ops.zeros((2, NODES, NODES)))


def _axes():
    """Return the pairs of axes along which colors are transferred: ``[rounds, 2, 2]``."""
    # Multiples of the golden ratio fill a circle evenly, however many there are.
    angle = np.pi * (np.arange(ROUNDS) * GOLDEN_RATIO % 1)
    axes = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]], np.float32)
    return ops.convert_to_tensor(np.moveaxis(axes, -1, 0))


def _transferred(points, axes, places):
    """Return points ``[n, 2]`` moved to be distributed as targets are.

    ``places [rounds, 2, n]`` are where the targets lie along each of the axes, in order.
    """

    def turned(turn, points):
        moved = ops.matmul(axes[turn], points)
        # Every point takes the place of the target with the same rank.
        rank = ops.argsort(ops.argsort(moved))
        return ops.matmul(
            ops.transpose(axes[turn]), ops.take_along_axis(places[turn], rank, axis=-1)
        )

    return ops.transpose(ops.fori_loop(0, ROUNDS, turned, ops.transpose(points)))


def move(ab, moves, share):
    """Move colors ``float32 [..., 2]`` a share of the way, by what `transfer_moves` has found."""
    places = [(ab[..., 0] + 128) / STEP, (ab[..., 1] + 128) / STEP]
    return ab + share * at_places(moves, places)


def _samples(palette, colors, count: int):
    """Return colors ``[count, 2]`` of a palette, always the same ones."""
    number = np.arange(count)
    ends = ops.cumsum(palette)
    places = ops.convert_to_tensor((number + 0.5) / count, "float32") * ends[-1]
    before = ops.sum(ops.cast(ends < places[:, None], "int32"), axis=-1)
    chosen = ops.minimum(before, ends.shape[0] - 1)
    around = np.stack([number / PLASTIC, number / PLASTIC**2], axis=-1) % 1 * 2 - 1
    return ops.take(colors, chosen, axis=0) + (SPREAD * around).astype(np.float32)


def _at_nodes(ab, ways):
    """Average ways ``[n, 2]`` of colors ``[n, 2]`` at the nodes: ``[2, 65, 65]``."""
    node = ops.cast(ops.clip(ops.round((ab + 128) / STEP), 0, NODES - 1), "int32")
    counted = ops.concatenate([ways, ops.ones_like(ways[:, :1])], axis=-1)
    # The sums at all nodes: a product of matrices is faster than adding one color after the other.
    rows, columns = (ops.one_hot(node[:, axis], NODES) for axis in (0, 1))
    sums = ops.matmul(ops.transpose(counted)[:, None] * ops.transpose(rows), columns)
    number = np.arange(NODES)
    distance = (number[:, None] - number) ** 2 / 2
    near, far = (np.exp(-distance / width**2).astype(np.float32) for width in (BLUR, REACH))
    blurred = ops.matmul(ops.matmul(near, sums), near)
    blurred += 1e-3 * ops.matmul(ops.matmul(far, sums), far)
    nodes = np.indices((NODES, NODES), np.float32) * STEP - 128
    chromatic = 1 - np.exp(-(nodes**2).sum(axis=0) / (2 * NEUTRAL**2))
    return blurred[:2] / (blurred[2] + 1e-12) * chromatic
