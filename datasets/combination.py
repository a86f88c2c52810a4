"""Several data sets that are read as one: the others add to the training posters of the first.

Held out is what the first one holds out, and nothing like it is learned from: metrics with and
without the others can be compared.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from recolor.datasets.classes import count_cells
from recolor.datasets.dataset_info import DatasetError, DatasetInfo
from recolor.datasets.division import members_digest
from recolor.datasets.input_pipeline import Posters
from recolor.datasets.inputs import Place
from recolor.datasets.listing import Listed, fingerprints, listed_in
from recolor.datasets.manifest import Manifest, digest
from recolor.datasets.near_duplicates import group_near_duplicates
from recolor.datasets.posters import Box


@dataclass(frozen=True)
class Combination(DatasetInfo):
    """Several data sets as one; folder, place and settings are those of the first.

    Its content has the digests of all ``data_sets``.

    Attributes:
        data_sets: The data sets.
        known: Which training posters are left out since an earlier data set has them; numbers
            among those of all data sets, one after another.
        like_held_out: Which ones are left out since they are like a validation or test poster.
    """

    _: KW_ONLY
    data_sets: tuple[Manifest, ...]
    known: list[int]
    like_held_out: list[int]

    def __str__(self) -> str:
        """Name all data sets."""
        return " and ".join(map(str, self.data_sets))

    @property
    def parts(self) -> tuple[Manifest, ...]:
        """The data sets."""
        return self.data_sets

    def check_unchanged(self) -> None:
        """Check that no folder holds another data set meanwhile."""
        for part in self.data_sets:
            part.check_unchanged()

    def shards(self, split: str) -> list[Path]:
        """Return the paths of a split's shards."""
        if split != "train":
            return self.data_sets[0].shards(split)
        return [shard for part in self.data_sets for shard in part.shards(split)]

    def left_out(self, split: str) -> list[int]:
        """Return which posters of a split's shards are not read, by number."""
        return sorted([*self.known, *self.like_held_out]) if split == "train" else []


def load_data(places: Sequence[Place]) -> DatasetInfo:
    """Read a data set, or several as one.

    Args:
        places: Their folders, in object storage too.

    Raises:
        DatasetError: See `Manifest.load` and `combine`.
        StorageError: If object storage can't be read.
    """
    data_sets = [Manifest.load(place) for place in places]
    return combine(data_sets) if len(data_sets) > 1 else data_sets[0]


def combine(data_sets: Sequence[Manifest]) -> Combination:
    """Add the training posters of data sets to those of the first.

    Those that an earlier data set has are left out, and those that are like a validation or test
    poster of the first. The others' own validation and test posters are not used.

    Raises:
        DatasetError: If one is given twice, adds nothing, is damaged, or is of another size or
            embedding than the first.
    """
    first = data_sets[0]
    _check(data_sets)
    training, held_out = _listed(first)
    listed = [training, *(_listed(other)[0] for other in data_sets[1:])]
    every = list(chain(*listed))
    # The number of each poster's data set.
    owner = np.repeat(np.arange(len(listed)), list(map(len, listed)))
    groups = group_near_duplicates(fingerprints([*held_out, *every]))
    like_held_out = (owner > 0) & np.isin(groups[len(held_out) :], groups[: len(held_out)])
    owner_of_content: dict[str, int] = {}
    for poster, number in zip(every, owner, strict=True):
        owner_of_content.setdefault(poster.sha256, number)
    known = owner > [owner_of_content[poster.sha256] for poster in every]
    known &= ~like_held_out
    read = ~(known | like_held_out)
    for number, other in enumerate(data_sets[1:], 1):
        if not read[owner == number].any():
            raise DatasetError(
                f"{other} adds no training posters to {first}: leave it out (those that are there "
                "already, or like posters that are held out, don't count)"
            )
    content = {name: first.content[name] for name in ("format", "settings")}
    if "embedding_file" in first.content:
        content["embedding_file"] = first.content["embedding_file"]
    content["data_sets"] = [one.digest for one in data_sets]
    train = {
        "count": int(read.sum()),
        "members": members_digest(every[number].sha256 for number in np.flatnonzero(read)),
        **_colors(data_sets, owner, read),
    }
    content["splits"] = {**first.content["splits"], "train": train}
    content["digest"] = digest(content)
    return Combination(
        first.folder,
        content,
        first.place,
        data_sets=tuple(data_sets),
        known=np.flatnonzero(known).tolist(),
        like_held_out=np.flatnonzero(like_held_out).tolist(),
    )


def _check(data_sets: Sequence[Manifest]) -> None:
    """Check that data sets can be combined."""
    first, seen = data_sets[0], {}
    for one in data_sets:
        if same := seen.get(one.digest):
            raise DatasetError(f"{one} is the same data set as {same}: give it once")
        seen[one.digest] = one
        if one.size != first.size:
            raise DatasetError(
                f"{one} has squares of {one.size} pixels, and {first} of {first.size}: prepare "
                "both with the same `size`"
            )
        if one.content["settings"]["embedding"] != first.content["settings"]["embedding"]:
            raise DatasetError(
                f"{one} was prepared with the embedding {one.embedding_id}, and {first} with "
                f"{first.embedding_id}: prepare both with the same `embedding`"
            )


def _listed(manifest: Manifest) -> tuple[list[Listed], list[Listed]]:
    """Return a data set's training posters, in the order of its shards, and the others."""
    shards = {shard.name for shard in manifest.shards("train")}
    training, others = [], []
    for poster in listed_in(manifest):
        (training if poster.shard in shards else others).append(poster)
    return training, others


def _colors(data_sets: Sequence[Manifest], owner: np.ndarray, read: np.ndarray) -> dict:
    """Return what is said of the colors of training posters: all of them, less those not read."""
    trains = [one.content["splits"]["train"] for one in data_sets]
    cells = sum(one.cell_counts("train") for one in data_sets)
    ab_sum = np.sum([train["ab_sum"] for train in trains], axis=0)
    pixels = sum(train["pixels"] for train in trains)
    for number, one in enumerate(data_sets):
        left_out = np.flatnonzero(~read[owner == number])
        posters = Posters(one, "train") if len(left_out) else None
        for poster in (posters[each] for each in left_out):
            inside = poster["ab"][Box.of(poster).slices]
            cells = cells - count_cells(poster["ab"])
            ab_sum = ab_sum - inside.sum(axis=(0, 1), dtype=np.int64)
            pixels -= inside.shape[0] * inside.shape[1]
    return {
        "cells": {str(cell): int(cells[cell]) for cell in np.flatnonzero(cells)},
        "ab_sum": ab_sum.tolist(),
        "pixels": pixels,
    }
