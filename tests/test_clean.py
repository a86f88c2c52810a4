"""`recolor clean`: which checkpoints it removes, and what is said of a run without any."""

import json
import shutil
from dataclasses import asdict

import mlflow
import numpy as np
import pytest
from click.testing import CliRunner
from conftest import store_in_use

from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.platform.cli.main import main
from recolor.platform.tracking.checkpoint import Checkpoint, Progress
from recolor.platform.tracking.checkpoints import newest_checkpoint
from recolor.platform.tracking.outbox import Outbox
from recolor.platform.tracking.store import RunError
from recolor.platform.training.saved_settings import DECODING_FILE, SETTINGS_FILE
from recolor.platform.training.settings import Settings
from recolor.platform.training.tracked import train


@pytest.fixture
def runs(empty_database, tmp_path, monkeypatch) -> dict[str, str]:
    """A run in every state, each with a checkpoint of 4 MB, in a store of the test's own."""
    file = shutil.copy(empty_database, tmp_path)
    monkeypatch.chdir(tmp_path)
    with store_in_use(f"sqlite:///{file}"):
        client = mlflow.MlflowClient()
        experiment = client.create_experiment("recolor", (tmp_path / "artifacts").as_uri())
        made = {}
        for state in ("finished", "failed", "killed", "deleted", "running"):
            made[state] = run_id = client.create_run(experiment, run_name="train").info.run_id
            weights = {"kernel": np.zeros(1_000_000, np.float32)}
            progress = Progress(1, {}, 1, 0.5, [{"loss": 0.5}])
            Outbox(run_id).put(Checkpoint(progress, weights, {}, weights))
            if state in ("finished", "failed", "killed"):
                client.set_terminated(run_id, state.upper())
        client.delete_run(made["deleted"])
        yield made


def clean(*options: str) -> str:
    result = CliRunner().invoke(main, ["clean", *options])
    assert result.exit_code == 0, result.output
    return result.output


def with_checkpoint(runs: dict[str, str]) -> set[str]:
    return {state for state, run_id in runs.items() if newest_checkpoint(run_id)}


def test_what_can_be_gone_on_with_stays(runs):
    for state in ("finished", "deleted"):
        assert f"{runs[state]}  train, {state}: 4 MB\n" in clean("--dry-run")
    assert clean("--dry-run").endswith("checkpoints of 2 runs would be removed: 8 MB\n")
    listed = json.loads(clean("--dry-run", "--json"))
    assert {(one["run_id"], one["state"]) for one in listed} == {
        (runs[state], state) for state in ("finished", "deleted")
    }
    assert all(4e6 < one["size"] < 5e6 for one in listed)
    assert with_checkpoint(runs) == set(runs)
    assert clean().endswith("checkpoints of 2 runs removed: 8 MB\n")
    assert with_checkpoint(runs) == {"failed", "killed", "running"}
    assert clean() == "there is nothing to remove\n"
    assert clean("--all").endswith("checkpoints of 2 runs removed: 8 MB\n")
    assert with_checkpoint(runs) == {"running"}


def test_a_run_without_its_checkpoints_does_not_start_over(runs, manifest):
    settings = Settings("regression", epochs=2, batch_size=5)
    for file, content in ((SETTINGS_FILE, settings), (DECODING_FILE, OwnDecoding())):
        mlflow.MlflowClient().log_dict(runs["finished"], asdict(content), file)
    clean()
    with pytest.raises(RunError, match="can't be resumed: its checkpoints were removed"):
        train(manifest, settings, runs["finished"])


def test_without_a_store_none_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert clean() == "there is nothing to remove\n"
    assert not list(tmp_path.iterdir())
