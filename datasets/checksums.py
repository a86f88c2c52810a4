"""Checksums of files."""

import hashlib
from functools import cache
from pathlib import Path


def file_digest(path: Path) -> str:
    """Return the sha256 of a file, in hex."""
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha256.update(block)
    return sha256.hexdigest()


def known_digest(path: Path) -> str:
    """Return the sha256 of a file, in hex; it is read again only if it looks changed."""
    state = path.stat()
    return _digest_in(path, state.st_ino, state.st_size, state.st_mtime_ns)


@cache
def _digest_in(path: Path, *state: int) -> str:
    return file_digest(path)
