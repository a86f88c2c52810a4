"""Dividing posters into splits, and writing these."""

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from itertools import chain
from operator import add
from pathlib import Path

import numpy as np

from recolor.datasets.checksums import file_digest
from recolor.datasets.chunks import Index, Part, add_up, index_file, write_shard
from recolor.datasets.classes import GRID, cell_index
from recolor.datasets.listing import FILE_NAME as LISTING
from recolor.datasets.listing import Listed, write_listing
from recolor.datasets.near_duplicates import group_near_duplicates
from recolor.datasets.reading import Found
from recolor.datasets.splits import SPLITS, assign_splits, shuffle_key

SHARD_POSTERS = 500
# Pixels in each cell, the sums of a and b, and the number of pixels: see `add_up`.
Colors = tuple[np.ndarray, np.ndarray, int]


def write_splits(
    folder: Path, found: Found, pool: Executor, size: int, split: tuple[float, ...], seed: int
) -> dict:
    """Divide the posters and write all shards; return what the manifest says about it."""
    groups = group_near_duplicates(found.fingerprint)
    contents = found.contents
    assigned = np.array(assign_splits(contents, groups, split, seed), object)
    chosen = [assigned == name for name in SPLITS]
    names, colors = names_and_colors(found, chosen)
    splits, listed = {}, []
    for name, of_split, its_colors in zip(SPLITS, chosen, colors, strict=True):
        order = shuffled(np.flatnonzero(of_split), contents, seed)
        splits[name], more = write_split(folder, name, found, order, names, its_colors, pool, size)
        listed.append(more)
    write_listing(folder / LISTING, chain.from_iterable(listed))
    posters = {
        "used": sum(one["count"] for one in splits.values()),
        "groups_of_near_duplicates": int(np.sum(np.bincount(groups) > 1)),
    }
    return {"posters": posters, "splits": splits, "listing": listing_entry(folder / LISTING)}


def shuffled(posters: np.ndarray, contents: list[str], seed: int) -> list[int]:
    """Return posters in the random order of a seed.

    Those with the same content are in the order of their names, which is that of their numbers.
    """
    return sorted(posters.tolist(), key=lambda one: (shuffle_key(contents[one], seed), one))


def write_split(
    folder: Path,
    name: str,
    found: Found,
    order: list[int],
    names: list[str],
    colors: Colors,
    pool: Executor,
    size: int,
) -> tuple[dict, Iterator[Listed]]:
    """Write posters to shards.

    Args:
        folder: Where to.
        name: What the shards' names begin with.
        found: All posters.
        order: Which of them, one after another.
        names: The ids of all.
        colors: Those of this split.
        pool: Processes that write shards.
        size: Side of the squares in pixels.

    Returns:
        What the manifest says of a split, and of each poster in it.
    """
    cells, ab_sum, pixels = colors
    # What is around the posters in their squares is trained on as well.
    cells = cells.copy()
    cells[cell_index(np.zeros(2, int))] += len(order) * size**2 - pixels
    shards = _write_shards(folder, name, [found.part(one) for one in order], pool)
    places = [shard["name"] for shard in shards for _ in range(shard["count"])]
    listed = (
        Listed(
            shard=place,
            id=names[one],
            sha256=found.contents[one],
            fingerprint=found.fingerprint[one].tobytes().hex(),
        )
        for place, one in zip(places, order, strict=True)
    )
    content = {
        "count": len(order),
        "shards": shards,
        "cells": {str(cell): int(cells[cell]) for cell in np.flatnonzero(cells)},
        "ab_sum": ab_sum.tolist(),
        "pixels": pixels,
        "members": members_digest(found.contents[one] for one in order),
    }
    return content, listed


def members_digest(contents: Iterable[str]) -> str:
    """Digest which posters a split has."""
    return hashlib.sha256("\n".join(sorted(contents)).encode()).hexdigest()


def listing_entry(file: Path) -> dict:
    """Return what the manifest says of a listing."""
    return {"name": file.name, "sha256": file_digest(file)}


def names_and_colors(found: Found, splits: list[np.ndarray]) -> tuple[list[str], list[Colors]]:
    """Read what is not held in memory, once for all splits.

    Args:
        found: All posters.
        splits: Which of them each split has, ``bool [n]``.

    Returns:
        The ids of all posters, and the colors of each split.
    """
    names: list[str] = []
    colors = [(np.zeros(GRID * GRID, np.int64), np.zeros(2, np.int64), 0) for _ in splits]
    for chunk in found.chunks:
        index = Index.load(index_file(chunk))
        of_chunk = slice(len(names), len(names) + len(index.names))
        for number, chosen in enumerate(splits):
            more = add_up(index, chosen[of_chunk])
            colors[number] = tuple(map(add, colors[number], more))
        names += index.names
    return names, colors


def _write_shards(folder: Path, split: str, parts: list[Part], pool: Executor) -> list[dict]:
    """Write a split's shards; return what the manifest says of them."""
    cut = [parts[start : start + SHARD_POSTERS] for start in range(0, len(parts), SHARD_POSTERS)]
    names = [f"{split}-{number:05d}-of-{len(cut):05d}.tfrecord" for number in range(len(cut))]
    digests = pool.map(write_shard, [folder / name for name in names], cut)
    return [
        {"name": name, "count": len(part), "sha256": sha256}
        for name, part, sha256 in zip(names, cut, digests, strict=True)
    ]
