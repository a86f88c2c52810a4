"""``posters.csv``: which posters a data set holds, in which shard, and what tells them from others.

It is what a damaged shard is made again from, and what new posters are compared with.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from recolor.datasets.checksums import file_digest
from recolor.datasets.manifest import DatasetError, Manifest
from recolor.datasets.records import how_to_repair

FILE_NAME = "posters.csv"


@dataclass(frozen=True)
class Listed:
    """A poster of a data set.

    Attributes:
        shard: The name of its shard.
        id: Its id.
        sha256: Hex digest of its file's content.
        fingerprint: See `recolor.datasets.posters.Poster`, in hex.
    """

    shard: str
    id: str
    sha256: str
    fingerprint: str


def listed_in(manifest: Manifest) -> list[Listed]:
    """Return the posters of a data set.

    Raises:
        DatasetError: If its listing is damaged.
    """
    file = manifest.listing
    if file_digest(file) != manifest.files[file]:
        raise DatasetError(f"{file} is damaged: run `recolor verify`")
    return list(read_listing(file))


def fingerprints(posters: Iterable[Listed]) -> np.ndarray:
    """Return the posters' fingerprints, ``uint8 [n, 32]``."""
    text = "".join(poster.fingerprint for poster in posters)
    return np.frombuffer(bytes.fromhex(text), np.uint8).reshape(-1, 32)


def write_listing(file: Path, posters: Iterable[Listed]) -> None:
    """Write a listing."""
    # Names of files need not be text.
    with file.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow([field.name for field in fields(Listed)])
        rows.writerows(vars(poster).values() for poster in posters)


def read_listing(file: Path) -> Iterator[Listed]:
    """Read a listing, in the order of shards, and of posters in them.

    Raises:
        DatasetError: If it can't be read.
    """
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
        rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        if next(rows) != [field.name for field in fields(Listed)]:
            raise ValueError
        yield from (Listed(*row) for row in rows)
    except (OSError, ValueError, TypeError, StopIteration, csv.Error):
        raise DatasetError(f"{file} is missing or damaged: {how_to_repair(file.parent)}") from None
