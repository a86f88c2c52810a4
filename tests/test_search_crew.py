"""Workers of one command: their GPUs, and what is said of those that fail."""

import os

import pytest

from recolor.platform.search.crew import Crew, share_gpus


@pytest.mark.parametrize(
    ("visible", "workers", "expected"),
    [
        ("0", 1, ["0"]),
        ("2,3", 2, ["2", "3"]),
        ("GPU-a,GPU-b", 3, ["GPU-a", "GPU-b", "GPU-a"]),
        ("", 2, [None, None]),
        ("-1", 1, [None]),
    ],
)
def test_every_worker_has_a_gpu_of_its_own_as_far_as_they_go(
    visible, workers, expected, monkeypatch
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    shares = share_gpus(workers)
    assert [share.get("CUDA_VISIBLE_DEVICES") for share in shares] == expected
    # Where two are on one GPU, neither may take all of its memory.
    growing = ["TF_FORCE_GPU_ALLOW_GROWTH" in share for share in shares]
    assert growing == [
        expected.count(gpu) > 1 or len(set(expected)) < workers and gpu is not None
        for gpu in expected
    ]


def test_a_worker_that_fails_says_why(tmp_path):
    heard, failed = [], []
    task = {"storage": f"sqlite:///{tmp_path}/optuna.db", "study": "none", "data": "nowhere"}
    task |= {"trials": 1, "heartbeat": 1, "grace": 2}
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    crew = Crew(1, task, environment, lambda *message: heard.append(message), failed.append)
    crew.listen()
    assert heard[-1] == (1, None)
    (worker,) = failed
    assert worker.failure().startswith("nowhere does not exist")


def test_a_worker_that_was_killed_is_known(tmp_path):
    failed = []
    crew = Crew(1, {"storage": "sqlite://"}, dict(os.environ), lambda *message: None, failed.append)
    crew.kill()
    assert [worker.failure() for worker in failed] == ["killed by signal 9"]
