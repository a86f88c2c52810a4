"""Several workers and several devices: the same weights as from one, and one voice."""

import functools
import json
import shutil
import signal
import socket
import time

import keras
import mlflow
import numpy as np
import pytest
from click.testing import CliRunner
from forge import Command

from recolor.datasets.input_pipeline import Share
from recolor.datasets.preparation import prepare
from recolor.platform.cli.main import main
from recolor.platform.tracking.checkpoint import Checkpoint
from recolor.platform.training.devices import DeviceError, Devices, find_devices
from recolor.platform.training.loop import fit
from recolor.platform.training.settings import Settings, TrainingError

# Ten steps: two epochs of five batches.
TRAIN = [
    "train",
    "--model",
    "classification",
    "--batch-size",
    "4",
    "--epochs",
    "2",
    "--augment",
    "full",
]


def cluster() -> list[str]:
    """Two values of TF_CONFIG, for two workers on free ports of this machine."""
    sockets = [socket.socket() for _ in range(2)]
    for one in sockets:
        one.bind(("localhost", 0))
    workers = [f"localhost:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return [
        json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})
        for index in range(2)
    ]


def assert_equal_weights(one: Checkpoint, other: Checkpoint) -> None:
    assert one.progress.epoch == other.progress.epoch
    assert one.weights.keys() == other.weights.keys()
    for path, ours in one.weights.items():
        # Roundings, which differ by kind of CPU: Adam makes whole steps of them where a gradient is
        # nearly zero. So few weights may differ by steps of 1e-4, but all together hardly.
        difference = np.abs(ours - other.weights[path])
        assert difference.mean() < 1e-5
        assert difference.max() < 1e-3


@pytest.fixture(scope="module")
def alone(manifest, forge, tmp_path_factory):
    """One process with one device; of TensorFlow, it is this one."""

    @functools.cache
    def train(backend: str, *more: str) -> Checkpoint:
        folder = tmp_path_factory.mktemp("alone")
        file = folder / "weights.npz"
        arguments = [*TRAIN, "--data", str(manifest.folder), *more, "--untracked", str(file)]
        if backend == keras.backend.backend():
            result = CliRunner().invoke(main, arguments)
            assert result.exit_code == 0, result.output
        else:
            ended = forge.call(folder, *arguments, fresh=True, KERAS_BACKEND=backend)
            assert ended.status == 0, ended.said
        return Checkpoint.load(file)

    return train


@pytest.mark.slow
def test_two_workers_train_as_one_does(manifest, small_network, forge, alone, tmp_path):
    files = [tmp_path / f"{index}.npz" for index in range(2)]
    more = ["--model", small_network]
    arguments = [*TRAIN, "--data", manifest.folder, *more]
    workers = [
        forge.begin(tmp_path, *arguments, "--untracked", file, TF_CONFIG=config)
        for file, config in zip(files, cluster(), strict=True)
    ]
    ended = [worker.wait() for worker in workers]
    assert [worker.status for worker in ended] == [0, 0], ended
    assert files[0].exists() and not files[1].exists(), "only the chief writes"
    assert ["2 epochs in" in worker.said for worker in ended] == [True, False], "only it speaks"
    expected, found = alone("tensorflow", *more), Checkpoint.load(files[0])
    assert_equal_weights(expected, found)
    for ours, theirs in zip(expected.progress.history, found.progress.history, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)


@pytest.mark.slow
def test_a_lost_worker_ends_the_run_cleanly_and_it_goes_on(
    manifest, small_network, forge, empty_database, tmp_path
):
    store = f"sqlite:///{tmp_path}/mlflow.db"
    shutil.copy(empty_database, tmp_path)
    client = mlflow.MlflowClient(store)

    def both(*arguments) -> list[Command]:
        return [
            forge.begin(tmp_path, *arguments, MLFLOW_TRACKING_URI=store, TF_CONFIG=config)
            for config in cluster()
        ]

    workers = both(*TRAIN, "--model", small_network, "--data", manifest.folder, "--epochs", 200)
    run = None
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline and not (run and run.data.metrics.get("epochs", 0) >= 1):
        time.sleep(0.3)
        assert all(worker.runs for worker in workers), [worker.said for worker in workers]
        experiment = client.get_experiment_by_name("recolor")
        runs = client.search_runs([experiment.experiment_id]) if experiment else []
        run = next(iter(runs), None)
    workers[1].signal(signal.SIGKILL)
    workers[1].wait()
    left = workers[0].wait()
    assert left.status == 1
    # What may come behind is said by TensorFlow's own threads when the process ends.
    before, message, _ = left.said.partition("Error: another worker was lost")
    assert message and "Traceback" not in before
    run = client.get_run(run.info.run_id)
    assert run.info.status == "FAILED"

    done = int(run.data.metrics["epochs"])
    resume = ["--resume", run.info.run_id, "--epochs", done + 1]
    workers = both("train", "--data", manifest.folder, *resume)
    ended = [worker.wait() for worker in workers]
    assert [worker.status for worker in ended] == [0, 0], ended
    runs = client.search_runs([experiment.experiment_id])
    assert [found.info.run_id for found in runs] == [run.info.run_id], "only the chief has a run"
    assert runs[0].info.status == "FINISHED"
    assert runs[0].data.tags["devices"] == "2"
    assert runs[0].data.metrics["epochs"] == done + 1


@pytest.mark.slow
def test_two_devices_of_tensorflow_train_as_one_does(manifest, forge, alone, tmp_path, monkeypatch):
    # What Python imports at its start.
    (tmp_path / "sitecustomize.py").write_text("""
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
""")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    file = tmp_path / "weights.npz"
    ended = forge.call(tmp_path, *TRAIN, "--data", manifest.folder, "--untracked", file)
    assert ended.status == 0, ended.said
    assert_equal_weights(alone("tensorflow"), Checkpoint.load(file))


@pytest.mark.slow
def test_two_devices_of_jax_train_as_one_does(manifest, small_network, forge, alone, tmp_path):
    file = tmp_path / "weights.npz"
    more = ["--model", small_network, "--clip", "0.01", "--accumulate", "2"]
    arguments = [*TRAIN, "--data", manifest.folder, *more]
    ended = forge.call(
        tmp_path, *arguments, "--untracked", file, fresh=True, KERAS_BACKEND="jax",
        XLA_FLAGS="--xla_force_host_platform_device_count=2",
    )  # fmt: skip
    assert ended.status == 0, ended.said
    assert_equal_weights(alone("jax", *more), Checkpoint.load(file))


WORKERS = {"worker": ["localhost:1", "localhost:2"]}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("two workers", "does not describe a cluster"),
        ("[]", "does not describe a cluster"),
        (json.dumps({"cluster": WORKERS}), "does not describe a cluster"),
        (json.dumps({"cluster": WORKERS, "task": {"type": "worker", "index": 2}}), "no worker 2"),
        (json.dumps({"cluster": WORKERS, "task": {"type": "ps", "index": 0}}), "'ps'"),
    ],
)
def test_a_wrong_tf_config(config, words, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(DeviceError, match=words):
        find_devices()


def test_a_cluster_of_one_is_one_device(monkeypatch):
    config = {"cluster": {"worker": ["localhost:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert find_devices().share.devices == 1


class TwoDevices(Devices):
    share = Share(2, 0, 2)
    takes_all_settings = False


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch_size": 3}, "shared evenly by 2 devices"),
        ({"clip": 1.0}, "need a single device"),
        ({"accumulate": 2}, "need a single device"),
        ({"jit": True}, "need a single device"),
        ({"precision": "mixed_float16"}, "need a single device"),
    ],
)
def test_settings_that_devices_can_not_share(change, words, manifest):
    settings = Settings("regression", **{"epochs": 1, "batch_size": 4, **change})
    with pytest.raises(TrainingError, match=words):
        fit(manifest, settings, TwoDevices())


def test_too_few_posters_for_the_devices(posters, tmp_path):
    data, _ = prepare(
        posters, tmp_path / "data", size=16, split=(1, 0, 0), embedding="none", seed=0, workers=1
    )
    with pytest.raises(TrainingError, match="too few posters for 2 devices"):
        fit(data, Settings("regression", epochs=1, batch_size=4), TwoDevices())
