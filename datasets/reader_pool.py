"""The processes that read images."""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType

# What of glibc's malloc to set, and to how many bytes, see mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT = 32 << 20


def reader_pool(workers: int) -> ProcessPoolExecutor:
    """Start a pool of processes that import no more than they are given to do.

    They are spawned: forking a process that runs TensorFlow's threads is not safe.
    """
    return ProcessPoolExecutor(
        workers,
        mp_context=_Context(),
        initializer=_begin,
    )


class _Reader(SpawnProcess):
    """A process that does not run the program's main file once more: it needs nothing of it.

    A script that prepares a data set would do so in each of them.
    """

    def start(self) -> None:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            super().start()
        finally:
            sys.modules["__main__"] = main


class _Context(SpawnContext):
    Process = _Reader


def _begin() -> None:
    _keep_memory()
    _follow_parent()


def _keep_memory() -> None:
    """Keep memory that was freed for the next picture: the system zeroes each page that it gives.

    That took a fifth of the time.
    """
    # Other C libraries have no such setting.
    with contextlib.suppress(AttributeError):
        for setting in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            ctypes.CDLL(None).mallopt(setting, KEPT)


def _follow_parent() -> None:
    """Leave interrupts to the parent, and end when it ends, however that happens."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sentinel = multiprocessing.parent_process().sentinel

    def end_with_parent():
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
