"""What waits for a store that does not answer."""

import os
import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import mlflow
import numpy as np
import pytest
from conftest import store_in_use
from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_TIMEOUT

from recolor.platform.tracking import outbox
from recolor.platform.tracking.checkpoint import Checkpoint, Progress
from recolor.platform.tracking.checkpoints import newest_checkpoint
from recolor.platform.tracking.outbox import CHECKPOINTS, FOLDER_TAG, Outbox
from recolor.platform.tracking.server import patience


def checkpoint(epoch: int) -> Checkpoint:
    """The state of a very small training, which has a loss of 100 - N after epoch N."""
    history = [{"loss": 99.0 - before} for before in range(epoch)]
    weights = {"kernel": np.full(3, epoch)}
    return Checkpoint(Progress(epoch, history=history), weights, {}, weights)


@pytest.fixture
def run_id(store, tmp_path, monkeypatch):
    """A run of the store, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    with mlflow.start_run() as run:
        pass
    return run.info.run_id


@contextmanager
def server_that(fails: str):
    """Use a tracking server that is not there, or takes requests and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if fails == "hangs":
            server.listen()
        with store_in_use(f"http://127.0.0.1:{server.getsockname()[1]}"):
            yield


def losses(run_id: str) -> dict[int, float]:
    history = mlflow.MlflowClient().get_metric_history(run_id, "training/loss")
    assert len({metric.step for metric in history}) == len(history)
    return {metric.step: metric.value for metric in history}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("fails", ["is gone", "hangs"])
def test_what_waits_arrives_in_order_and_once(fails, run_id, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(outbox, "PROBE_SECONDS", 1)
    box = Outbox(run_id)
    box.put(checkpoint(1))
    assert losses(run_id) == {1: 99.0} and not list(tmp_path.iterdir())
    with server_that(fails):
        for epoch in (2, 3, 4):
            box.put(checkpoint(epoch))
    assert {path.name for path in box.folder.iterdir()} == {
        "2.json", "3.json", "4.json", CHECKPOINTS,
    }  # fmt: skip
    assert [path.name for path in box.checkpoints()] == ["0.npz"]
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "the tracking server http"
    ]
    # Of what has arrived the store had not said so.
    mlflow.MlflowClient().log_metric(run_id, "training/loss", 98.0, step=2)
    mlflow.MlflowClient().log_metric(run_id, "epochs", 2, step=2)
    # A resumed training here begins with what waits.
    assert newest_checkpoint(run_id).progress.epoch == 4
    Outbox(run_id).put(checkpoint(5))
    assert losses(run_id) == {1: 99.0, 2: 98.0, 3: 97.0, 4: 96.0, 5: 95.0}
    assert newest_checkpoint(run_id).weights["kernel"].tolist() == [5, 5, 5]
    assert not list(tmp_path.iterdir())


def test_what_waits_is_found_from_any_folder(run_id, tmp_path, monkeypatch):
    box = Outbox(run_id)
    mlflow.MlflowClient().set_tag(run_id, FOLDER_TAG, str(box.folder))
    with server_that("is gone"):
        box.put(checkpoint(1))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert newest_checkpoint(run_id).progress.epoch == 1
    Outbox.of(mlflow.get_run(run_id)).send()
    assert losses(run_id) == {1: 99.0}
    assert list(tmp_path.iterdir()) == [elsewhere] and not list(elsewhere.iterdir())


def test_patience_is_that_of_one_thread():
    before = dict(os.environ)
    with ThreadPoolExecutor(1) as other, patience(retries=0, seconds=1):
        assert MLFLOW_HTTP_REQUEST_TIMEOUT.get() == 1
        assert other.submit(MLFLOW_HTTP_REQUEST_TIMEOUT.get).result() == 120
        assert dict(os.environ) == before
    assert MLFLOW_HTTP_REQUEST_TIMEOUT.get() == 120


def test_what_a_run_has_learned_elsewhere_meanwhile_stays(run_id, tmp_path):
    box = Outbox(run_id)
    with server_that("is gone"):
        box.put(checkpoint(1))
    shutil.move(box.folder, tmp_path / "there")
    for epoch in (1, 2, 3):
        box.put(checkpoint(epoch))
    shutil.copytree(tmp_path / "there", box.folder)
    box.send()
    assert losses(run_id) == {1: 99.0, 2: 98.0, 3: 97.0}
    assert newest_checkpoint(run_id).progress.epoch == 3
