"""Large tables, computed once for a user and mapped into memory by all processes.

They are kept in the folder that ``RECOLOR_CACHE`` names, or else in ``$XDG_CACHE_HOME/recolor``, or
else in ``~/.cache/recolor``. Served models hold a copy of this file, so it imports nothing heavy.
"""

import os
import zlib
from collections.abc import Callable, Iterable
from math import prod
from pathlib import Path

import numpy as np

from recolor.datasets.atomic_file import atomic_write

CHECKSUM_BYTES = 4


def cache_folder() -> Path:
    """Return the folder of the tables; it need not exist.

    Raises:
        RuntimeError: If the user has no home folder.
    """
    if folder := os.environ.get("RECOLOR_CACHE"):
        return Path(folder)
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # A relative path there counts as none, by the specification.
    return (base if base.is_absolute() else Path.home() / ".cache") / "recolor"


def shared_table(
    name: str, shape: tuple[int, ...], blocks: Callable[[], Iterable[np.ndarray]]
) -> np.ndarray:
    """Map a table from the user's cache, after making it if it is missing or damaged.

    Where the cache can't be written, the table is made in this process's own memory.

    Args:
        name: File name. Another content needs another name.
        shape: Shape of the table.
        blocks: Computes the table's rows, as ``uint8`` arrays one after another.

    Returns:
        The table, ``uint8``, not to be written to.
    """
    try:
        file = cache_folder() / name
        if not _is_whole(file, prod(shape)):
            _write(file, blocks())
        # A plain array, since what is taken from a memmap would be one as well.
        return np.asarray(np.memmap(file, np.uint8, "r", shape=shape))
    except (OSError, RuntimeError):
        return np.concatenate(list(blocks()))


def _is_whole(file: Path, size: int) -> bool:
    """Tell whether a file holds this many bytes, followed by their checksum."""
    try:
        if file.stat().st_size != size + CHECKSUM_BYTES:
            return False
        content = np.memmap(file, np.uint8, "r")
    except FileNotFoundError:
        return False
    return zlib.crc32(content[:size]) == int.from_bytes(content[size:].tobytes(), "little")


def _write(file: Path, blocks: Iterable[np.ndarray]) -> None:
    checksum = 0
    with atomic_write(file) as temporary, temporary.open("wb") as stream:
        for block in blocks:
            data = block.tobytes()
            stream.write(data)
            checksum = zlib.crc32(data, checksum)
        stream.write(checksum.to_bytes(CHECKSUM_BYTES, "little"))
