"""Where studies are kept: what several processes, and those that are killed, make of it."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import optuna
import pytest
import sqlalchemy
from optuna.trial import TrialState

from recolor.datasets.errors import RecolorError
from recolor.platform.search import storage
from recolor.platform.search.storage import StorageError, explained, open_storage, read_storage
from recolor.platform.search.study import WORKER, newest_states, number_of, put_back
from recolor.platform.tracking.database import DatabaseError

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:optuna")

WAITING = 20
# Takes waiting trials until there are none, and says which.
TAKER = """
import sys, warnings
warnings.simplefilter("ignore")
import optuna
from recolor.platform.search.storage import open_storage
optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.load_study(study_name="s", storage=open_storage(sys.argv[1], 60, 300))
print("ready", flush=True)
sys.stdin.readline()
def objective(trial):
    print(trial.number, flush=True)
    if not study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.WAITING]):
        study.stop()
    return 0.0
study.optimize(objective)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path) -> str:
    """A storage that is not there yet."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgresql")
    return f"sqlite:///{tmp_path}/optuna.db"


@pytest.fixture
def study(url) -> optuna.Study:
    return optuna.create_study(storage=open_storage(url, 60, 300), study_name="s")


def test_several_processes_never_take_the_same_trial(url, study):
    for value in range(WAITING):
        study.enqueue_trial({"x": value})
    takers = [
        subprocess.Popen(
            [sys.executable, "-c", TAKER, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for taker in takers:
        assert taker.stdout.readline() == "ready\n"
    for taker in takers:
        taker.stdin.write("\n")
        taker.stdin.flush()
    taken = [line for taker in takers for line in taker.communicate(timeout=60)[0].split()]
    assert len(set(taken)) == len(taken) >= WAITING
    assert all(taker.returncode == 0 for taker in takers)


def begin(study: optuna.Study, **attributes) -> optuna.trial.FrozenTrial:
    """Begin a trial as a worker does, and leave it."""
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    for name, value in attributes.items():
        trial.set_user_attr(name, value)
    return study.get_trials()[trial.number]


def grow_stale(study: optuna.Study, url: str) -> None:
    """Let the heartbeats of all trials be of long ago, and look for those that are lost."""
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        long_ago = "UPDATE trial_heartbeats SET heartbeat = '2020-01-01 00:00:00'"
        connection.execute(sqlalchemy.text(long_ago))
    engine.dispose()
    optuna.storages.fail_stale_trials(study)


def test_a_trial_whose_worker_is_lost_is_run_again_twice(study, url):
    """Also one that is killed before its trial's first heartbeat, which Optuna alone never sees."""
    begun = begin(study, **{WORKER: "here:1"})
    for left in (2, 1, 0):
        # Whoever looks first gives it a heartbeat.
        optuna.storages.fail_stale_trials(study)
        assert newest_states(study) == {0: TrialState.RUNNING}
        grow_stale(study, url)
        assert newest_states(study) == {0: TrialState.WAITING if left else TrialState.FAIL}
        if left:
            # It has the name of the worker before.
            again = study.get_trials()[study.ask().number]
            assert again.params == begun.params and number_of(again) == 0


def test_an_interruption_is_none_of_the_retries(study, url):
    number = begin(study).number
    for _ in range(4):
        put_back(study, number)
        assert newest_states(study) == {0: TrialState.WAITING}
        number = begin(study, **{WORKER: "here:1"}).number
    optuna.storages.fail_stale_trials(study)
    grow_stale(study, url)
    assert newest_states(study) == {0: TrialState.WAITING}


def test_a_missed_heartbeat_does_not_end_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "BUSY_SECONDS", 0.1)
    kept = open_storage(f"sqlite:///{tmp_path}/optuna.db", 1, 2)
    study = optuna.create_study(storage=kept)
    trial = begin(study)
    with closing(sqlite3.connect(tmp_path / "optuna.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        kept.record_heartbeat(trial._trial_id)
    kept.record_heartbeat(trial._trial_id)


def locked(file: Path):
    other = sqlite3.connect(file)
    other.execute("BEGIN EXCLUSIVE")
    return other


def test_what_a_storage_can_not_do_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "BUSY_SECONDS", 0.1)
    file = tmp_path / "optuna.db"
    url = f"sqlite:///{file}"
    with pytest.raises(StorageError, match=r"no studies in .*optuna.db: `recolor tune` begins"):
        read_storage(url)
    assert not file.exists()
    with pytest.raises(DatabaseError, match=r"nonsense:\.\.\. is not a database URL"):
        read_storage("nonsense")
    kept = open_storage(url, 1, 2)
    with (
        closing(locked(file)),
        pytest.raises(StorageError, match="database is locked"),
        explained(url),
    ):
        optuna.create_study(storage=kept)
    study = optuna.create_study(storage=kept)
    optuna.delete_study(study_name=study.study_name, storage=kept)
    with pytest.raises(StorageError, match="was deleted from"), explained(url):
        study.ask()
    for wrong in (
        "nonsense",
        f"sqlite+nothing:///{tmp_path}/x",
        "postgresql+psycopg://127.0.0.1:9/x",
    ):
        with pytest.raises(RecolorError) as caught:
            open_storage(wrong, 1, 2)
        assert "\n" not in str(caught.value)
    (tmp_path / "text.db").write_text("no database at all, but a text")
    with pytest.raises(RecolorError, match="not a database"):
        open_storage(f"sqlite:///{tmp_path}/text.db", 1, 2)
