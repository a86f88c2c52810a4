"""A library of color schemes from a prepared data set."""

from collections.abc import Callable

import numpy as np

from recolor.datasets.input_pipeline import read_posters
from recolor.datasets.manifest import Manifest
from recolor.datasets.palettes.library import PaletteLibrary
from recolor.datasets.palettes.palette import CELLS, cell_sums
from recolor.datasets.posters import Box

BATCH_POSTERS = 16


def library_of(
    manifest: Manifest, schemes: int, progress: Callable[[int], None] = lambda count: None
) -> PaletteLibrary:
    """Make schemes of the training posters of a data set.

    Args:
        manifest: The data set.
        schemes: How many to make, see `PaletteLibrary.make`.
        progress: Called with the number of posters after each batch.

    Raises:
        DatasetError: If there are no training posters.
        PaletteError: If fewer of them than schemes have color.
    """
    counts, sums = [], np.zeros((CELLS, 4))
    for batch in read_posters(manifest, "train", BATCH_POSTERS):
        for lightness, ab, box in zip(batch["lightness"], batch["ab"], batch["box"], strict=True):
            inside = Box(*box).slices
            found = cell_sums(lightness[inside][..., 0], ab[inside])
            sums += found
            counts.append(found[:, 0].astype(np.float32))
        progress(len(batch["box"]))
    mean_abl = sums[:, 1:] / np.maximum(sums[:, :1], 1)
    origin = f"{len(counts)} training posters, data digest {manifest.digest}"
    return PaletteLibrary.make(np.array(counts), mean_abl, origin, schemes)
