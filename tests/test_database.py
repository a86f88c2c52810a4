"""MLflow's database: whole or not there, whoever makes it at once or is killed meanwhile."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import mlflow
import pytest
import servers
import sqlalchemy
from alembic import command
from alembic.config import Config
from click.testing import CliRunner
from conftest import environment, store_in_use
from mlflow.store import db_migrations
from mlflow.store.tracking.dbmodels.initial_models import Base

from recolor.platform.cli.main import main
from recolor.platform.tracking.database import ensure_database
from recolor.platform.tracking.store import connect

CONNECT = [sys.executable, "-c", "from recolor.platform.tracking.store import connect; connect()"]
MIGRATIONS = Path(db_migrations.__path__[0])
# Of MLflow 1.10.
OLD_REVISION = "0a8213491aaa"


def never(url: str) -> None:
    raise AssertionError(f"{url} was to be left alone")


def is_whole(url: str) -> bool:
    try:
        ensure_database(url, never, MIGRATIONS)
    except AssertionError:
        return False
    return True


def make_old_database(file: Path) -> None:
    """Make a database as an early MLflow did, with an experiment."""
    engine = sqlalchemy.create_engine(f"sqlite:///{file}")
    Base.metadata.create_all(engine)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, OLD_REVISION)
    with engine.begin() as connection:
        connection.execute(
            sqlalchemy.text(
                "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage)"
                " VALUES (7, 'old', '/tmp', 'active')"
            )
        )
    engine.dispose()


@pytest.fixture
def connected(tmp_path) -> Path:
    """The file of the store that this process and its children use; it is not there yet."""
    file = tmp_path / "mlflow.db"
    with store_in_use(f"sqlite:///{file}"):
        yield file


def test_commands_that_start_at_once_in_an_empty_folder_all_work(forge, tmp_path):
    commands = [forge.begin(tmp_path, "promote") for _ in range(3)]
    said = {command.wait().said for command in commands}
    assert said == {"Error: no version of poster-recolor has a validated l2_ab: train one first\n"}
    assert is_whole(f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    names = {path.name for path in (tmp_path / "mlruns").iterdir()}
    assert names == {"mlflow.db", "mlflow.db.lock"}


@pytest.mark.parametrize(("old", "seconds"), [(False, 0), (False, 0.6), (True, 0.3)])
def test_a_database_is_whole_or_as_it_was_when_a_process_is_killed(
    old, seconds, connected, forge, tmp_path_factory
):
    if old:
        make_old_database(connected)
    began = connected.with_name("mlflow.db.new")
    store = os.environ["MLFLOW_TRACKING_URI"]
    command = forge.begin(tmp_path_factory.mktemp("killed"), "models", MLFLOW_TRACKING_URI=store)
    while not began.exists():
        assert command.runs, command.said
        time.sleep(0.005)
    time.sleep(seconds)
    command.signal(signal.SIGKILL)
    command.wait()

    url = f"sqlite:///{connected}"
    if connected.exists() and not is_whole(url):
        with sqlite3.connect(connected) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("SELECT * FROM alembic_version").fetchone() == (OLD_REVISION,)
    connect()
    assert is_whole(url)
    assert {path.name for path in connected.parent.iterdir()} == {"mlflow.db", "mlflow.db.lock"}
    names = {experiment.name for experiment in mlflow.MlflowClient().search_experiments()}
    assert names == {"Default", *(["old"] if old else [])}


def test_an_old_database_is_upgraded_where_it_is(connected):
    """Another program that has it open continues with it, and a link to it stays one."""
    file = connected.with_name("there.db")
    make_old_database(file)
    connected.symlink_to(file.name)
    with closing(sqlite3.connect(file)) as reader:
        assert reader.execute("SELECT name FROM experiments").fetchall() == [("old",)]
        connect()
        names = reader.execute("SELECT name FROM experiments ORDER BY name").fetchall()
        assert names == [("Default",), ("old",)]
    assert connected.is_symlink()


@pytest.mark.slow
def test_two_commands_at_once_make_one_database_in_postgresql(postgresql):
    processes = [subprocess.Popen(CONNECT, env=environment(postgresql)) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert is_whole(postgresql)
    names = [experiment.name for experiment in mlflow.MlflowClient(postgresql).search_experiments()]
    assert names == ["Default"]


def damaged(file: Path) -> str:
    file.write_bytes(b"no database" * 1000)
    return f"sqlite:///{file}"


def half_made(file: Path) -> str:
    """As versions before left it when they were killed."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE metrics (key TEXT)")
    return f"sqlite:///{file}"


def of_later_version(file: Path) -> str:
    make_old_database(file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'later'")
        connection.commit()
    return f"sqlite:///{file}"


@pytest.mark.parametrize(
    ("store", "words"),
    [
        (damaged, "file is not a database"),
        (half_made, "mlflow.db can't be used: No such constraint"),
        (of_later_version, "was made by a later version"),
        # Where nobody can make a file, not even root.
        (lambda _: "sqlite:////sys/mlflow.db", "Permission denied"),
        (lambda file: f"sqlite:///{file.parent}", "unable to open database file"),
        (lambda _: f"postgresql://127.0.0.1:{servers.free_port()}/none", "Connection refused"),
        (lambda _: "mysql://127.0.0.1/none", "needs the package MySQLdb"),
        (lambda file: f"sqlite+none:///{file}", "sqlite+none:... is not a database URL"),
    ],
)
def test_what_is_wrong_with_a_database_is_one_line(store, words, connected, monkeypatch):
    uri = store(connected)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    before = connected.read_bytes() if connected.exists() else None
    result = CliRunner().invoke(main, ["promote"])
    assert result.exit_code == 1 and result.output.count("\n") == 1, result.output
    assert result.output.startswith("Error: ") and words in result.output
    assert (connected.read_bytes() if connected.exists() else None) == before


@pytest.fixture
def read_only(empty_database):
    """The folder of a store on a read-only file system, where this machine lets tests mount one."""
    with tempfile.TemporaryDirectory() as folder:
        if subprocess.run(["mount", "-t", "tmpfs", "none", folder], capture_output=True).returncode:
            pytest.skip("needs the right to mount a file system")
        try:
            shutil.copy(empty_database, folder)
            subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_store_that_can_not_be_written_is_one_line(read_only, manifest):
    with store_in_use(f"sqlite:///{read_only}/mlflow.db"):
        assert CliRunner().invoke(main, ["models"]).exit_code == 0
        for command in (
            ["promote"],
            ["train", "--data", str(manifest.folder), "--model", "regression"],
            ["evaluate", "--data", str(manifest.folder)],
        ):
            result = CliRunner().invoke(main, command)
            assert result.exit_code == 1
            (line,) = [text for text in result.output.splitlines() if text.startswith("Error: ")]
            assert "mlflow.db can't be written: Read-only file system" in line
