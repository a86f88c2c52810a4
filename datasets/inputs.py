"""The images that a command is given: on this machine, or in object storage."""

from pathlib import Path, PurePosixPath

from recolor.datasets.images import SUFFIXES, ImageError, find_images
from recolor.datasets.object_storage import RemotePath

Place = Path | RemotePath


def find_inputs(places: list[Place], leave_out: Path | None = None) -> list[tuple[str, Place]]:
    """List images as `find_images` does, those in object storage too.

    Args:
        places: Folders and files.
        leave_out: See `find_images`.

    Returns:
        Pairs of a name and a place, by name; each place once.

    Raises:
        ImageError: If nothing is in one of the places.
        StorageError: If one can't be listed.
    """
    local = [place for place in places if isinstance(place, Path)]
    found = {place: name for name, place in find_images(local, leave_out)} if local else {}
    for folder in places:
        if isinstance(folder, RemotePath):
            found |= {place: name for name, place in _remote_images(folder) if place not in found}
    return sorted(((name, place) for place, name in found.items()), key=_by_name)


def _remote_images(folder: RemotePath) -> list[tuple[str, RemotePath]]:
    images = [
        (file.uri.removeprefix(folder.uri).strip("/") or folder.name, file)
        for file in folder.files()
        if file == folder or PurePosixPath(file.name).suffix.lower() in SUFFIXES
    ]
    if not images:
        raise ImageError(f"no images in {folder} (looked for {' '.join(SUFFIXES)})")
    return images


def _by_name(found: tuple[str, Place]) -> tuple:
    name, place = found
    return (name, 1, place.uri) if isinstance(place, RemotePath) else (name, 0, place)
