"""The steps by which single pixels get their colors.

None looks at another pixel, so pixels may be finished in parts of any size.
`recolor.models.recolorer.Recolorer.paint` chooses which steps there are. They are apart so that
each can be compiled, once, when it is needed for the first time.

Pixels are lists: their L is ``float32 [n, 1]``, their colors are ab ``float32 [n, 2]``, and their
lines, of `recolor.models.decoding.guided_upsampling`, are ``float32 [n, m]``.
"""

from keras import ops

from recolor.models.decoding.guided_upsampling import on_lines
from recolor.models.decoding.lab import rgb_to_ab
from recolor.models.decoding.palette_transfer import move
from recolor.models.decoding.vividness import vivid


def freely(lightness, lines, moves):
    """Return the colors without a palette; moves are of `vivid_moves`."""
    return vivid(lightness, on_lines(lines, lightness), moves)


def under_palette(lightness, lines, moves):
    """Return the colors under a palette; moves are of `transfer_moves`."""
    return move(on_lines(lines, lightness), moves, 1.0)


def mixed(ab, other, share):
    """Mix a share of colors with others."""
    return share * ab + (1 - share) * other


def with_hints(lightness, lines, ab):
    """Bring in hints; lines are of their color times how much it counts, and of that."""
    both = on_lines(lines, lightness)
    counts = ops.clip(both[:, 2:], 0, 1)
    return ab + counts * (both[:, :2] / ops.maximum(both[:, 2:], 1e-3) - ab)


def with_own_colors(rgb, ab, share):
    """Blend in a share of the picture's own colors, those of ``uint8 [n, 3]``."""
    return ab + share * (rgb_to_ab(rgb) - ab)
