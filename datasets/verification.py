"""Damaged files of a data set: found by their checksums, and made again."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from recolor.datasets.atomic_file import atomic_write
from recolor.datasets.checksums import file_digest
from recolor.datasets.chunks import with_embeddings
from recolor.datasets.embeddings.catalog import embedding_of
from recolor.datasets.embeddings.embedding import BATCH, Embed, embedder
from recolor.datasets.folder_lock import folder_lock
from recolor.datasets.images import ImageError, find_images
from recolor.datasets.listing import Listed, read_listing, write_listing
from recolor.datasets.manifest import DatasetError, Manifest
from recolor.datasets.posters import read_poster
from recolor.datasets.records import RecordFile, frame
from recolor.datasets.shards import identity, serialize
from recolor.datasets.splits import SPLITS


def damaged_files(
    manifest: Manifest, progress: Callable[[list], Iterator] = iter
) -> list[tuple[Path, str]]:
    """Find the files of a data set that are not what they were.

    Args:
        manifest: The data set, as of `Manifest.describe`.
        progress: Wraps the list of files, to show progress.

    Returns:
        The files, each with ``missing`` or ``damaged``.
    """
    found = []
    for file, sha256 in progress(list(manifest.files.items())):
        if not file.is_file():
            found.append((file, "missing"))
        elif file_digest(file) != sha256:
            found.append((file, "damaged"))
    return found


def repair(
    manifest: Manifest,
    damaged: list[Path],
    inputs: list[Path],
    *,
    embedding: str | None = None,
    progress: Callable[[list], Iterator] = iter,
) -> None:
    """Make files of a data set again, with the same bytes.

    Args:
        manifest: The data set, as of `Manifest.describe`.
        damaged: Which of its files.
        inputs: Folders and files that hold the images that it was made of; needed for shards.
        embedding: The data set's; it need only be given where it is a file.
        progress: Wraps the list of files, to show progress.

    Raises:
        DatasetError: If an image is missing or has changed, or the result is not what it was.
        ImageError, EmbeddingError: If the inputs or the embedding can't be used.
        LockError: If another process is at it.
    """
    with folder_lock(manifest.folder):
        listing = manifest.listing
        if listing in damaged:
            if len(damaged) > 1:
                raise DatasetError(f"{listing} and a shard are damaged: prepare the data set again")
            _restore(manifest, listing, lambda file: write_listing(file, _listed(manifest)))
            return
        posters = defaultdict(list)
        for poster in read_listing(listing):
            posters[poster.shard].append(poster)
        sources = defaultdict(list)
        for name, path in find_images(inputs, leave_out=manifest.folder):
            sources[name].append(path)
        embed = embedder(embedding_of(manifest, embedding), manifest.size)
        for shard in progress(damaged):
            members = posters[shard.name]
            paths = [_source(poster, sources[poster.id]) for poster in members]
            _restore(
                manifest,
                shard,
                lambda file, members=members, paths=paths: _write(
                    file, members, paths, manifest, embed
                ),
            )


def _source(poster: Listed, paths: list[Path]) -> Path:
    for path in paths:
        if file_digest(path) == poster.sha256:
            return path
    what = "has changed" if paths else "is not among the images"
    raise DatasetError(f"{poster.id} {what}: {poster.shard} can't be made again without it")


def _restore(manifest: Manifest, file: Path, write: Callable[[Path], None]) -> None:
    """Write a file, and put it into its place if it is what it was."""
    with atomic_write(file) as temporary:
        write(temporary)
        if file_digest(temporary) != manifest.files[file]:
            raise DatasetError(
                f"{file} comes out otherwise than it was, as with another version of recolor or "
                "Pillow: prepare the data set again"
            )


def _write(
    file: Path, members: list[Listed], paths: list[Path], manifest: Manifest, embed: Embed | None
) -> None:
    size, compression = manifest.size, manifest.compression
    with file.open("wb") as shard:
        for start in range(0, len(members), BATCH):
            batch = zip(members[start : start + BATCH], paths[start : start + BATCH], strict=True)
            records = [
                serialize(member.id, _read(path, size), None, compression) for member, path in batch
            ]
            if embed is not None:
                records = with_embeddings(records, size, embed)
            shard.writelines(map(frame, records))


def _read(path: Path, size: int):
    try:
        return read_poster(path, size)
    except ImageError as error:
        raise DatasetError(f"{path}: {error}") from None


def _listed(manifest: Manifest) -> Iterator[Listed]:
    """Read from the shards what the listing says of them."""
    for split in SPLITS:
        for shard in manifest.shards(split):
            for record in RecordFile(shard):
                yield Listed(shard.name, *identity(record))
