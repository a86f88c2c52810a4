"""Files that appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(target: Path) -> Iterator[Path]:
    """Give a temporary path beside a file, to be renamed to it when the writing has succeeded.

    The folder is made if need be. Nothing is left behind where the writing fails.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # A short name, since the file's own may be as long as names can be.
    temporary = target.with_name(f".recolor-{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
