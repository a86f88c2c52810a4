"""Memory that a large picture took, given back to the system."""

import contextlib
import ctypes


def give_back_memory() -> None:
    """Hand back what is freed, but kept by the C library; where that has no way to, do nothing."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
