"""A folder that only one process at a time writes to."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from recolor.datasets.errors import RecolorError

LOCK_FILE = ".lock"


class LockError(RecolorError):
    """Another process writes to the folder."""


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is made if it is missing.

    The lock is the operating system's: it ends with its process, however that ends. Its file,
    which says who holds it, stays.

    Raises:
        LockError: If another process holds it; the message says which one.
        OSError: If the folder can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / LOCK_FILE
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        # It may have been taken at this very moment.
        holder = file.read_text(encoding="utf-8").strip() or "another process"
        raise LockError(
            f"{folder} is being written by {holder}: wait for its end, or choose another folder"
        ) from None
    try:
        since = datetime.now().astimezone().isoformat(" ", "seconds")
        file.write_text(
            f"process {os.getpid()} on {socket.gethostname()} since {since}\n", encoding="utf-8"
        )
        yield
    finally:
        lock.release()
