"""A store whose files are not where its database says, as after a checkout was moved."""

import sqlite3
from contextlib import closing

import mlflow
import pytest

from recolor.models.catalog import DEFAULT
from recolor.platform.registry.model import load_model
from recolor.platform.registry.versions import CHAMPION_URI, MissingFilesError
from recolor.platform.tracking.store import RunError
from recolor.platform.training.saved_settings import saved_settings

LOCATIONS = {
    "runs": "artifact_uri",
    "logged_models": "artifact_location",
    "model_versions": "storage_location",
}


@pytest.fixture
def moved(copied_store, trained):
    """The store with the trained champion, with its files elsewhere."""
    # It may have been trained in another process, which has a store of its own.
    place = mlflow.get_run(trained.run_id).info.artifact_uri
    folder = place.removeprefix("file://").partition("/artifacts/")[0]
    with closing(sqlite3.connect(copied_store.removeprefix("sqlite:///"))) as database:
        for table, column in LOCATIONS.items():
            database.execute(f"UPDATE {table} SET {column} = replace({column}, ?, '/no')", [folder])
        database.commit()


def test_without_the_champions_files_the_bundled_network_answers(moved):
    with pytest.raises(MissingFilesError, match=r"files of model .* are not in /no/artifacts/"):
        load_model(CHAMPION_URI)
    model = load_model(None)
    assert model.source == DEFAULT
    assert "bundled" in model.about and "the champion can't be used: the files" in model.about


def test_a_run_without_its_files_does_not_go_on(moved, trained):
    with pytest.raises(RunError, match=f"files of run {trained.run_id} are not in /no/artifacts/"):
        saved_settings(trained.run_id)
    assert mlflow.get_run(trained.run_id).info.status == "FINISHED"
