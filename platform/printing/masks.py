"""Masks of a picture's swatches: where each is, for spot colors, varnish or an editor."""

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFilter
from skimage.color import rgb2lab

from recolor.datasets.swatches import Swatch, Swatches

# Colors along each axis of a table, the most that Pillow takes.
GRID = 65
# Masks are made three at a time, as the channels of an RGB picture.
TOGETHER = 3


def swatch_masks(picture: Image.Image) -> Iterator[tuple[list[Swatch], Image.Image]]:
    """Make the masks of a picture's swatches, which are those that `recolor apply --json` names.

    A pixel belongs to swatches by its color alone, as `Swatches.memberships` tells. All masks
    together are 255.

    Args:
        picture: RGB.

    Yields:
        At most three swatches, the largest first, and a picture of the same size whose channels are
        their masks: 255 where a pixel belongs to a swatch wholly.
    """
    swatches = Swatches.of(picture)
    levels = np.linspace(0, 1, GRID, dtype=np.float32)
    # The table's first axis is red, which varies fastest.
    blue, green, red = np.meshgrid(levels, levels, levels, indexing="ij")
    lab = rgb2lab(np.stack([red, green, blue], axis=-1).reshape(-1, 3)).astype(np.float32)
    fine = swatches.memberships(lab)
    merged = np.zeros((len(lab), TOGETHER * -(-len(swatches.merged) // TOGETHER)), np.float32)
    for number, group in enumerate(swatches.groups):
        merged[:, group] += fine[:, number]
    for first in range(0, len(swatches.merged), TOGETHER):
        table = merged[:, first : first + TOGETHER].ravel().tolist()
        lookup = ImageFilter.Color3DLUT(GRID, table, target_mode="RGB")
        yield swatches.merged[first : first + TOGETHER], picture.filter(lookup)
