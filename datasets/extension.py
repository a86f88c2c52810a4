"""New posters for a data set that is there: they are trained on, and nothing else changes.

What was held out stays held out, and stays the same: metrics before and after can be compared.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recolor.datasets.division import (
    listing_entry,
    members_digest,
    names_and_colors,
    shuffled,
    write_split,
)
from recolor.datasets.embeddings.catalog import embedding_of
from recolor.datasets.folder_lock import folder_lock
from recolor.datasets.inputs import Place, find_inputs
from recolor.datasets.listing import Listed, fingerprints, listed_in, write_listing
from recolor.datasets.manifest import DatasetError, Manifest
from recolor.datasets.near_duplicates import group_near_duplicates
from recolor.datasets.preparation import begin, finish
from recolor.datasets.reading import Form, Found, read_all, reading_pool, writing_to
from recolor.datasets.skipped import SKIPPED_FILE


@dataclass(frozen=True)
class Extension:
    """What came of it.

    Attributes:
        manifest: The data set.
        added: How many posters are new in it.
        known: How many were in it already.
        held_out: How many were left out, since they are like posters that are held out.
        skipped: Name and reason of each image that can't be used.
    """

    manifest: Manifest
    added: int
    known: int
    held_out: int
    skipped: list[tuple[str, str]]


def extend(
    inputs: list[Place],
    folder: Path,
    *,
    embedding: str | None = None,
    workers: int,
    progress: Callable[[int, int, int], None] = lambda done, total, skipped: None,
    draw: Callable[[Manifest], None] = lambda manifest: None,
) -> Extension:
    """Add posters to the training posters of a data set; those that it has are not read again.

    A new poster that is like one of the validation or test posters is left out.

    Args:
        inputs: Folders and files, in object storage too.
        folder: The data set's.
        embedding: The one that the data set has; it need only be given where it is a file.
        workers, progress, draw: As for `recolor.datasets.preparation.prepare`.

    Raises:
        DatasetError: If there is no data set, it has another embedding, or there is no new poster.
        LockError: If another process is at it.
        ImageError, EmbeddingError: If the inputs or the embedding can't be used.
    """
    files = find_inputs(inputs, leave_out=folder)
    with ExitStack() as held:
        manifest = Manifest.load(folder)
        described_by = embedding_of(manifest, embedding)
        with writing_to(folder):
            held.enter_context(folder_lock(folder))
            scratch = begin(folder, overwrite=True)
        old = listed_in(manifest)
        readers = held.enter_context(reading_pool(workers))
        form = Form(manifest.size, described_by, manifest.compression)
        found = read_all(files, folder, scratch, form, readers, progress)
        with writing_to(folder):
            known, like_held_out = _compare(manifest, old, found)
            is_new = ~known & ~like_held_out
            chosen = np.flatnonzero(is_new)
            counts = {
                "known": int(known.sum()),
                "held_out": int((like_held_out & ~known).sum()),
                "skipped": found.skipped,
            }
            if not len(chosen):
                shutil.rmtree(scratch)
                raise DatasetError(f"none of the {len(files)} images is new in {folder}")
            whole = scratch / "whole"
            whole.mkdir()
            seed = manifest.content["settings"]["seed"]
            order = shuffled(chosen, found.contents, seed)
            number = manifest.content.get("extensions", 0) + 1
            name = f"train-added{number}"
            names, (colors,) = names_and_colors(found, [is_new])
            added, listed = write_split(
                whole, name, found, order, names, colors, readers.pool, manifest.size
            )
            training = {shard.name for shard in manifest.shards("train")}
            # In the order of the shards.
            every = [*(one for one in old if one.shard in training), *listed]
            every += [one for one in old if one.shard not in training]
            listing = whole / f"posters-{number}.csv"
            write_listing(listing, every)
            content = _content(manifest, added, every, len(files), len(found.skipped))
            content |= {"extensions": number, "listing": listing_entry(listing)}
            for shard in manifest.files:
                _link(shard, whole / shard.name)
            before = (folder / SKIPPED_FILE).read_text(errors="surrogateescape").splitlines()[1:]
            skipped = [tuple(line.split("\t", 1)) for line in before] + found.skipped
            finish(whole, folder, content, skipped, draw)
            shutil.rmtree(scratch)
    return Extension(Manifest.load(folder), len(chosen), **counts)


def _compare(manifest: Manifest, old: list[Listed], found: Found) -> tuple[np.ndarray, np.ndarray]:
    """Tell which posters the data set has, and which are like those that are held out."""
    contents = {poster.sha256 for poster in old}
    known = np.array([content in contents for content in found.contents])
    training = {shard.name for shard in manifest.shards("train")}
    is_held_out = np.array([poster.shard not in training for poster in old])
    groups = group_near_duplicates(np.concatenate([fingerprints(old), found.fingerprint]))
    return known, np.isin(groups[len(old) :], groups[: len(old)][is_held_out])


def _content(
    manifest: Manifest, added: dict, listed: list[Listed], found: int, skipped: int
) -> dict:
    """Return what the manifest says of the larger data set."""
    content = {**manifest.content}
    train, posters = content["splits"]["train"], content["posters"]
    shards = [*train["shards"], *added["shards"]]
    names = {shard["name"] for shard in shards}
    cells = {int(cell): count for cell, count in train["cells"].items()}
    for cell, count in added["cells"].items():
        cells[int(cell)] = cells.get(int(cell), 0) + count
    larger = {
        "count": train["count"] + added["count"],
        "shards": shards,
        "cells": {str(cell): cells[cell] for cell in sorted(cells)},
        "ab_sum": [a + b for a, b in zip(train["ab_sum"], added["ab_sum"], strict=True)],
        "pixels": train["pixels"] + added["pixels"],
        "members": members_digest(one.sha256 for one in listed if one.shard in names),
    }
    groups = np.bincount(group_near_duplicates(fingerprints(listed)))
    content["splits"] = {**content["splits"], "train": larger}
    content["posters"] = {
        "found": posters["found"] + found,
        "skipped": posters["skipped"] + skipped,
        "used": len(listed),
        "groups_of_near_duplicates": int(np.sum(groups > 1)),
    }
    return content


def _link(file: Path, other: Path) -> None:
    """Give a file another name; a copy where the file system has no such thing."""
    try:
        os.link(file, other)
    except OSError:
        shutil.copy(file, other)
