"""Files that appear whole or not at all."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

PREFIX = ".recolor-"
# Errors of a disk, which come when a file is open already and don't name it.
OF_DISKS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def check_writable(folder: Path) -> None:
    """Make a folder if need be, and find out that files can be written there before long work.

    Raises:
        OSError: If they can't.
    """
    folder.mkdir(parents=True, exist_ok=True)
    TemporaryDirectory(prefix=PREFIX, dir=folder).cleanup()


def remove_unfinished(folder: Path) -> None:
    """Remove what processes left that were killed while they wrote; no other may be writing now."""
    for unfinished in folder.glob(f"{PREFIX}*"):
        shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def named_in_errors(place: Path) -> Iterator[None]:
    """Let errors of a full or broken disk say what was being written."""
    try:
        yield
    except OSError as error:
        if error.errno in OF_DISKS and error.filename is None:
            error.filename = str(place)
        raise


@contextmanager
def atomic_write(target: Path) -> Iterator[Path]:
    """Give a temporary path beside a file, to be renamed to it when the writing has succeeded.

    The folder is made if need be. Nothing is left behind where the writing fails. Several processes
    may write the same file at once: the last one wins.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # A file in a folder of its own gets the permissions that any new file has.
    with named_in_errors(target), TemporaryDirectory(prefix=PREFIX, dir=target.parent) as folder:
        temporary = Path(folder) / target.name
        yield temporary
        temporary.replace(target)
