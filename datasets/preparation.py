"""From image files to a data set: read, describe, divide and write posters.

The work is done in chunks of files. Finished chunks are kept in the folder ``.partial`` of the
data set until the whole is written, so that an interrupted run continues where it stopped.

The whole is put together in ``.partial/whole`` and then moved into place, ``dataset.json`` last,
when all else has reached the disk: a folder that has one holds a whole data set, even after a power
cut. Only one process at a time prepares a folder.
"""

import json
import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from recolor.datasets.division import write_splits
from recolor.datasets.embeddings.catalog import EMBEDDINGS, find_embedding
from recolor.datasets.folder_lock import folder_lock
from recolor.datasets.inputs import Place, find_inputs
from recolor.datasets.manifest import FILE_NAME, FORMAT, DatasetError, Manifest, digest
from recolor.datasets.posters import LARGEST_SIDE
from recolor.datasets.ray_cluster import RayCluster
from recolor.datasets.reading import Form, read_all, reading_pool, writing_to
from recolor.datasets.skipped import SKIPPED_FILE, skipped_table
from recolor.datasets.splits import check_counts

# Lies among the chunks until they have all gone into a data set.
UNFINISHED = "unfinished"


def prepare(
    inputs: list[Place],
    out: Path,
    *,
    size: int,
    split: tuple[float, ...],
    embedding: str,
    seed: int,
    workers: int,
    compression: str = "none",
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
        compression: Of the pixels in shards: one of `recolor.datasets.compression.CODECS`.
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
    if not 8 <= size <= LARGEST_SIDE or size % 8:
        raise DatasetError(f"size {size} is not a multiple of 8 from 8 to {LARGEST_SIDE}")
    files = find_inputs(inputs, leave_out=out)
    check_counts(split, len(files))
    described_by = find_embedding(embedding)
    with ExitStack() as held:
        with writing_to(out):
            held.enter_context(folder_lock(out))
            scratch = begin(out, overwrite)
        readers = held.enter_context(reading_pool(workers))
        form = Form(size, described_by, compression)
        found = read_all(files, out, scratch, form, cluster or readers, progress)
        skipped, images = found.skipped, len(files)
        # Of a hundred thousand, they take 50 MB.
        del files
        with writing_to(out):
            if not len(found.chunk):
                shutil.rmtree(scratch)
                raise DatasetError(f"none of the {images} images can be used: {skipped[0][1]}")
            whole = scratch / "whole"
            whole.mkdir()
            content = write_splits(whole, found, readers.pool, size, split, seed)
            content |= {
                "format": FORMAT,
                "settings": {
                    "size": size, "embedding": described_by.identity, "split": list(split),
                    "seed": seed, "compression": compression,
                },
            }  # fmt: skip
            if embedding not in EMBEDDINGS:
                content["embedding_file"] = Path(embedding).name
            content["posters"] |= {"found": images, "skipped": len(skipped)}
            finish(whole, out, content, skipped, draw)
            shutil.rmtree(scratch)
    return Manifest.load(out), skipped


def begin(out: Path, overwrite: bool) -> Path:
    """Return the folder for what is not yet finished, with the chunks of an interrupted run.

    Raises:
        DatasetError: If there is a data set that is not to be replaced.
    """
    scratch = out / ".partial"
    if (out / FILE_NAME).exists() and not overwrite:
        if not (scratch / UNFINISHED).exists():
            # A run was killed after its data set was in place.
            shutil.rmtree(scratch, ignore_errors=True)
        raise DatasetError(f"{out} holds a data set already: choose another folder or `overwrite`")
    scratch.mkdir(exist_ok=True)
    (scratch / UNFINISHED).touch()
    shutil.rmtree(scratch / "whole", ignore_errors=True)
    return scratch


def finish(
    whole: Path,
    out: Path,
    content: dict,
    skipped: list[tuple[str, str]],
    draw: Callable[[Manifest], None],
) -> None:
    """Complete a data set, and move it into place, ``dataset.json`` last.

    Args:
        whole: The folder with its shards.
        out: Its place.
        content: What the manifest says, but for the digest.
        skipped: Name and reason of each image that can't be used.
        draw: Adds pictures.

    Raises:
        DatasetError: If there are training posters, but too few color classes.
    """
    content["digest"] = digest(content)
    if content["splits"]["train"]["count"]:
        _ = Manifest(out, content).classes
    (whole / SKIPPED_FILE).write_bytes(skipped_table(skipped))
    text = json.dumps(content, indent=1, sort_keys=True) + "\n"
    (whole / FILE_NAME).write_text(text, encoding="utf-8")
    draw(Manifest.load(whole))
    _publish(whole, out)


def _publish(whole: Path, out: Path) -> None:
    files = [file for file in whole.iterdir() if file.name != FILE_NAME]
    for file in (*files, whole / FILE_NAME):
        _sync(file)
    described = {file.name for file in Manifest.describe(whole).files}
    new = [file for file in files if not _same(file, out / file.name)]
    if any(file.name in described and (out / file.name).exists() for file in new):
        # From here on, until all is in place, there is no data set.
        (out / FILE_NAME).unlink(missing_ok=True)
    for file in new:
        file.replace(out / file.name)
    _sync(out)
    (whole.parent / UNFINISHED).unlink()
    (whole / FILE_NAME).replace(out / FILE_NAME)
    _sync(out)
    for pattern in ("*-of-*.tfrecord", "posters*.csv"):
        for old in out.glob(pattern):
            if old.name not in described:
                old.unlink()


def _same(one: Path, other: Path) -> bool:
    """Tell whether two names are those of one file."""
    return other.exists() and one.samefile(other)


def _sync(path: Path) -> None:
    """Wait until a file's content, or a folder's entries, have reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
