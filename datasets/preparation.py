"""From image files to a data set: read, describe, divide and write posters.

The work is done in chunks of files. Finished chunks are kept in the folder ``.partial`` of the
data set until the whole is written, so that an interrupted run goes on where it stopped.

The whole is put together in ``.partial/whole`` and then moved into place, ``dataset.json`` last,
when all else has reached the disk: a folder that has one holds a whole data set, even after a power
cut. Only one process at a time prepares a folder.
"""

import hashlib
import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recolor.datasets.chunks import Embed, Index, add_up, embed_chunk, index_file, write_chunk
from recolor.datasets.classes import GRID, cell_index
from recolor.datasets.color import lab8_table
from recolor.datasets.embeddings.catalog import EMBEDDINGS, find_embedding
from recolor.datasets.embeddings.embedding import Embedding, EmbeddingError
from recolor.datasets.errors import first_line
from recolor.datasets.folder_lock import folder_lock
from recolor.datasets.inputs import Place, find_inputs
from recolor.datasets.manifest import FILE_NAME, FORMAT, DatasetError, Manifest, digest
from recolor.datasets.near_duplicates import group_near_duplicates
from recolor.datasets.ray_cluster import RayCluster
from recolor.datasets.reader_pool import reader_pool
from recolor.datasets.shard_file import Part, write_shard
from recolor.datasets.splits import SPLITS, assign_splits, check_counts, shuffle_key

CHUNK_POSTERS = 64
SHARD_POSTERS = 500
EMBEDDING_BATCH = 16
SKIPPED_FILE = "skipped.tsv"
# Lies among the chunks until they have all gone into a data set.
UNFINISHED = "unfinished"


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

    def part(self, poster: int) -> Part:
        """Return where a poster's framed record lies."""
        file = self.chunks[self.chunk[poster]]
        return file, int(self.offset[poster]), int(self.length[poster])


def prepare(
    inputs: list[Place],
    out: Path,
    *,
    size: int,
    split: tuple[float, ...],
    embedding: str,
    seed: int,
    workers: int,
    cluster: RayCluster | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int, int], None] = lambda done, total, skipped: None,
    draw: Callable[[Manifest], None] = lambda manifest: None,
) -> tuple[Manifest, list[tuple[str, str]]]:
    """Make a data set of image files.

    The result depends on the images' bytes and names, the settings and the seed alone: another run
    gives the same bytes, whoever reads the images. A folder that lies inside an input folder
    may be ``out``; what it holds is not read.

    Args:
        inputs: Folders and files, in object storage too.
        out: The data set's folder.
        size: Side of the squares in pixels, a multiple of 8.
        split: Three counts or shares, see `splits.parse_split`.
        embedding: See `find_embedding`.
        seed: Seed of the division into splits and of the order inside them.
        workers: Number of processes that read images.
        cluster: Reads the images in the place of these processes, which then only write shards.
        overwrite: Replace a data set that is there already.
        progress: Called with the numbers of files done, in all, and skipped.
        draw: Called with the data set before it is moved into place. What it adds to the folder
            becomes a part of the data set.

    Returns:
        The data set, and a pair of name and reason for each image that was skipped; they are in
        ``skipped.tsv`` as well.

    Raises:
        DatasetError: If ``out`` holds a data set already or can't be written (the disk is full),
            no image can be used, or the training posters have too few colors.
        LockError: If another process prepares ``out``.
        ImageError, SplitError, EmbeddingError: If the inputs or the settings can't be used.
    """
    if size < 8 or size % 8:
        raise DatasetError(f"size {size} is not a multiple of 8")
    files = find_inputs(inputs, leave_out=out)
    check_counts(split, len(files))
    described_by = find_embedding(embedding)
    with ExitStack() as held:
        with _writing_to(out):
            held.enter_context(folder_lock(out))
            scratch = _begin(out, overwrite)
        pool = held.enter_context(_pool(workers))
        found = _read_all(files, out, scratch, size, described_by, pool, workers, cluster, progress)
        skipped = found.skipped
        with _writing_to(out):
            if not len(found.chunk):
                shutil.rmtree(scratch)
                raise DatasetError(f"none of the {len(files)} images can be used: {skipped[0][1]}")
            whole = scratch / "whole"
            whole.mkdir()
            content = _write_splits(whole, found, pool, size, split, seed)
            content |= {
                "format": FORMAT,
                "settings": {
                    "size": size, "embedding": described_by.identity, "split": list(split),
                    "seed": seed,
                },
            }  # fmt: skip
            if embedding not in EMBEDDINGS:
                content["embedding_file"] = Path(embedding).name
            content["posters"] |= {"found": len(files), "skipped": len(skipped)}
            content["digest"] = digest(content)
            _check_colors(Manifest(out, content))
            _write_texts(whole, content, skipped)
            draw(Manifest.load(whole))
            _publish(whole, out)
            shutil.rmtree(scratch)
    return Manifest.load(out), skipped


@contextmanager
def _writing_to(out: Path) -> Iterator[None]:
    """Say in one line that a folder can't be written."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or first_line(error)
        raise DatasetError(
            f"{out} can't be written ({reason}): mend that and run the same command again, "
            "it goes on where it stopped"
        ) from None


def _begin(out: Path, overwrite: bool) -> Path:
    """Return the folder for what is not yet finished, with the chunks of an interrupted run.

    Raises:
        DatasetError: If there is a data set that is not to be replaced.
    """
    scratch = out / ".partial"
    if (out / FILE_NAME).exists() and not overwrite:
        if not (scratch / UNFINISHED).exists():
            # A run was killed after its data set was in place.
            shutil.rmtree(scratch, ignore_errors=True)
        raise DatasetError(f"{out} holds a data set already: choose another folder or --overwrite")
    scratch.mkdir(exist_ok=True)
    (scratch / UNFINISHED).touch()
    shutil.rmtree(scratch / "whole", ignore_errors=True)
    return scratch


def _read_all(
    files: list[tuple[str, Path]],
    out: Path,
    scratch: Path,
    size: int,
    embedding: Embedding,
    pool: Executor,
    workers: int,
    cluster: RayCluster | None,
    progress: Callable[[int, int, int], None],
) -> Found:
    """Read all images, chunk by chunk, less those that an interrupted run has read already."""
    cuts = range(0, len(files), CHUNK_POSTERS)
    embed = _embedder(embedding, size)
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
        with _writing_to(out):
            if embed is not None and not chunk.exists():
                embed_chunk(chunk, plain, size, embed, EMBEDDING_BATCH)
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
        chunk = scratch / _chunk_name(part, size, embedding.identity)
        plain = chunk if embed is None else chunk.with_suffix(".plain.tfrecord")
        reading = None
        if not (chunk.exists() or plain.exists()):
            reading = (
                cluster.submit(plain, part, size)
                if cluster
                else pool.submit(write_chunk, plain, part, size)
            )
        begun.append((chunk, plain, len(part), reading))
        while len(begun) > 2 * (cluster.workers if cluster else workers):
            finish()
    while begun:
        finish()
    return Found.of(chunks, indices)


@contextmanager
def _pool(workers: int) -> Iterator[Executor]:
    """Start the processes that read images, and say in one line that one was killed."""
    try:
        with reader_pool(workers) as pool:
            try:
                yield pool
            finally:
                # What is waited for in vain by one reader would be so by the next ones.
                pool.shutdown(wait=False, cancel_futures=True)
    except BrokenProcessPool:
        raise DatasetError(
            "a reading process was killed, most likely for lack of memory: "
            "run the same command again with fewer --workers, it goes on where it stopped"
        ) from None


def _chunk_name(chunk: list[tuple[str, Path]], size: int, identity: dict) -> str:
    """Name a chunk by all that its content depends on, so that a finished one can be recognized."""
    key = [
        [FORMAT, size, identity],
        [name for name, _ in chunk],
        [_version(path) for _, path in chunk],
    ]
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32] + ".tfrecord"


def _version(path: Path) -> tuple | None:
    """Tell a file's content from an earlier one; None if there is no file any more."""
    try:
        stat = path.stat()
        return str(path.resolve()), stat.st_size, stat.st_mtime_ns
    except OSError:
        # It is skipped when it is read.
        return None


def _embedder(embedding: Embedding, size: int) -> Embed | None:
    """Return what computes embeddings; None where they are zeros."""
    network = embedding.network(size)
    if network is None:
        return None
    if network.output_shape[1:] != (embedding.size,):
        raise EmbeddingError(
            f"embedding {embedding.name} says that it has {embedding.size} numbers, but gives "
            f"{network.output_shape[1:]}"
        )

    def embed(batch: np.ndarray) -> np.ndarray:
        # A batch that is always of one size, since its size may change the last bit of a result.
        padded = np.resize(batch, (EMBEDDING_BATCH, *batch.shape[1:]))
        return network.predict_on_batch(padded)[: len(batch)]

    return embed


def _write_splits(
    folder: Path, found: Found, pool: Executor, size: int, split: tuple[float, ...], seed: int
) -> dict:
    """Divide the posters and write all shards; return what the manifest says about it."""
    groups = group_near_duplicates(found.fingerprint)
    contents = [row.tobytes().hex() for row in found.sha256]
    assigned = np.array(assign_splits(contents, groups, split, seed), object)
    splits, mean_ab = {}, None
    for name in SPLITS:
        chosen = assigned == name
        # Files with the same content in the order of their names, which is that of the numbers.
        order = sorted(
            np.flatnonzero(chosen).tolist(), key=lambda one: (shuffle_key(contents[one], seed), one)
        )
        cells, ab_sum, pixels = _colors(found, chosen)
        if name == "train" and pixels:
            mean_ab = (ab_sum / pixels).tolist()
        # What is around the posters in their squares is trained on as well.
        cells[cell_index(np.zeros(2, int))] += len(order) * size**2 - pixels
        members = "\n".join(sorted(contents[one] for one in order))
        splits[name] = {
            "count": len(order),
            "shards": _write_shards(folder, name, [found.part(one) for one in order], pool),
            "cells": {str(cell): int(cells[cell]) for cell in np.flatnonzero(cells)},
            "members": hashlib.sha256(members.encode()).hexdigest(),
        }
    posters = {
        "used": int(sum(splits[name]["count"] for name in SPLITS)),
        "groups_of_near_duplicates": int(np.sum(np.bincount(groups) > 1)),
    }
    return {"posters": posters, "splits": splits, "mean_ab": mean_ab}


def _colors(found: Found, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Add up the colors of posters, as `add_up` does, over all chunks."""
    cells, ab_sum, pixels = np.zeros(GRID * GRID, np.int64), np.zeros(2, np.int64), 0
    for number, chunk in enumerate(found.chunks):
        of_chunk = chosen[found.chunk == number]
        if of_chunk.any():
            more = add_up(Index.load(index_file(chunk)), of_chunk)
            cells, ab_sum, pixels = cells + more[0], ab_sum + more[1], pixels + more[2]
    return cells, ab_sum, pixels


def _write_shards(folder: Path, split: str, parts: list[Part], pool: Executor) -> list[dict]:
    """Write a split's shards; return what the manifest says of them."""
    cut = [parts[start : start + SHARD_POSTERS] for start in range(0, len(parts), SHARD_POSTERS)]
    names = [f"{split}-{number:05d}-of-{len(cut):05d}.tfrecord" for number in range(len(cut))]
    digests = pool.map(write_shard, [folder / name for name in names], cut)
    return [
        {"name": name, "count": len(part), "sha256": sha256}
        for name, part, sha256 in zip(names, cut, digests, strict=True)
    ]


def _check_colors(manifest: Manifest) -> None:
    """Check that there are enough color classes, if the data set can be trained on at all.

    Raises:
        DatasetError: If there are too few.
    """
    if manifest.count("train"):
        _ = manifest.classes


def _write_texts(folder: Path, content: dict, skipped: list[tuple[str, str]]) -> None:
    lines = ["image\treason"]
    lines += ["\t".join(" ".join(text.split()) for text in row) for row in skipped]
    text = "\n".join(lines) + "\n"
    (folder / SKIPPED_FILE).write_text(text, encoding="utf-8", errors="surrogateescape")
    text = json.dumps(content, indent=1, sort_keys=True) + "\n"
    (folder / FILE_NAME).write_text(text, encoding="utf-8")


def _publish(whole: Path, out: Path) -> None:
    """Move a finished data set into place, ``dataset.json`` last."""
    files = [file for file in whole.iterdir() if file.name != FILE_NAME]
    for file in (*files, whole / FILE_NAME):
        _sync(file)
    (out / FILE_NAME).unlink(missing_ok=True)
    for name in SPLITS:
        for old in out.glob(f"{name}-*-of-*.tfrecord"):
            old.unlink()
    for file in files:
        file.replace(out / file.name)
    _sync(out)
    (whole.parent / UNFINISHED).unlink()
    (whole / FILE_NAME).replace(out / FILE_NAME)
    _sync(out)


def _sync(path: Path) -> None:
    """Wait until a file's content, or a folder's entries, have reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
