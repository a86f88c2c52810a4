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
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recolor.datasets.atomic_file import atomic_write
from recolor.datasets.classes import GRID, count_cells
from recolor.datasets.color import lab8_table
from recolor.datasets.embeddings.catalog import EMBEDDINGS, find_embedding
from recolor.datasets.embeddings.embedding import Embedding, EmbeddingError
from recolor.datasets.errors import first_line
from recolor.datasets.folder_lock import folder_lock
from recolor.datasets.images import find_images
from recolor.datasets.manifest import FILE_NAME, FORMAT, DatasetError, Manifest, digest
from recolor.datasets.near_duplicates import group_near_duplicates
from recolor.datasets.posters import Box, Poster, try_read_poster
from recolor.datasets.reader_pool import reader_pool
from recolor.datasets.records import RecordError, frame, unframe
from recolor.datasets.shards import parse, serialize
from recolor.datasets.splits import SPLITS, assign_splits, check_counts, shuffle_key

CHUNK_POSTERS = 64
SHARD_POSTERS = 500
EMBEDDING_BATCH = 16
SKIPPED_FILE = "skipped.tsv"
# Lies among the chunks until they have all gone into a data set.
UNFINISHED = "unfinished"


@dataclass(frozen=True)
class Record:
    """Where a poster's serialized form lies, and what its place in the data set depends on."""

    name: str
    sha256: str
    fingerprint: bytes
    file: Path
    offset: int
    length: int


def prepare(
    inputs: list[Path],
    out: Path,
    *,
    size: int,
    split: tuple[float, ...],
    embedding: str,
    seed: int,
    workers: int,
    overwrite: bool = False,
    progress: Callable[[int, int, int], None] = lambda done, total, skipped: None,
    draw: Callable[[Manifest], None] = lambda manifest: None,
) -> tuple[Manifest, list[tuple[str, str]]]:
    """Make a data set of image files.

    The result depends on the images' bytes and names, the settings and the seed alone: another run
    gives the same bytes, whatever the number of workers. A folder that lies inside an input folder
    may be ``out``; what it holds is not read.

    Args:
        inputs: Folders and files.
        out: The data set's folder.
        size: Side of the squares in pixels, a multiple of 8.
        split: Three counts or shares, see `splits.parse_split`.
        embedding: See `find_embedding`.
        seed: Seed of the division into splits and of the order inside them.
        workers: Number of processes that read images.
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
    files = find_images(inputs, leave_out=out)
    check_counts(split, len(files))
    described_by = find_embedding(embedding)
    with ExitStack() as held:
        with _writing_to(out):
            held.enter_context(folder_lock(out))
            scratch = _begin(out, overwrite)
        records, skipped = _read_all(files, out, scratch, size, described_by, workers, progress)
        with _writing_to(out):
            if not records:
                shutil.rmtree(scratch)
                raise DatasetError(f"none of the {len(files)} images can be used: {skipped[0][1]}")
            whole = scratch / "whole"
            whole.mkdir()
            content = _write_splits(whole, records, (size, described_by.size), split, seed)
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
    workers: int,
    progress: Callable[[int, int, int], None],
) -> tuple[list[Record], list[tuple[str, str]]]:
    """Read all images, chunk by chunk, less those that an interrupted run has read already."""
    chunks = [files[start : start + CHUNK_POSTERS] for start in range(0, len(files), CHUNK_POSTERS)]
    targets = [scratch / _chunk_name(chunk, size, embedding.identity) for chunk in chunks]
    embed = _embedder(embedding, size)
    # Once, before each of the readers would make it.
    lab8_table()
    records, skipped, done = [], [], 0
    with _reading(workers) as pool:
        # One chunk ahead, so that the readers are busy while a chunk is described and written.
        reading: list[list[Future]] = []
        for number in range(len(chunks) + 1):
            if number < len(chunks):
                todo = [] if targets[number].exists() else chunks[number]
                reading.append([pool.submit(try_read_poster, path, size) for _, path in todo])
            if number > 0:
                chunk, target = chunks[number - 1], targets[number - 1]
                outcomes = [future.result() for future in reading[number - 1]]
                reading[number - 1] = []
                with _writing_to(out):
                    if outcomes:
                        _write_chunk(target, [name for name, _ in chunk], outcomes, embed)
                    chunk_records, chunk_skipped = _read_chunk(target)
                records += chunk_records
                skipped += chunk_skipped
                done += len(chunk)
                progress(done, len(files), len(skipped))
    return records, skipped


@contextmanager
def _reading(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Start the processes that read images, and say in one line that one was killed."""
    try:
        with reader_pool(workers) as pool:
            yield pool
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


def _embedder(
    embedding: Embedding, size: int
) -> Callable[[list[np.ndarray]], list[np.ndarray | None]]:
    network = embedding.network(size)
    if network is None:
        return lambda images: [None] * len(images)
    if network.output_shape[1:] != (embedding.size,):
        raise EmbeddingError(
            f"embedding {embedding.name} says that it has {embedding.size} numbers, but gives "
            f"{network.output_shape[1:]}"
        )

    def embed(images: list[np.ndarray]) -> list[np.ndarray]:
        batch = np.stack(images)[..., None]
        # A batch that is always of one size, since its size may change the last bit of a result.
        padded = np.resize(batch, (EMBEDDING_BATCH, *batch.shape[1:]))
        return list(network.predict_on_batch(padded)[: len(images)])

    return embed


def _write_chunk(target: Path, names: list[str], outcomes: list[Poster | str], embed) -> None:
    """Write the usable posters of a chunk, and beside them why the others were skipped."""
    posters = [(n, p) for n, p in zip(names, outcomes, strict=True) if isinstance(p, Poster)]
    skipped = [(n, p) for n, p in zip(names, outcomes, strict=True) if isinstance(p, str)]
    index, size = [], 0
    with atomic_write(target) as temporary:
        with temporary.open("wb") as file:
            for start in range(0, len(posters), EMBEDDING_BATCH):
                batch = posters[start : start + EMBEDDING_BATCH]
                embeddings = embed([poster.lightness for _, poster in batch])
                for (name, poster), embedding in zip(batch, embeddings, strict=True):
                    framed = frame(serialize(name, poster, embedding))
                    fingerprint = poster.fingerprint.tobytes().hex()
                    index.append((name, poster.sha256, fingerprint, size, len(framed)))
                    file.write(framed)
                    size += len(framed)
        with atomic_write(target.with_suffix(".json")) as about:
            about.write_text(json.dumps({"index": index, "skipped": skipped}))


def _read_chunk(file: Path) -> tuple[list[Record], list[tuple[str, str]]]:
    content = json.loads(file.with_suffix(".json").read_text())
    records = [
        Record(name, sha256, bytes.fromhex(fingerprint), file, offset, length)
        for name, sha256, fingerprint, offset, length in content["index"]
    ]
    return records, [(name, reason) for name, reason in content["skipped"]]


def _write_splits(
    folder: Path, records: list[Record], sizes: tuple[int, int], split: tuple[float, ...], seed: int
) -> dict:
    """Divide the posters and write all shards; return what the manifest says about it."""
    groups = group_near_duplicates(
        np.stack([np.frombuffer(record.fingerprint, np.uint8) for record in records])
    )
    assigned = assign_splits([record.sha256 for record in records], groups, split, seed)
    homes: dict[str | None, list[Record]] = {name: [] for name in (*SPLITS, None)}
    for record, home in zip(records, assigned, strict=True):
        homes[home].append(record)
    splits, mean_ab = {}, None
    for name in SPLITS:
        homes[name].sort(key=lambda record: (shuffle_key(record.sha256, seed), record.name))
        splits[name], mean = _write_split(folder, name, homes[name], sizes)
        contents = "\n".join(sorted(record.sha256 for record in homes[name]))
        splits[name]["members"] = hashlib.sha256(contents.encode()).hexdigest()
        mean_ab = mean if name == "train" else mean_ab
    posters = {
        "used": len(records) - len(homes[None]),
        "groups_of_near_duplicates": int(np.sum(np.bincount(groups) > 1)),
    }
    return {"posters": posters, "splits": splits, "mean_ab": mean_ab}


def _write_split(
    folder: Path, split: str, records: list[Record], sizes: tuple[int, int]
) -> tuple[dict, list[float] | None]:
    """Write a split's shards; return its part of the manifest, and the posters' mean color."""
    cells = np.zeros(GRID * GRID, np.int64)
    ab_sum, ab_pixels = np.zeros(2), 0
    shards = []
    n_shards = -(-len(records) // SHARD_POSTERS)
    for number in range(n_shards):
        part = records[number * SHARD_POSTERS : (number + 1) * SHARD_POSTERS]
        name = f"{split}-{number:05d}-of-{n_shards:05d}.tfrecord"
        sha256 = hashlib.sha256()
        with (folder / name).open("wb") as shard:
            for record in part:
                with record.file.open("rb") as chunk:
                    chunk.seek(record.offset)
                    framed = chunk.read(record.length)
                shard.write(framed)
                sha256.update(framed)
                try:
                    poster = parse(unframe(framed), *sizes)
                except RecordError:
                    raise DatasetError(
                        f"{record.file} is damaged: remove {record.file.parent} and run the same "
                        "command again"
                    ) from None
                cells += count_cells(poster["ab"])
                inside = poster["ab"][Box(*poster["box"]).slices]
                ab_sum += inside.sum(axis=(0, 1), dtype=np.int64)
                ab_pixels += inside.shape[0] * inside.shape[1]
        shards.append({"name": name, "count": len(part), "sha256": sha256.hexdigest()})
    populated = {str(cell): int(cells[cell]) for cell in np.flatnonzero(cells)}
    mean_ab = (ab_sum / ab_pixels).tolist() if records else None
    return {"count": len(records), "shards": shards, "cells": populated}, mean_ab


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
