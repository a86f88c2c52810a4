"""Runs whose process was killed, told from those that are worked on.

A process that works on a run holds a file locked, and the run has the file's name as a tag from its
first moment. The system takes the lock back however the process ends. So where the file is there
and not locked, nobody works on the run any more. Nothing is known of other machines' processes.
"""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import mlflow
from filelock import FileLock, Timeout

from recolor.datasets.errors import RecolorError
from recolor.platform.tracking.database import sqlite_file
from recolor.platform.tracking.server import store_name

# Tag of a run: the process that works on it, or was the last to do so.
PROCESS_TAG = "process"
# Longer than another process takes to see whether a file is locked.
MOMENT_SECONDS = 2
SUFFIX = ".lock"


class BusyRunError(RecolorError):
    """Another process works on a run."""


@contextmanager
def at_work() -> Iterator[str]:
    """Let other processes of this machine know that this one lives.

    After an error the file stays, for the next command to see whether a run was left open.

    Yields:
        What is to be the `PROCESS_TAG` of the runs that it works on.
    """
    process = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
    lock = None
    # Where nothing can be written, the others can't know.
    with suppress(OSError):
        lock = _locked(_folder() / f"{process}{SUFFIX}")
    try:
        yield process
    except BaseException:
        if lock:
            lock.release()
        raise
    if lock:
        _remove(lock)


@contextmanager
def alone_with(run_id: str) -> Iterator[None]:
    """Keep other processes of this machine from working on a run that is resumed.

    Raises:
        BusyRunError: If another one works on it.
    """
    process = mlflow.get_run(run_id).data.tags.get(PROCESS_TAG)
    began = _folder() / f"{process}{SUFFIX}"
    if began.exists():
        _lock_of(run_id, began).release()
    # Of two that resume it at once, one gets the lock.
    lock = _lock_of(run_id, _folder() / f"{run_id}{SUFFIX}")
    try:
        yield
    finally:
        _remove(lock)


def close_lost_runs() -> None:
    """End the runs that killed processes of this machine have left open in this store."""
    client = mlflow.MlflowClient()
    for file in _folder().glob(f"*{SUFFIX}"):
        with suppress(mlflow.MlflowException, OSError):
            lock = _locked(file, seconds=0)
            wanted = f"attributes.status = 'RUNNING' AND tags.{PROCESS_TAG} = '{file.stem}'"
            everywhere = [one.experiment_id for one in client.search_experiments()]
            for run in client.search_runs(everywhere, wanted):
                client.set_terminated(run.info.run_id, "KILLED")
            _remove(lock)


def _folder() -> Path:
    """Return where the files are: beside the store's database, or else in the working folder."""
    if database := sqlite_file(mlflow.get_tracking_uri()):
        return database.with_name(f"{database.name}.running")
    name = re.sub(r"\W+", "_", store_name())
    return Path("mlruns") / f"{name}.running"


def _locked(file: Path, seconds: float = MOMENT_SECONDS) -> FileLock:
    """Lock a file, and say in it who does."""
    lock = FileLock(file.resolve(), timeout=seconds)
    while not lock.is_locked:
        # Another process may remove the folder at this instant, since it was empty.
        with suppress(FileNotFoundError):
            file.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
    file.write_text(f"process {os.getpid()} of {socket.gethostname()}", encoding="utf-8")
    return lock


def _lock_of(run_id: str, file: Path) -> FileLock:
    try:
        return _locked(file)
    except Timeout:
        holder = file.read_text(encoding="utf-8")
        raise BusyRunError(
            f"{holder} works on run {run_id}: let it finish, or end it first"
        ) from None


def _remove(lock: FileLock) -> None:
    file = Path(lock.lock_file)
    # While it is locked: whoever waits for it makes a new one.
    file.unlink(missing_ok=True)
    lock.release()
    for folder in file.parents[:2]:
        # What holds something else stays.
        with suppress(OSError):
            folder.rmdir()
