"""Data sets in object storage: made and read in the user's cache, with digests checked on the way.

``dataset.json`` is written last there, too, and removed first where a data set is replaced.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from recolor.datasets.atomic_file import atomic_write
from recolor.datasets.inputs import Place
from recolor.datasets.manifest import FILE_NAME, DatasetError, Manifest, file_digest
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
            f"{place} holds a data set already: choose another folder or --overwrite"
        )
    for folder in inputs:
        if f"{place}/".startswith(f"{folder}/"):
            raise DatasetError(f"{place} would mix with the posters in {folder}: choose another")
    place.check_writable()


def workshop(place: RemotePath) -> Path:
    """Return the local folder in which a data set is made; the same for another try."""
    key = hashlib.sha256(place.uri.encode()).hexdigest()[:16]
    return cache_folder() / "data-sets" / "unfinished" / key / place.name


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


def keep(manifest: Manifest, place: RemotePath) -> None:
    """Let a data set that was made here and uploaded be the local copy of itself."""
    folder = _copy(manifest, place)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    manifest.folder.rename(folder)
    manifest.folder.parent.rmdir()


def fetched(place: RemotePath) -> Path:
    """Return the folder of a data set's local copy, after making or mending it.

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
    folder = _copy(described, place)

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


def _copy(manifest: Manifest, place: RemotePath) -> Path:
    """Return the folder for the local copy of a data set."""
    return cache_folder() / "data-sets" / manifest.digest[:16] / place.name


def _at_once(act: Callable, things: list) -> None:
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for _ in pool.map(act, things):
            pass
