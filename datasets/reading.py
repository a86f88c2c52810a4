"""From image files to chunks, by several processes, as far as an earlier run has not done it."""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from recolor.datasets.chunks import Index, Part, embed_chunk, index_file, write_chunk
from recolor.datasets.color import lab8_table
from recolor.datasets.embeddings.embedding import Embedding, embedder
from recolor.datasets.errors import reason_of
from recolor.datasets.manifest import FORMAT, DatasetError
from recolor.datasets.ray_cluster import RayCluster
from recolor.datasets.reader_pool import reader_pool

CHUNK_POSTERS = 64


@dataclass(frozen=True)
class Found:
    """The posters of all chunks: where their records lie, and what their places depend on.

    Attributes:
        chunks: The chunks' files.
        chunk: The number of each poster's chunk, ``int [n]``.
        offset, length: Where its framed record lies there, in bytes, ``int64 [n]``.
        sha256, fingerprint: See `Index`.
        skipped: Name and reason of each file that can't be used.
    """

    chunks: list[Path]
    chunk: np.ndarray
    offset: np.ndarray
    length: np.ndarray
    sha256: np.ndarray
    fingerprint: np.ndarray
    skipped: list[tuple[str, str]]

    @classmethod
    def of(cls, chunks: list[Path], indices: list[Index]) -> "Found":
        """Put the indices of chunks together."""
        sizes = [len(index.sha256) for index in indices]
        return cls(
            chunks=chunks,
            chunk=np.repeat(np.arange(len(chunks)), sizes),
            offset=np.concatenate([index.offset[:-1] for index in indices]),
            length=np.concatenate([np.diff(index.offset) for index in indices]),
            sha256=np.concatenate([index.sha256 for index in indices]),
            fingerprint=np.concatenate([index.fingerprint for index in indices]),
            skipped=[one for index in indices for one in index.skipped],
        )

    @cached_property
    def contents(self) -> list[str]:
        """The digests in hex."""
        return [row.tobytes().hex() for row in self.sha256]

    def part(self, poster: int) -> Part:
        """Return where a poster's framed record lies."""
        file = self.chunks[self.chunk[poster]]
        return file, int(self.offset[poster]), int(self.length[poster])


@dataclass(frozen=True)
class Form:
    """How posters are stored: the side of the squares in pixels, what is computed of their gray
    picture, and how they are compressed."""

    size: int
    embedding: Embedding
    compression: str


@dataclass(frozen=True)
class Readers:
    """Processes of this machine.

    Attributes:
        pool: Runs them.
        workers: Their number.
    """

    pool: Executor
    workers: int

    def submit(self, chunk: Path, files: list[tuple[str, Path]], size: int, compression: str):
        """Begin to read posters, as `write_chunk` does."""
        return self.pool.submit(write_chunk, chunk, files, size, compression)


def read_all(
    files: list[tuple[str, Path]],
    out: Path,
    scratch: Path,
    form: Form,
    readers: Readers | RayCluster,
    progress: Callable[[int, int, int], None],
) -> Found:
    """Read all images, chunk by chunk, except those that an interrupted run has read.

    Args:
        files: Names and paths.
        out: The data set's folder.
        scratch: The folder for chunks.
        form: How posters are stored.
        readers: Who reads them.
        progress: Called with the numbers of files done, in all, and skipped.
    """
    cuts = range(0, len(files), CHUNK_POSTERS)
    embed = embedder(form.embedding, form.size)
    # Once, before each of the readers would make it.
    lab8_table()
    chunks: list[Path] = []
    indices: list[Index] = []
    skipped = done = 0
    # So many ahead that all readers are busy while a chunk is described.
    begun: deque = deque()

    def finish() -> None:
        nonlocal skipped, done
        chunk, plain, count, reading = begun.popleft()
        if reading is not None:
            reading.result()
        with writing_to(out):
            if embed is not None and not chunk.exists():
                embed_chunk(chunk, plain, form.size, embed)
                plain.unlink()
                index_file(plain).unlink()
            index = Index.load(index_file(chunk))
        chunks.append(chunk)
        indices.append(index.bare())
        skipped += len(index.skipped)
        done += count
        progress(done, len(files), skipped)

    for start in cuts:
        part = files[start : start + CHUNK_POSTERS]
        chunk = scratch / _chunk_name(part, form)
        plain = chunk if embed is None else chunk.with_suffix(".plain.tfrecord")
        reading = None
        if not (chunk.exists() or plain.exists()):
            reading = readers.submit(plain, part, form.size, form.compression)
        begun.append((chunk, plain, len(part), reading))
        while len(begun) > 2 * readers.workers:
            finish()
    while begun:
        finish()
    return Found.of(chunks, indices)


@contextmanager
def reading_pool(workers: int) -> Iterator[Readers]:
    """Start the processes that read images, and say in one line that one was killed."""
    try:
        with reader_pool(workers) as pool:
            try:
                yield Readers(pool, workers)
            except BaseException:
                # What is waited for in vain by one reader would be so by the next ones.
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    except BrokenProcessPool:
        raise DatasetError(
            "a reading process was killed, most likely for lack of memory: "
            "run the same command again with fewer `workers`: it continues where it stopped"
        ) from None


def _chunk_name(chunk: list[tuple[str, Path]], form: Form) -> str:
    """Name a chunk by all that its content depends on, so that a finished one can be recognized."""
    key = [
        [FORMAT, form.size, form.embedding.identity, form.compression],
        [name for name, _ in chunk],
        [_version(path) for _, path in chunk],
    ]
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32] + ".tfrecord"


def _version(path: Path) -> tuple | None:
    """Tell a file's content from an earlier one; None if the file is gone."""
    try:
        stat = path.stat()
        return str(path.resolve()), stat.st_size, stat.st_mtime_ns
    except OSError:
        # It is skipped when it is read.
        return None


@contextmanager
def writing_to(out: Path) -> Iterator[None]:
    """Say in one line that a folder can't be written."""
    try:
        yield
    except OSError as error:
        raise DatasetError(
            f"{out} can't be written ({reason_of(error)}): mend that and run the same command "
            "again, it continues where it stopped"
        ) from None
