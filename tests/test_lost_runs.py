"""Runs whose process was interrupted or killed: none stays open, and none is worked on twice."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pytest
from conftest import environment, store_in_use

from recolor.platform.interruption import SIGNALS, interruptible
from recolor.platform.tracking.lost_runs import BusyRunError, alone_with
from recolor.platform.tracking.store import connect, tracked_run

# A process that works on a new run, and continues another one, until it is killed.
WORK = """
import sys, time
from recolor.platform.tracking.store import tracked_run
with tracked_run("new") as run, tracked_run("", run_id=sys.argv[1]):
    print(run.info.run_id, flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module", autouse=True)
def own_store(empty_database, tmp_path_factory):
    """A store of these tests' own."""
    folder = tmp_path_factory.mktemp("store")
    shutil.copy(empty_database, folder)
    with (
        pytest.MonkeyPatch.context() as patch,
        store_in_use(f"sqlite:///{folder}/mlflow.db") as uri,
    ):
        # MLflow keeps it there, from any store before.
        patch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
        yield uri
        patch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)


def status(run_id: str) -> str:
    return mlflow.get_run(run_id).info.status


def test_runs_are_closed_by_the_next_command_once_their_process_was_killed(own_store, tmp_path):
    with tracked_run("old") as run:
        old = run.info.run_id
    process = subprocess.Popen(
        [sys.executable, "-c", WORK, old],
        cwd=tmp_path, env=environment(own_store), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        new = process.stdout.readline().strip()
        connect()
        assert (status(new), status(old)) == ("RUNNING", "RUNNING")
        for run_id in (new, old):
            with (
                pytest.raises(
                    BusyRunError, match=rf"process {process.pid} of \S+ works on run {run_id}"
                ),
                alone_with(run_id),
            ):
                pass
    finally:
        process.kill()
        process.wait()
    assert (status(new), status(old)) == ("RUNNING", "RUNNING")
    connect()
    assert (status(new), status(old)) == ("KILLED", "KILLED")
    assert not Path(f"{own_store.removeprefix('sqlite:///')}.running").exists()


def test_of_two_that_go_on_with_a_run_at_once_one_does():
    with tracked_run("run") as run:
        pass
    with (
        alone_with(run.info.run_id),
        pytest.raises(BusyRunError, match=f"process {os.getpid()} of .* works on run"),
        alone_with(run.info.run_id),
    ):
        pass
    with alone_with(run.info.run_id):
        pass


@pytest.mark.parametrize("number", SIGNALS)
def test_a_request_to_end_kills_the_run(number, heard):
    """Asked twice, as by a terminal that closes, the run still ends in peace."""
    with pytest.raises(KeyboardInterrupt) as raised, interruptible(), tracked_run("run") as run:
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), signal.SIGHUP)
    assert raised.value.signal == number
    assert status(run.info.run_id) == "KILLED"


def test_a_request_that_comes_within_a_destructor_is_not_lost(heard):
    """Python drops what is raised there; JAX, for one, is called by the garbage collector."""

    class Asking:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt) as raised, interruptible():
        asking = Asking()
        del asking
        time.sleep(20)
    assert raised.value.signal == signal.SIGTERM


def test_what_is_ignored_stays_ignored():
    """As of `nohup recolor train`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
