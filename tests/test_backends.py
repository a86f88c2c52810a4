"""The same networks, losses and trainings on TensorFlow, JAX and PyTorch."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace

import backend_probe
import keras
import mlflow
import numpy as np
import pytest
from backend_probe import PICTURE
from click.testing import CliRunner
from conftest import ROOT, data_set, environment, own_store

from recolor.datasets.classes import ColorClasses
from recolor.evaluation.scoring import score
from recolor.evaluation.told import Predictions, Told
from recolor.models.catalog import MODELS, PAPER
from recolor.models.decoding.options import Decoding
from recolor.models.weights import pretrained_weights
from recolor.platform.cli.main import main
from recolor.platform.registry.model import load_model
from recolor.platform.tracking.checkpoint import Checkpoint

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs PyTorch: pip install -e '.[torch]'"
)
BACKENDS = ["jax", pytest.param("torch", marks=needs_torch)]


@pytest.fixture(scope="module", autouse=True)
def compiled_once(tmp_path_factory):
    """Let all processes of JAX share what is compiled, without LLVM's optimizations."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("jax")))
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
        yield


def on(backend: str, variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    # TensorFlow ends the process at a flag that only JAX's XLA knows.
    flags = {"XLA_FLAGS": "--xla_backend_optimization_level=0"} if backend == "jax" else {}
    return {**variables, **flags, "KERAS_BACKEND": backend}


@pytest.fixture(scope="module")
def few(posters, tmp_path_factory):
    """A data set with one poster to validate and one to test: JAX compiles again for each shape."""
    return data_set(posters, tmp_path_factory, 32, (10, 1, 1))


@pytest.fixture(scope="module")
def probe(tmp_path_factory):
    """Run the probe on a backend, with the same weights and posters on each."""
    folder = tmp_path_factory.mktemp("probe")
    rng = np.random.default_rng(0)
    counts = np.zeros(1024, np.int64)
    counts[rng.choice(np.arange(200, 900), 60, replace=False)] = rng.integers(1, 1000, 60)
    given = {
        "counts": counts,
        "lightness": rng.integers(0, 256, (2, 32, 32, 1), np.uint8),
        "embedding": rng.dirichlet(np.ones(1000), 2).astype(np.float32),
        "ab": rng.integers(-80, 80, (2, 32, 32, 2)).astype(np.int8),
    }
    keras.utils.set_random_seed(0)
    for name in PAPER:
        weights = MODELS[name](ColorClasses.from_counts(counts)).build(32).get_weights()
        # Biases begin at zero: other values, so that a lost one is seen.
        given |= {
            f"{name}_{number}": weight + rng.normal(0, 0.01, weight.shape).astype(np.float32)
            for number, weight in enumerate(weights)
        }
    np.savez(folder / "given.npz", **given)
    for name in PAPER:
        # Of trained weights, since the colors of random ones hardly differ.
        small = replace(pretrained_weights(name), size=64, coarse_size=32)
        small.save(folder / f"{name}.safetensors")

    def run(backend: str) -> dict[str, np.ndarray]:
        target = folder / f"{backend}.npz"
        if target.exists():
            pass
        elif backend == keras.backend.backend():
            backend_probe.main(folder / "given.npz", target)
        else:
            script = ROOT / "tests" / "backend_probe.py"
            command = [sys.executable, script, folder / "given.npz", target]
            result = subprocess.run(command, env=on(backend), capture_output=True, text=True)
            assert result.returncode == 0, result.stderr
        return dict(np.load(target))

    return run


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_outputs_losses_and_gradients_are_tensorflows(probe, backend):
    expected, found = probe("tensorflow"), probe(backend)
    assert expected.keys() == found.keys()
    computed = [name for name in expected if not name.startswith(PICTURE)]
    assert len(computed) > 60
    for name in computed:
        values = expected[name]
        scale = np.abs(values).max()
        assert scale > 0, name
        np.testing.assert_allclose(found[name], values, atol=1e-4 * scale, rtol=0, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_pictures_are_those_of_tensorflows_graph(probe, backend):
    expected, found = probe("tensorflow"), probe(backend)
    pictures = [name for name in expected if name.startswith(PICTURE)]
    assert len(pictures) == 4
    for name in pictures:
        difference = np.abs(expected[name].astype(int) - found[name])
        # Where colors are carried over to a palette, a pixel may change places with another one.
        assert np.percentile(difference, 99.5) <= 1 and difference.max() <= 4, name


BLOCKED = """
import sys
from importlib.machinery import ModuleSpec
class Absent:
    def find_spec(self, name, path=None, target=None):
        absent = name.split(".")[0] in ("tensorflow", "tensorflow_io", "mlflow", "optuna")
        return ModuleSpec(name, self) if absent else None
    def create_module(self, spec):
        raise ModuleNotFoundError(f"No module named {spec.name!r}", name=spec.name)
    def exec_module(self, module):
        pass
sys.meta_path.insert(0, Absent())
from recolor.platform.cli.main import main
main(sys.argv[1:])
"""


def blocked(backend: str, *arguments) -> subprocess.CompletedProcess:
    """Run a command where TensorFlow and MLflow seem not to be installed."""
    command = [sys.executable, "-c", BLOCKED, *map(str, arguments)]
    return subprocess.run(command, env=on(backend), capture_output=True, text=True)


@pytest.mark.parametrize("backend", BACKENDS)
def test_from_posters_to_a_registered_model_without_tensorflow(
    backend, posters, few, small_network, tmp_path
):
    """On a machine without TensorFlow and MLflow; then, on one with them, into the registry."""

    data, file = tmp_path / "data", tmp_path / "weights.npz"
    options = ["--size", few.size, "--split", "10,1,1", "--seed", 1]
    result = blocked(backend, "prepare", posters[0].parent, "--out", data, *options)
    assert result.returncode == 0, result.stderr
    options = ["--data", data, "--untracked", file, "--model", small_network, "--batch-size", 5]
    result = blocked(backend, "train", *options, "--epochs", 2, "--ema", 0.8)
    assert result.returncode == 0, result.stderr
    assert f"2 epochs in {file}" in result.stdout

    with own_store(tmp_path / "store") as uri:
        result = CliRunner().invoke(main, ["import-weights", str(file), "--data", str(data)])
    assert result.exit_code == 0, result.output
    assert "registered as version 1" in result.output

    client = mlflow.MlflowClient(uri)
    (version,) = client.search_model_versions("name = 'poster-recolor'")
    run = client.get_run(version.run_id)
    assert run.data.tags["trained.backend"] == backend
    assert f"trained.version.{backend}" in run.data.tags
    assert run.data.tags["dataset.digest"] == few.digest
    logged = client.get_metric_history(run.info.run_id, "training/val_loss")
    assert [metric.step for metric in logged] == [1, 2]
    # Validated by TensorFlow, in pictures of 8 bits, and by the framework that trained.
    history = Checkpoint.load(file).progress.history
    best = min(epoch["val_loss"] for epoch in history)
    assert run.data.metrics["validation/l2_ab"] == pytest.approx(best, rel=1e-2)


# Both in one process, whose start takes seconds.
COMMANDS = """
import json, sys
from recolor.platform.cli.main import main
for arguments in json.loads(sys.argv[1]):
    main(arguments, standalone_mode=False)
"""


@pytest.mark.slow
def test_a_file_of_weights_is_evaluated_and_applied_without_tensorflow(few, posters, tmp_path):
    """A regression, for which JAX compiles less. Palettes are tested by the pictures above."""
    file, table, out = (tmp_path / name for name in ("small.safetensors", "table.json", "out"))
    replace(pretrained_weights("regression"), size=64, coarse_size=32).save(file)
    evaluate = ["evaluate", "--data", few.folder, "--json", table]
    apply = ["apply", posters[0], "--out", out]
    commands = [[*map(str, command), "--model", str(file)] for command in (evaluate, apply)]
    store = on("jax", environment(f"sqlite:///{tmp_path}/mlflow.db"))
    command = [sys.executable, "-c", COMMANDS, json.dumps(commands)]
    result = subprocess.run(command, env=store, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    columns = json.loads(table.read_text())["columns"]
    (found,) = (values for name, values in columns.items() if name.startswith(str(file)))
    predict = Predictions(load_model(str(file)).painter, Decoding()).told(Told())
    expected = score(few, "test", {"tensorflow": predict})["tensorflow"].result()
    assert found["l2_ab"] == pytest.approx(expected["l2_ab"], rel=1e-3)
    assert (out / posters[0].name).exists()


@pytest.mark.slow
def test_a_tracked_run_on_another_backend_is_registered_by_tensorflow(
    few, small_network, recolor, tmp_path
):
    store = on("jax", environment(f"sqlite:///{tmp_path}/mlflow.db"))
    options = ["--data", few.folder, "--model", small_network, "--batch-size", 5]
    result = recolor("train", *options, "--epochs", 1, env=store, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "registered as version 1" in result.stdout

    client = mlflow.MlflowClient(store["MLFLOW_TRACKING_URI"])
    (version,) = client.search_model_versions("name = 'poster-recolor'")
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["backend"] == "jax"


@pytest.mark.parametrize(
    ("backend", "untracked", "words"),
    [
        ("theano", True, "not one of tensorflow, jax, torch"),
        ("tensorflow", True, "tensorflow is not installed"),
        ("jax", False, "mlflow is not installed; `recolor train --untracked` needs only"),
    ],
)
def test_what_is_not_installed_is_named(backend, untracked, words, few, tmp_path):
    options = ["--model", "regression", *(["--untracked", tmp_path / "w.npz"] if untracked else [])]
    result = blocked(backend, "train", "--data", few.folder, *options)
    assert result.returncode != 0
    assert words in result.stderr and "Traceback" not in result.stderr
