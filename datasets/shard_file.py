"""Shards, written from the records of chunks."""

import hashlib
from pathlib import Path

from recolor.datasets.manifest import DatasetError
from recolor.datasets.records import RecordError, unframe

# A file, and where a framed record begins in it and how long it is, in bytes.
Part = tuple[Path, int, int]


def write_shard(shard: Path, parts: list[Part]) -> str:
    """Write records to a shard one after another, and return its sha256, in hex.

    Raises:
        DatasetError: If a record is damaged.
    """
    sha256 = hashlib.sha256()
    with shard.open("wb") as written:
        for file, offset, length in parts:
            with file.open("rb") as chunk:
                chunk.seek(offset)
                framed = chunk.read(length)
            try:
                unframe(framed)
            except RecordError:
                raise DatasetError(
                    f"{file} is damaged: remove {file.parent} and run the same command again"
                ) from None
            written.write(framed)
            sha256.update(framed)
    return sha256.hexdigest()
