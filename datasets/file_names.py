"""What file systems make of names: some take `A.jpg` and `a.jpg` for one file, or hold no `?`."""

import errno
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from recolor.datasets.atomic_file import OF_DISKS, PREFIX, check_writable
from recolor.datasets.errors import reason_of
from recolor.datasets.inputs import Place
from recolor.datasets.object_storage import RemotePath

# What exFAT, FAT and SMB answer to a name that they can't hold, each its own.
OF_NAMES = (errno.ENOENT, errno.EINVAL, errno.EILSEQ)


def composed(name: str) -> str:
    """Write a file's name as people type it: some systems write letters and accents apart."""
    return unicodedata.normalize("NFC", name)


def taken_for_others(folder: Path, files: Iterable[Path]) -> dict[Path, str]:
    """Find files that a folder's file system would take for earlier ones, which would be lost.

    Names that differ by more than the case of letters, or how accents are written, are not tried.

    Args:
        folder: It may not be there yet.
        files: In it, or in folders in it.

    Returns:
        For each file that would be taken for an earlier one, why it can't be written, in words.
    """
    alike = defaultdict(list)
    for name in dict.fromkeys(file.relative_to(folder) for file in files):
        alike[_folded(str(name))].append(name)
    same: dict[Path, Path] = {}
    if groups := [names for names in alike.values() if len(names) > 1]:
        there = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
        try:
            with TemporaryDirectory(prefix=PREFIX, dir=there) as trial:
                for names in groups:
                    same |= _one_file(Path(trial), names)
        except OSError:
            # Where nothing can be written, there is nothing to lose.
            pass
    reason = "can't be written: the file system there takes its name for {}"
    return {folder / name: reason.format(earlier) for name, earlier in same.items()}


class Sources:
    """Files that no result may replace.

    Args:
        files: The files.
    """

    def __init__(self, files: Iterable[Place]):
        self._alike = defaultdict(set)
        for file in files:
            real = _real(file)
            self._alike[_folded(real)].add(real)

    def __contains__(self, target: Place) -> bool:
        """Tell whether a file is one of them, maybe by another name."""
        real = _real(target)
        alike = self._alike.get(_folded(real), ())
        return real in alike or (alike and _as_listed(real) in map(_as_listed, alike))


def is_inside(place: Place, folder: Place) -> bool:
    """Tell whether a place is a folder, or in it, by whatever name."""
    inside, real = _real(place), _real(folder)
    if not PurePosixPath(_folded(inside)).is_relative_to(_folded(real)):
        return False
    return _as_listed(inside).is_relative_to(_as_listed(real))


def reason_not_written(error: OSError, folder: Place) -> str:
    """Say why one result could not be written.

    Args:
        error: What writing it raised.
        folder: Where all results go.

    Raises:
        OSError: The error itself, if no other result could be written either.
    """
    if error.errno in OF_DISKS or isinstance(folder, RemotePath):
        raise error
    try:
        check_writable(folder)
    except OSError:
        raise error from None
    if error.errno in OF_NAMES:
        return "can't be written: the file system there holds no such name"
    return f"can't be written: {reason_of(error)}"


def _real(place: Place) -> str:
    """Return a path by which a place can be told from others."""
    return str(place) if isinstance(place, RemotePath) else os.path.realpath(place)


def _as_listed(path: str) -> Path:
    """Return a path with the names that its folders list: `a.jpg` may lead to `A.jpg`.

    Numbers of files don't tell: some file systems make them up.
    """
    whole = Path(path)
    place = Path(whole.anchor)
    for part in whole.parts[1:]:
        if os.path.lexists(place / part):
            names = {file.name for file in place.iterdir()}
            if part not in names:
                part = next((name for name in names if _folded(name) == _folded(part)), part)
        place /= part
    return place


def _folded(name: str) -> str:
    return composed(name).casefold()


def _one_file(trial: Path, names: list[Path]) -> dict[Path, Path]:
    """Find names that a file system takes for earlier ones, by making files of them."""
    same = {}
    for name in names:
        file = trial / name
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8", errors="surrogateescape") as new:
                new.write(str(name))
        except FileExistsError:
            same[name] = Path(file.read_text(encoding="utf-8", errors="surrogateescape"))
        except OSError:
            # It can't be held, which is said when it is written.
            continue
    return same
