"""Data sets in object storage: made and read in the user's cache, with digests checked on the way.

As on a disk, ``dataset.json`` is written last, and removed first where a data set is replaced.
"""

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from recolor.datasets.atomic_file import atomic_write
from recolor.datasets.checksums import file_digest
from recolor.datasets.inputs import Place
from recolor.datasets.manifest import FILE_NAME, DatasetError, Manifest
from recolor.datasets.object_storage import RemotePath
from recolor.datasets.shared_table import cache_folder

# So many files are on their way at once.
CONNECTIONS = 4


def check_free(place: RemotePath, inputs: Iterable[Place], overwrite: bool) -> None:
    """Check that a data set can be written, before it is made.

    Raises:
        DatasetError: If there is one that is not to be replaced, or its pictures would be among
            the inputs.
        StorageError: If nothing can be written there.
    """
    if (place / FILE_NAME).exists(waits=False) and not overwrite:
        raise DatasetError(
            f"{place} holds a data set already: choose another folder or `overwrite`"
        )
    for folder in inputs:
        if f"{place}/".startswith(f"{folder}/"):
            raise DatasetError(f"{place} would mix with the posters in {folder}: choose another")
    place.check_writable()


def local_copy(place: RemotePath) -> Path:
    """Return the folder in which a data set is made before it is uploaded, and read."""
    key = hashlib.sha256(place.uri.encode()).hexdigest()[:16]
    return cache_folder() / "data-sets" / key / place.name


def upload(manifest: Manifest, place: RemotePath) -> None:
    """Write a data set to object storage, and whatever else is in its folder.

    Raises:
        DatasetError: If the local files were damaged.
        StorageError: If they can't be written.
    """
    digests = manifest.files
    files = [file for file in manifest.folder.iterdir() if file.name != FILE_NAME]

    def send(file: Path) -> None:
        if file in digests and file_digest(file) != digests[file]:
            raise DatasetError(f"{file} was damaged: run the same command again")
        (place / file.name).upload(file)

    if (place / FILE_NAME).exists():
        (place / FILE_NAME).unlink()
    _at_once(send, files)
    (place / FILE_NAME).upload(manifest.folder / FILE_NAME)
    for old in place.files():
        if old.name.endswith(".tfrecord") and manifest.folder / old.name not in digests:
            old.unlink()


def fetched(place: RemotePath) -> Path:
    """Bring a data set's local copy up to date, and return its folder.

    Raises:
        DatasetError: If there is no whole data set.
        StorageError: If it can't be read.
    """
    try:
        text = (place / FILE_NAME).read_bytes(waits=False)
    except FileNotFoundError:
        raise DatasetError(
            f"{place} is not a whole data set (no {FILE_NAME}): make one with `recolor prepare`"
        ) from None
    with TemporaryDirectory() as alone:
        (Path(alone) / FILE_NAME).write_bytes(text)
        try:
            described = Manifest.describe(Path(alone))
        except DatasetError as error:
            raise DatasetError(str(error).replace(alone, str(place))) from None
    folder = local_copy(place)

    def receive(wanted: tuple[str, str]) -> None:
        name, digest = wanted
        file = folder / name
        if file.is_file() and file_digest(file) == digest:
            return
        with atomic_write(file) as temporary:
            with suppress(FileNotFoundError):
                (place / name).download(temporary)
            if not temporary.exists() or file_digest(temporary) != digest:
                raise DatasetError(
                    f"{place / name} is not what {FILE_NAME} says: prepare the data set again, or "
                    "wait until that is done"
                )

    _at_once(receive, [(file.name, digest) for file, digest in described.files.items()])
    with atomic_write(folder / FILE_NAME) as temporary:
        temporary.write_bytes(text)
    return folder


def _at_once(act: Callable, things: list) -> None:
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for _ in pool.map(act, things):
            pass
