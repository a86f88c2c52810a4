"""What is typed wrong for `recolor tune` is one line, before anything is trained."""

import sqlite3

import mlflow
import pytest
from click.testing import CliRunner

from recolor.platform.cli.main import main
from recolor.platform.search import storage
from recolor.platform.tracking.store import own_store


@pytest.fixture
def call(manifest, tmp_path, monkeypatch):
    """Call `recolor tune` in this process, in a folder with nothing in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setattr(storage, "BUSY_SECONDS", 0.1)

    def run(*arguments) -> str:
        given = ["--data", str(manifest.folder), "--model", "regression", "--trials", "1"]
        result = CliRunner().invoke(main, ["tune", *given, *arguments])
        assert result.exit_code in (1, 2), result.output
        (line,) = (line for line in result.output.splitlines() if line.startswith("Error: "))
        return line

    return run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--learning-rate", "1e-4,1e-6"], "--learning-rate 1e-4,1e-6: 0.0001 is not below 1e-06"),
        (["--search", "dropout=1,2"], "--search dropout=1,2: dropout is not one of batch_size, "),
        (
            ["--search", "batch_size=0,10"],
            "batch_size must be a whole number of at least 1, not '0'",
        ),
        (["--search", "batch_size=5,10", "--batch-size", "5"], "batch_size is given and searched"),
        (
            ["--search", "learning_rate=1e-5,1e-4", "--learning-rate", "1e-6,1e-4"],
            "--learning-rate and --search learning_rate=...: leave out one",
        ),
        (["--learning-rate", "1e-4"], "nothing is searched"),
        (["--objective", "beauty"], "'beauty' is not one of val_loss, l2_ab"),
        (["--objective", "kernel_distance_lite0"], "_lite0' is not one of val_loss, l2_ab"),
        (["--objective", "l2_ab", "--pruner", "median"], "--pruner median goes by the val_loss"),
        (["--sampler", "grid"], "--sampler grid needs a list of values for learning_rate"),
        (["--heartbeat", "60", "--grace", "60"], "--grace must be longer than --heartbeat"),
        (["--data", "nowhere"], "nowhere does not exist"),
        (
            ["--storage", "postgresql+psycopg://u:s3kret@127.0.0.1:9/none?password=s3kret"],
            "the database postgresql+psycopg://***@127.0.0.1:9/none?*** can't be used",
        ),
        (["--storage", "postgresql://u:s3kret@host:port/none"], "database postgresql://***@host"),
        (["--storage", "nonsense"], "is not a database URL"),
    ],
)
def test_a_mistake_is_one_line(call, arguments, words):
    assert words in call(*arguments)


def test_a_storage_that_can_not_be_written_is_said(call, tmp_path):
    url = f"sqlite:///{tmp_path}/optuna.db"
    storage.open_storage(url, 60, 300).engine.dispose()
    other = sqlite3.connect(tmp_path / "optuna.db")
    other.execute("BEGIN EXCLUSIVE")
    assert "database is locked" in call("--storage", url)
    other.close()
    read_only = f"sqlite:///file:{tmp_path}/optuna.db?mode=ro&uri=true"
    assert "attempt to write a readonly database" in call("--storage", read_only)


def test_a_deleted_experiment_is_said_before_a_study_is_begun(call, tmp_path):
    with own_store(tmp_path / "own"):
        mlflow.delete_experiment(mlflow.get_experiment_by_name("recolor").experiment_id)
        assert call().endswith(
            "the experiment recolor was deleted: `mlflow experiments restore --experiment-id 1` "
            "brings it back"
        )
    assert not (tmp_path / "mlruns").exists()


def test_an_empty_environment_variable_counts_for_nothing(call, monkeypatch):
    monkeypatch.setenv("RECOLOR_OPTUNA_STORAGE", "nonsense")
    monkeypatch.setenv("RECOLOR_TUNE_STORAGE", "")
    assert "is not a database URL" in call()
