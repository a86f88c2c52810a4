"""Workers of one command: their GPUs, and what is said of those that fail."""

import os

import pytest

from recolor.platform.search.worker_pool import WorkerPool, share_gpus


@pytest.mark.parametrize(
    ("visible", "workers", "gpus", "shared"),
    [
        ("0", 1, ["0"], False),
        ("2,3", 2, ["2", "3"], False),
        ("GPU-a,GPU-b", 3, ["GPU-a", "GPU-b", "GPU-a"], True),
        ("", 2, [None, None], False),
        ("-1", 1, [None], False),
    ],
)
def test_every_worker_has_a_gpu_of_its_own_as_far_as_they_go(
    visible, workers, gpus, shared, monkeypatch
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    shares = share_gpus(workers)
    assert [share.get("CUDA_VISIBLE_DEVICES") for share in shares] == gpus
    # Where two are on one GPU, neither may take all of its memory.
    assert all(("TF_FORCE_GPU_ALLOW_GROWTH" in share) == shared for share in shares)


def test_workers_that_fail_say_why(tmp_path):
    heard = []
    task = {"storage": f"sqlite:///{tmp_path}/optuna.db", "study": "none", "data": ["nowhere"]}
    task |= {"trials": 1, "heartbeat": 1, "grace": 2}
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    pool = WorkerPool(2, task, environment, lambda *message: heard.append(message))
    failures = pool.wait()
    for number, failure in enumerate(failures, 1):
        assert failure.startswith(f"worker {number}: nowhere does not exist")
    assert {(1, None), (2, None)} == {message for message in heard if message[1] is None}


def test_a_worker_that_has_a_bug_says_which(tmp_path):
    pool = WorkerPool(1, {}, dict(os.environ), lambda *message: None)
    (failure,) = pool.wait()
    assert failure == "worker 1: KeyError: 'storage'"


def test_a_worker_that_was_killed_is_known():
    pool = WorkerPool(1, {"storage": "sqlite://"}, dict(os.environ), lambda *message: None)
    pool.kill()
    assert pool.wait() == ["worker 1: killed by signal 9"]
