"""The images that a command is given: on this machine, or in object storage."""

from collections import Counter
from pathlib import Path, PurePosixPath

from recolor.datasets.images import (
    SUFFIXES,
    ImageError,
    files_inside,
    find_images,
    is_image,
    is_kept_aside,
)
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


def passed_over(places: list[Place]) -> Counter[str]:
    """Count the files that `find_inputs` takes for no images, by suffix.

    Returns:
        How many there are of each suffix, in small letters, as ``.heic``; of ``""`` without one.
    """
    names = []
    for place in places:
        if isinstance(place, RemotePath):
            names += [file.name for _, file in _remote_files(place) if file != place]
        elif place.is_dir():
            names += [file.name for file in files_inside(place, lambda error: None)]
    suffixes = [PurePosixPath(name).suffix.lower() for name in names if not is_image(name)]
    return Counter(sorted(suffixes))


def _remote_images(folder: RemotePath) -> list[tuple[str, RemotePath]]:
    images = [
        (name, file)
        for name, file in _remote_files(folder)
        if file == folder or is_image(file.name)
    ]
    if not images:
        raise ImageError(f"no images in {folder} (looked for {' '.join(SUFFIXES)})")
    return images


def _remote_files(folder: RemotePath) -> list[tuple[str, RemotePath]]:
    """List files and their names in a folder, less those that are kept aside; or a file itself."""
    named = [
        (file.uri.removeprefix(folder.uri).strip("/") or folder.name, file)
        for file in folder.files()
    ]
    return [
        (name, file)
        for name, file in named
        if file == folder or not any(map(is_kept_aside, PurePosixPath(name).parts))
    ]


def _by_name(found: tuple[str, Place]) -> tuple:
    name, place = found
    return (name, 1, place.uri) if isinstance(place, RemotePath) else (name, 0, place)
