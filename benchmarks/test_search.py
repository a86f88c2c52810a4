"""What a study costs beside the same trainings by hand."""

import itertools
import os

import mlflow
import pytest

from recolor.datasets.demo_posters import generate_demo_posters
from recolor.datasets.preparation import prepare
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.platform.search.plan import Plan
from recolor.platform.search.runs import study_run
from recolor.platform.search.space import parse_space
from recolor.platform.search.storage import open_storage
from recolor.platform.search.study import RUN_ID, begin_study
from recolor.platform.search.worker import work
from recolor.platform.tracking.store import own_store, tracked_run
from recolor.platform.training.devices import find_devices
from recolor.platform.training.settings import Settings
from recolor.platform.training.tracked import train_in_run

RATES = (1e-6, 1e-5, 1e-4)
EPOCHS, BATCH = 10, 20


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    posters = generate_demo_posters(tmp_path_factory.mktemp("posters"), 140, "modern", seed=0)
    dataset, _ = prepare(
        list(posters), tmp_path_factory.mktemp("data"), size=64, split=(120, 20, 0),
        embedding="none", seed=0, workers=2,
    )  # fmt: skip
    return dataset


@pytest.fixture(scope="module", autouse=True)
def store(tmp_path_factory):
    """A store that is made already."""
    with own_store(tmp_path_factory.mktemp("store")):
        with tracked_run("first"):
            pass
        yield


@pytest.mark.benchmark(group=f"{len(RATES)} trainings of 120 posters at 64 pixels")
def test_trials_of_a_study(benchmark, manifest, tmp_path):
    settings = Settings("regression", epochs=EPOCHS, batch_size=BATCH).complete()
    rates = ",".join(map(str, RATES))
    space = parse_space([f"learning_rate={rates}"])
    plan = Plan(manifest.digest, settings, OwnDecoding(), space, "val_loss", "grid", "median", 0)
    url = f"sqlite:///{tmp_path}/optuna.db"
    names = map(str, itertools.count())

    def search():
        study = begin_study(open_storage(url, 60, 300), next(names), plan, len(RATES))
        task = {"storage": url, "study": study.study_name, "data": [str(manifest.folder)]}
        task |= {"trials": len(RATES), "heartbeat": 60, "grace": 300}
        with study_run(study, plan, manifest, url):
            run = mlflow.get_run(study.user_attrs[RUN_ID])
        os.environ["MLFLOW_EXPERIMENT_ID"] = run.info.experiment_id
        try:
            work(task, lambda **message: None)
        finally:
            del os.environ["MLFLOW_EXPERIMENT_ID"]

    benchmark.pedantic(search, rounds=3, warmup_rounds=1)


@pytest.mark.benchmark(group=f"{len(RATES)} trainings of 120 posters at 64 pixels")
def test_the_same_by_hand(benchmark, manifest):
    def train():
        for rate in RATES:
            settings = Settings(
                "regression", epochs=EPOCHS, batch_size=BATCH, learning_rate=rate
            ).complete()
            with tracked_run("by hand") as run:
                train_in_run(run, manifest, settings, OwnDecoding(), find_devices(), None, None)

    benchmark.pedantic(train, rounds=3, warmup_rounds=1)
