"""Which MLflow store is used."""

import os

import mlflow
import pytest

from recolor.models.catalog import DEFAULT
from recolor.platform.registry.model import load_model
from recolor.platform.registry.versions import MODEL_NAME
from recolor.platform.tracking import store as store_module
from recolor.platform.tracking.store import RunError, own_store, tracked_run


def test_a_store_of_its_own_leaves_the_users_alone(tmp_path, store, trained, monkeypatch):
    """Neither its champion nor its runs are seen, and afterwards everything is as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "1")
    before = dict(os.environ)
    runs = len(mlflow.search_runs(experiment_names=["recolor"]))
    for _ in range(2):
        with own_store(tmp_path / "own") as uri:
            assert uri.endswith("own/mlflow.db")
            assert mlflow.MlflowClient().search_registered_models() == []
            assert load_model(None).source == DEFAULT
            with tracked_run("a run"):
                mlflow.log_text("text", "file.txt")
    assert len(list((tmp_path / "own").rglob("file.txt"))) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["own"]
    assert (mlflow.get_tracking_uri(), dict(os.environ)) == (store, before)
    monkeypatch.undo()
    assert len(mlflow.search_runs(experiment_names=["recolor"])) == runs
    assert [model.name for model in mlflow.MlflowClient().search_registered_models()] == [
        MODEL_NAME
    ]


def test_what_was_deleted_can_be_restored(tmp_path, monkeypatch):
    with own_store(tmp_path) as uri:
        # It is found without being named, but not by MLflow's own commands.
        monkeypatch.setattr(store_module, "DEFAULT_STORE", uri)
        restore = f"`MLFLOW_TRACKING_URI={uri} mlflow"
        with tracked_run("a run") as run:
            pass
        run_id, number = run.info.run_id, run.info.experiment_id
        mlflow.delete_run(run_id)
        with (
            pytest.raises(RunError, match=f"{restore} runs restore --run-id {run_id}` brings"),
            tracked_run("a run", run_id=run_id),
        ):
            pass
        mlflow.delete_experiment(number)
        for name, value in ("ID", number), ("NAME", "recolor"), ("NAME", ""):
            monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
            monkeypatch.setenv(f"MLFLOW_EXPERIMENT_{name}", value)
            with (
                pytest.raises(RunError, match=f"{restore} experiments restore --experiment-id 1`"),
                tracked_run("a run"),
            ):
                pass


def test_a_run_that_was_ended_already_does_not_take_its_parent_along(store):
    with tracked_run("parent") as parent:
        with pytest.raises(KeyboardInterrupt), tracked_run("child") as child:
            mlflow.end_run("KILLED")
            raise KeyboardInterrupt
        assert mlflow.active_run().info.run_id == parent.info.run_id
        with pytest.raises(KeyboardInterrupt), tracked_run("another child") as other:
            raise KeyboardInterrupt
    ended = [mlflow.get_run(run.info.run_id).info.status for run in (parent, child, other)]
    assert ended == ["FINISHED", "KILLED", "KILLED"]
