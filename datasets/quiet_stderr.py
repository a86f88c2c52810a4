"""Keeping quiet what TensorFlow's libraries say on stderr, whatever its own setting is."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def is_quiet() -> bool:
    """Whether TensorFlow has been told to be quiet, by ``TF_CPP_MIN_LOG_LEVEL``."""
    return os.environ.get("TF_CPP_MIN_LOG_LEVEL", "0") != "0"


@contextmanager
def no_stderr() -> Iterator[None]:
    """Send what the whole process writes to stderr nowhere, in C++ too."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
