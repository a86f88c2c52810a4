"""Giving memory back to the system."""

import contextlib
import ctypes

# Of glibc's malloc, see mallopt(3): blocks of so many bytes go back as soon as they are freed, and
# of smaller ones as soon as so many bytes of them are free at the end of the heap.
SETTINGS = {-3: 4 << 20, -1: 64 << 20}


def return_large_blocks() -> None:
    """Let bodies, pictures and answers leave no holes in the heap, which would grow with them.

    By default, glibc raises the size of what goes back to that of the largest that was freed.
    """
    # Other C libraries have no such setting.
    with contextlib.suppress(AttributeError):
        for setting, size in SETTINGS.items():
            ctypes.CDLL(None).mallopt(setting, size)
