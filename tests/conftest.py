"""What tests share: demo posters, a small data set of them, and a store with a trained model."""

import functools
import gc
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import mlflow
import pytest
import servers
from filelock import FileLock
from forge import Forge

from recolor.platform.interruption import SIGNALS

# Nothing of the developer's own store must be seen or touched.
for variable in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"):
    os.environ.pop(variable, None)
# Each of the processes that run tests has a core: TensorFlow's threads would only wait in turns.
for variable in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

ROOT = Path(__file__).resolve().parent.parent
RECOLOR = [sys.executable, "-m", "recolor.platform.cli.main"]
SIZE = 32
# Until the end of this process.
TEMPORARY = tempfile.TemporaryDirectory()


def environment(store: str) -> dict[str, str]:
    """The environment of a new process with a store of its own, and nothing else of MLflow's."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**kept, "MLFLOW_TRACKING_URI": store, "PATH": path}


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Test modules import everything that commands do, all of which stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


# The files that take longest, the longest first.
LONG = (
    *(
        "mlproject",
        "training",
        "cli",
        "serve",
        "page",
        "tune",
        "devices",
        "serving",
        "default_model",
    ),
    *(
        "export",
        "embeddings",
        "ablation",
        "extensions",
        "server",
        "networks",
        "history",
        "database",
    ),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no process is left alone with one of them."""
    ranks = {f"test_{name}.py": rank for rank, name in enumerate(LONG)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(LONG)))


@pytest.fixture(scope="session")
def bundled_networks_loaded_once() -> Iterator[None]:
    """Let all tests of this process share networks, bundled and registered: graphs take seconds."""
    from recolor.models.catalog import MODELS
    from recolor.platform.registry import model, registration

    made, networks = model._of_weights, {}
    load, loaded = registration.load_registered, {}

    def shared(source, weights, schemes):
        if source not in MODELS:
            return made(source, weights, schemes)
        if source not in networks:
            networks[source] = made(source, weights, schemes)
        painter = replace(networks[source].painter, library=schemes)
        return replace(networks[source], painter=painter)

    def shared_version(uri):
        # Its files are looked for each time.
        known = registration.model_info(uri)[0].model_id
        if known not in loaded:
            loaded[known] = load(uri)
        return loaded[known]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "_of_weights", shared)
        patch.setattr(registration, "load_registered", shared_version)
        yield


@pytest.fixture(scope="module")
def painter(bundled_networks_loaded_once):
    """The bundled classification network, which is a small one that takes palettes."""
    from recolor.platform.registry.model import load_model

    return load_model("classification").painter


@pytest.fixture(scope="session", autouse=True)
def logged_models_not_tried() -> Iterator[None]:
    """MLflow loads each model once that is logged, and at most warns: tests load what they use."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlflow.models.utils._validate_serving_input", lambda **_: None)
        yield


@pytest.fixture(scope="session")
def posters(tmp_path_factory) -> list[Path]:
    """Thirty demo posters in one folder."""
    from recolor.datasets.demo_posters import generate_demo_posters

    return list(generate_demo_posters(tmp_path_factory.mktemp("posters"), 30, "modern", seed=3))


@contextmanager
def store_in_use(uri: str) -> Iterator[str]:
    """Use a store for a while, in this process and its children; afterwards that before, if any.

    Not the one that MLflow takes by default: it lies in the working directory.
    """
    before = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None
    mlflow.set_tracking_uri(uri)
    try:
        yield uri
    finally:
        mlflow.set_tracking_uri(before)


@functools.cache
def made_database() -> Path:
    """The database of a store without anything, to be copied: making one takes seconds."""
    from recolor.platform.tracking import store

    file = Path(TEMPORARY.name) / "mlflow.db"
    with store_in_use(f"sqlite:///{file}"):
        store.connect()
    return file


@contextmanager
def own_store(folder: Path) -> Iterator[str]:
    """Use a store in a folder of its own for a while, with the experiment that commands use."""
    from recolor.platform.tracking import store

    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "mlflow.db").exists():
        shutil.copy(made_database(), folder)
    # Afterwards MLflow is to know no store, if it has known none before.
    with store_in_use(f"sqlite:///{folder}/mlflow.db"), store.own_store(folder) as uri:
        yield uri


def data_set(posters: list[Path], folders, size: int, split: tuple[int, int, int], seed: int = 1):
    """Prepare a data set without an embedding, in a new folder of pytest's."""
    from recolor.datasets.preparation import prepare

    out = folders.mktemp("data") / "demo"
    options = {"size": size, "split": split, "embedding": "none", "seed": seed}
    prepared, skipped = prepare(posters, out, workers=1, **options)
    assert not skipped
    return prepared


@pytest.fixture(scope="session")
def manifest(posters, tmp_path_factory):
    """A data set of those posters: 20 to train, 6 to validate, 4 to test."""
    return data_set(posters, tmp_path_factory, SIZE, (20, 6, 4))


@pytest.fixture(scope="session")
def tiny(posters, tmp_path_factory):
    """A data set of 16 pixels: 16 posters to train, 6 to validate."""
    return data_set(posters, tmp_path_factory, 16, (16, 6, 0))


@pytest.fixture(scope="module")
def small_network() -> Iterator[str]:
    """The name of a network with 450 weights, known to this process and to those that it starts."""
    from recolor.models.catalog import MODELS

    folder = ROOT / "tests" / "small_network"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        patch.syspath_prepend(folder)
        patch.setitem(MODELS._places, "small", "small_network:Small")
        yield "small"


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> str:
    """A store of its own, as the default one is: SQLite with the artifacts beside it."""
    folder = tmp_path_factory.mktemp("store")
    shutil.copy(made_database(), folder)
    uri = f"sqlite:///{folder}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    mlflow.create_experiment("recolor", artifact_location=(folder / "artifacts").as_uri())
    os.environ["MLFLOW_TRACKING_URI"] = uri
    mlflow.set_experiment("recolor")
    yield uri
    del os.environ["MLFLOW_TRACKING_URI"]


@pytest.fixture(scope="session")
def trained(manifest, store, tmp_path_factory, worker_id):
    """A classification network after two epochs, registered as version 1, and the champion.

    It answers by default, since it is said to be better than the bundled network. The first process
    of pytest-xdist that asks for it trains it; in the others, what `store` holds is replaced by it.
    """
    from recolor.platform.registry.promotion import promote
    from recolor.platform.training.publication import published_model
    from recolor.platform.training.settings import Settings
    from recolor.platform.training.tracked import train

    folder = tmp_path_factory.getbasetemp()
    shared = (folder if worker_id == "master" else folder.parent) / "trained.db"
    own, run = Path(store.removeprefix("sqlite:///")), shared.with_name("trained.run")
    with FileLock(f"{shared}.lock"):
        if shared.exists():
            copy_database(shared, own)
            return published_model(run.read_text())
        result = train(manifest, Settings("classification", epochs=2, batch_size=5))
        compared(manifest.digest, version=result.metrics["told_palette.l2_ab"]).keep(result.version)
        promote("l2_ab")
        run.write_text(result.run_id)
        copy_database(own, shared)
        return result


def check_imports(code: str, *heavy: str, **options) -> str:
    """Run Python code in a process of its own, which must import none of some packages.

    Args:
        code: The code.
        heavy: The packages.
        options: Those of `subprocess.run`.

    Returns:
        What it has printed.
    """
    check = f"found = {set(heavy)} & set(sys.modules)\nassert not found, found"
    command = [sys.executable, "-c", f"import sys\n{code}\n{check}"]
    result = subprocess.run(command, capture_output=True, text=True, **options)
    assert result.returncode == 0, result.stderr
    return result.stdout


def copy_database(source: Path, target: Path) -> None:
    """Copy a SQLite database, also over one that is in use."""
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def compared(data: str, *, version: float = 1.0, bundled: float = 10_000.0, metric: str = "l2_ab"):
    """A comparison of a version with the bundled network, as `recolor promote` keeps it.

    By default the version is better. Promotions on the same data take the bundled network's value
    from it and measure nothing.
    """
    from recolor.evaluation.answers import TOLD_PALETTE, MetricKey
    from recolor.models.catalog import DEFAULT
    from recolor.platform.registry.comparison import Comparison, bundled_digest

    told = {MetricKey(TOLD_PALETTE, metric): bundled}
    return Comparison(metric, data, version, told, False, bundled_digest(DEFAULT))


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A PostgreSQL server; its URL names a database that is to stay empty."""
    with servers.postgresql_server() as url:
        yield url


@pytest.fixture
def postgresql(postgresql_server, request) -> str:
    """The URL of an empty PostgreSQL database of the test's own."""
    return servers.new_database(postgresql_server, request.node.name[:60])


@pytest.fixture(scope="module")
def tracking_server(postgresql_server, tmp_path_factory) -> Iterator[servers.TrackingServer]:
    """An MLflow server that keeps its runs in PostgreSQL, and hands out artifacts itself."""
    database = servers.new_database(postgresql_server, "mlflow")
    server = servers.TrackingServer(database, tmp_path_factory.mktemp("artifacts"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory) -> Path:
    """The database of a store without anything, to be copied."""
    return shutil.copy(made_database(), tmp_path_factory.mktemp("empty"))


@pytest.fixture
def versions(empty_database, tmp_path):
    """Register versions by their validation metrics and data; the store is this test's own."""
    from recolor.platform.registry.versions import MODEL_NAME

    shutil.copy(empty_database, tmp_path)

    def register(data="data-1", **metrics) -> str:
        tags = {f"validation.{name}": str(value) for name, value in metrics.items()}
        version = client.create_model_version(
            MODEL_NAME, source=str(tmp_path), tags={"dataset.digest": data, **tags}
        )
        return str(version.version)

    with store_in_use(f"sqlite:///{tmp_path}/mlflow.db"):
        client = mlflow.MlflowClient()
        client.create_registered_model(MODEL_NAME)
        yield register


@pytest.fixture
def copied_store(trained, store, tmp_path):
    """The store with the trained model, copied: what is registered here, no other test sees."""
    shutil.copy(store.removeprefix("sqlite:///"), tmp_path)
    with store_in_use(f"sqlite:///{tmp_path}/mlflow.db") as uri:
        yield uri


@pytest.fixture
def heard():
    """Signals as in a terminal: `nohup`, and shells in the background, have some ignored."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def forge() -> Iterator[Forge]:
    """Commands that begin at once, in processes of their own."""
    with closing(Forge()) as forge:
        yield forge


@pytest.fixture
def recolor():
    """Run the command line as a user does, in a process of its own."""

    def run(*arguments, **options) -> subprocess.CompletedProcess:
        options = {"capture_output": True, "text": True, "timeout": 300, **options}
        return subprocess.run([*RECOLOR, *map(str, arguments)], **options)

    return run


@pytest.fixture
def learn_by_heart(tmp_path):
    """Train a network on eight posters until it knows them; return its L2ab and gray's."""

    def learn(model: str, files: list[Path], size: int, epochs: int) -> tuple[float, float]:
        import keras
        import numpy as np

        from recolor.datasets.input_pipeline import read_posters, training_batches
        from recolor.datasets.preparation import prepare
        from recolor.models.catalog import MODELS

        dataset, _ = prepare(
            files[:8], tmp_path / "eight", size=size, split=(8, 0, 0), embedding="none", seed=0,
            workers=1,
        )  # fmt: skip
        kind = MODELS[model](dataset.classes)
        keras.utils.set_random_seed(0)
        network = kind.build(size)
        network.compile(keras.optimizers.Adam(5e-4), kind.loss, jit_compile=False)
        batches = training_batches(dataset, 8, seed=0, augment="none")
        network.fit(batches, epochs=epochs, steps_per_epoch=1, verbose=0)
        batch = next(read_posters(dataset, "train", 8))
        ab = np.asarray(kind.decode(network([batch["lightness"], batch["embedding"]]), 0.38))
        gray = np.mean(np.square(batch["ab"].astype(np.float32)))
        return float(np.mean(np.square(batch["ab"] - np.rint(ab)))), float(gray)

    return learn
