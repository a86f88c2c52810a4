"""Chunks: the posters of a few files, read and serialized by one process; and shards made of them.

Only paths go to that process, and nothing comes back: what it found lies in two files, the records
and an index of them.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recolor.datasets.atomic_file import atomic_write
from recolor.datasets.classes import GRID, count_cells
from recolor.datasets.embeddings.embedding import BATCH, Embed
from recolor.datasets.manifest import DatasetError
from recolor.datasets.posters import Poster, try_read_poster
from recolor.datasets.records import RecordError, frame, unframe
from recolor.datasets.shards import parse, serialize, with_embedding

# A file, and where a framed record begins in it and how long it is, in bytes.
Part = tuple[Path, int, int]


@dataclass(frozen=True)
class Index:
    """What is known of a chunk's n posters, in the order of their records.

    Attributes:
        names: Their ids.
        sha256: Digests of their files, ``uint8 [n, 32]``.
        fingerprint: See `Poster`, ``uint8 [n, 32]``.
        offset: Where each framed record begins in the file, and where the last one ends,
            ``int64 [n + 1]``.
        cells, counts, ends: The cells of the ab plane that each poster has, how many pixels are in
            them, and where each poster's last one lies: ``uint16 [m]``, ``int64 [m]``, ``int64
            [n]``.
        ab_sum: Sums of a and b, ``int64 [n, 2]``.
        skipped: Pairs of name and reason of the files that can't be used.
    """

    names: list[str]
    sha256: np.ndarray
    fingerprint: np.ndarray
    offset: np.ndarray
    cells: np.ndarray
    counts: np.ndarray
    ends: np.ndarray
    ab_sum: np.ndarray
    skipped: list[tuple[str, str]]

    @property
    def owner(self) -> np.ndarray:
        """The number of the poster that each entry of `cells` belongs to, ``int64 [m]``."""
        return np.repeat(np.arange(len(self.ends)), np.diff(self.ends, prepend=0))

    def bare(self) -> "Index":
        """Return what is kept in memory for all chunks at once: no names and no colors."""
        none = np.zeros(0, np.int64)
        kept = {"cells": none, "counts": none, "ends": none, "ab_sum": none, "names": []}
        return Index(**{**vars(self), **kept})

    def save(self, file: Path) -> None:
        """Write it."""
        arrays = {
            name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)
        }
        texts = json.dumps([self.names, self.skipped])
        with atomic_write(file) as temporary, temporary.open("wb") as stream:
            np.savez(stream, texts=np.frombuffer(texts.encode(), np.uint8), **arrays)

    @classmethod
    def load(cls, file: Path) -> "Index":
        """Read it."""
        with np.load(file) as content:
            arrays = dict(content)
        names, skipped = json.loads(arrays.pop("texts").tobytes())
        return cls(names=names, skipped=[tuple(one) for one in skipped], **arrays)


def index_file(chunk: Path) -> Path:
    """Return where the index of a chunk lies."""
    return chunk.with_suffix(".npz")


def write_chunk(
    chunk: Path, files: list[tuple[str, Path]], size: int, compression: str = "none"
) -> None:
    """Read posters, and write those that can be used; then the chunk is there.

    Args:
        chunk: The file for the records.
        files, size, compression: As for `read_chunk`.
    """
    save_chunk(chunk, *read_chunk(files, size, compression))


def read_chunk(
    files: list[tuple[str, Path]], size: int, compression: str = "none"
) -> tuple[list[bytes], Index]:
    """Read posters, and serialize those that can be used.

    Args:
        files: Names and paths.
        size: Side of the squares in pixels.
        compression: See `recolor.datasets.compression`.

    Returns:
        The framed records, and their index.
    """
    posters, names, skipped = [], [], []
    for name, path in files:
        outcome = try_read_poster(path, size)
        if isinstance(outcome, Poster):
            posters.append(outcome)
            names.append(name)
        else:
            skipped.append((name, outcome))
    framed = [
        frame(serialize(*named, None, compression)) for named in zip(names, posters, strict=True)
    ]
    colors = [count_cells(poster.ab) for poster in posters]
    populated = [np.flatnonzero(counts) for counts in colors]
    index = Index(
        names=names,
        skipped=skipped,
        sha256=_bytes([bytes.fromhex(poster.sha256) for poster in posters]),
        fingerprint=_bytes([poster.fingerprint.tobytes() for poster in posters]),
        offset=_ends(framed),
        cells=np.concatenate([np.zeros(0, np.uint16), *populated]).astype(np.uint16),
        counts=np.concatenate(
            [np.zeros(0, np.int64), *(of[at] for of, at in zip(colors, populated, strict=True))]
        ),
        ends=_ends(populated)[1:],
        ab_sum=np.array([_sum(poster.ab) for poster in posters], np.int64).reshape(-1, 2),
    )
    return framed, index


def embed_chunk(chunk: Path, plain: Path, size: int, embed: Embed) -> None:
    """Write a chunk again, with embeddings.

    Args:
        chunk: The file for the records.
        plain: The chunk without.
        size: Side of the squares in pixels.
        embed: Computes embeddings.
    """
    index, content = Index.load(index_file(plain)), plain.read_bytes()
    records = [
        unframe(content[start:end])
        for start, end in zip(index.offset[:-1], index.offset[1:], strict=True)
    ]
    framed = []
    for start in range(0, len(records), BATCH):
        framed += map(frame, with_embeddings(records[start : start + BATCH], size, embed))
    save_chunk(chunk, framed, Index(**{**vars(index), "offset": _ends(framed)}))


def with_embeddings(records: list[bytes], size: int, embed: Embed) -> list[bytes]:
    """Return a batch of serialized posters with their embeddings."""
    embeddings = embed(np.stack([parse(record, size, 0)["lightness"] for record in records]))
    return [with_embedding(*both) for both in zip(records, embeddings, strict=True)]


def add_up(index: Index, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Add up the colors of some of a chunk's posters, without their padding.

    Args:
        index: The chunk's.
        chosen: Which of them, ``bool [n]``.

    Returns:
        Pixels in each cell, ``int64 [1024]``; the sums of a and b, ``int64 [2]``; and how many
        pixels there are.
    """
    counted = chosen[index.owner]
    cells = np.zeros(GRID * GRID, np.int64)
    np.add.at(cells, index.cells[counted], index.counts[counted])
    return cells, index.ab_sum[chosen].sum(axis=0), int(cells.sum())


def save_chunk(chunk: Path, framed: list[bytes], index: Index) -> None:
    """Write a chunk; then it is there.

    Args:
        chunk: The file for the records.
        framed, index: As `read_chunk` returns them.
    """
    with atomic_write(chunk) as temporary:
        with temporary.open("wb") as stream:
            stream.writelines(framed)
        index.save(index_file(chunk))


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


def _bytes(rows: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1 if rows else 32)


def _sum(ab: np.ndarray) -> np.ndarray:
    """Add up colors, ``int8 [h, w, 2]``: whole rows at first, which is many times as fast."""
    return ab.sum(axis=0, dtype=np.int32).sum(axis=0)


def _ends(parts: list) -> np.ndarray:
    return np.cumsum([0, *map(len, parts)], dtype=np.int64)
