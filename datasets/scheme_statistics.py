"""A library of color schemes from a prepared data set."""

from collections.abc import Callable

import numpy as np

from recolor.datasets.classes import cell_index
from recolor.datasets.color import L_SCALE
from recolor.datasets.input_pipeline import read_posters
from recolor.datasets.manifest import Manifest
from recolor.datasets.palette_library import PaletteLibrary
from recolor.datasets.palettes import CELLS
from recolor.datasets.posters import Box

BATCH_POSTERS = 16


def library_of(
    manifest: Manifest, schemes: int, progress: Callable[[int], None] = lambda count: None
) -> PaletteLibrary:
    """Cluster the training posters of a data set by their colors.

    Args:
        manifest: The data set.
        schemes: How many color schemes to make.
        progress: Called with the number of posters after each batch.

    Raises:
        DatasetError: If there are no training posters.
        PaletteError: If there are fewer than schemes.
    """
    counts, sums = [], np.zeros((4, CELLS))
    for batch in read_posters(manifest, "train", BATCH_POSTERS):
        for lightness, ab, box in zip(batch["lightness"], batch["ab"], batch["box"], strict=True):
            inside = Box(*box).slices
            cell = cell_index(ab[inside]).ravel()
            pixels = [np.ones(cell.shape), ab[inside][..., 0], ab[inside][..., 1]]
            pixels.append(lightness[inside][..., 0] / L_SCALE)
            found = np.stack([np.bincount(cell, values.ravel(), CELLS) for values in pixels])
            sums += found
            counts.append(found[0].astype(np.float32))
        progress(len(batch["box"]))
    mean_abl = (sums[1:] / np.maximum(sums[0], 1)).T
    origin = f"{len(counts)} training posters, data digest {manifest.digest}"
    return PaletteLibrary.make(np.array(counts), mean_abl, origin, schemes)
