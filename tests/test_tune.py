"""`recolor tune`: real studies, on several processes that are killed and begun again."""

import json
import os
import re
import shlex
import shutil
import signal
import time
from functools import cached_property
from pathlib import Path

import mlflow
import optuna
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import made_database, own_store
from forge import PATIENCE, Command, Forge
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from optuna.trial import TrialState

from recolor.platform.cli.main import main
from recolor.platform.search.plan import Plan
from recolor.platform.search.storage import read_storage
from recolor.platform.search.study import DONE, PLAN, RUN_ID, WORKER, newest_states, number_of

pytestmark = [
    pytest.mark.usefixtures("small_network"),
    pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning"),
]


class Place:
    """A folder with stores of its own, where the command is called.

    Args:
        forge: What begins the command.
        folder: The folder.
        storage: URL of the studies; by default a SQLite database in the folder.
    """

    def __init__(self, forge: Forge, folder: Path, storage: str | None = None):
        folder.mkdir(exist_ok=True)
        self.forge, self.folder = forge, folder
        self.storage = storage or f"sqlite:///{folder}/mlruns/optuna.db"
        self.store = f"sqlite:///{folder}/mlruns/mlflow.db"
        # Where nothing is chosen, all is kept in `mlruns`.
        self.chosen = {"RECOLOR_OPTUNA_STORAGE": storage} if storage else {}

    def begin(self, *arguments) -> Command:
        """Begin a command."""
        return self.forge.begin(self.folder, *arguments, **self.chosen)

    def call(self, *arguments) -> str:
        """Call a command that succeeds; return what it says."""
        ended = self.begin(*arguments).wait()
        assert ended.status == 0, ended.said
        return ended.said

    @cached_property
    def _studies(self) -> optuna.storages.RDBStorage:
        """The storage, opened once: PostgreSQL has not places enough for every look at it."""
        return read_storage(self.storage)

    @property
    def study(self) -> optuna.Study:
        return optuna.load_study(study_name="s", storage=self._studies)

    def runs(self) -> list:
        """All runs, oldest first."""
        client = mlflow.MlflowClient(self.store)
        experiment = client.get_experiment_by_name("recolor").experiment_id
        return client.search_runs([experiment], order_by=["attributes.start_time"])

    def check_tree(self, trials: int, epochs: int) -> None:
        """One run for the study; within it one a trial, ended, with every epoch once."""
        (parent,) = (run for run in self.runs() if MLFLOW_PARENT_RUN_ID not in run.data.tags)
        assert parent.info.run_id == self.study.user_attrs[RUN_ID]
        assert parent.info.status == "FINISHED"
        states = newest_states(self.study)
        assert sum(state in DONE for state in states.values()) == trials
        children = [run for run in self.runs() if "trial" in run.data.tags]
        numbers = [int(run.data.tags["trial"]) for run in children]
        assert sorted(numbers) == [n for n, state in states.items() if state in DONE]
        client = mlflow.MlflowClient(self.store)
        for number, run in zip(numbers, children, strict=True):
            assert run.data.tags[MLFLOW_PARENT_RUN_ID] == parent.info.run_id
            assert run.data.tags["study"] == "s"
            assert run.info.status == "FINISHED"
            assert run.data.tags["trial.state"] == states[number].name.lower()
            history = client.get_metric_history(run.info.run_id, "training/val_loss")
            last = epochs if states[number] == TrialState.COMPLETE else len(history)
            assert sorted(metric.step for metric in history) == list(range(1, last + 1))

    def wait_for(self, found):
        """Return what a function of the study returns, as soon as it is something."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                if result := found(self.study):
                    return result
            except (ValueError, KeyError):
                # There is no storage, or no study in it, yet.
                pass
            time.sleep(0.2)
        raise AssertionError("nothing in time")


def tune(data, **options) -> list[str]:
    given = {"study": "s", "model": "small", "batch_size": 8, "data": data.folder, **options}
    words = ["tune"]
    for name, value in given.items():
        for one in value if isinstance(value, list) else [value]:
            words += [f"--{name.replace('_', '-')}", str(one)]
    return words


@pytest.fixture(scope="module")
def tuned(tiny, small_network, forge, tmp_path_factory):
    """Four trials by two commands at the same instant; then the best at full length, and what the
    command for that has said.
    """
    place = Place(forge, tmp_path_factory.mktemp("tuned"))
    (place.folder / "mlruns").mkdir()
    shutil.copy(made_database(), place.folder / "mlruns")
    both = [place.begin(*four_trials(tiny)) for _ in range(2)]
    for one in both:
        ended = one.wait()
        assert ended.status == 0, ended.said
    return place, place.call(*four_trials(tiny), "--train-best")


def four_trials(data) -> list[str]:
    return [
        *tune(data, trials=4, epochs=2, best_epochs=1, train_fraction=0.5),
        *("--search", "augment=none,mirror", "--learning-rate", "1e-5,1e-2"),
    ]


def outcome(said: str) -> str:
    """What a command says in the end, without the warnings that precede it."""
    return said[said.index("4 trials; ") :]


@pytest.mark.slow
def test_a_study_is_one_tree_of_runs(tuned, tiny):
    place, _ = tuned
    place.check_tree(4, epochs=2)
    assert len({str(trial.params) for trial in place.study.trials}) == 4
    parent, *children = place.runs()
    assert parent.data.metrics["best_value"] == place.study.best_value
    assert parent.data.params["learning_rate"] == "1e-05:0.01:log"
    assert parent.data.params["sampler"] == "tpe"
    assert parent.info.run_name == "tune small: s"
    note = parent.data.tags["mlflow.note.content"]
    assert note.startswith("Searches `augment`, `learning_rate` for the best val_loss on ")
    for run in children:
        note = run.data.tags["mlflow.note.content"]
        trains = "Version " if "model.version" in run.data.tags else "Trains a `small` network"
        assert note.startswith(trains) and note.endswith("\n\nPart of `tune small: s`.")
        # A whole training, with its checkpoints, and no model.
        assert run.data.params["train_fraction"] == ("0.5" if "trial" in run.data.tags else "1.0")
        assert run.data.tags["dataset.digest"] == tiny.digest
        assert ("model.version" in run.data.tags) == ("repeats" in run.data.tags)


@pytest.mark.slow
def test_a_study_leaves_plots_and_a_table(tuned, tmp_path):
    place, _ = tuned
    run_id = place.study.user_attrs[RUN_ID]
    folder = Path(mlflow.MlflowClient(place.store).download_artifacts(run_id, "study", tmp_path))
    table = pd.read_csv(folder / "trials.csv")
    assert list(table.trial) == [0, 1, 2, 3] and (table.state == "complete").all()
    assert {"value", "augment", "learning_rate", "worker", "run_id"} <= set(table.columns)
    plots = {"optimization_history", "slice", "parallel_coordinate", "intermediate_values"}
    for name in {*plots, "param_importances"}:
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        page = (folder / f"{name}.html").read_text(encoding="utf-8")
        # It needs no network.
        assert "Plotly.newPlot" in page and "<script src=" not in page


@pytest.mark.slow
def test_the_same_command_finds_everything_done(tuned, tiny):
    place, before = tuned
    runs = len(place.runs())
    said = place.call(*four_trials(tiny), "--train-best")
    assert outcome(said) == outcome(before)
    assert (len(place.study.trials), len(place.runs())) == (4, runs)
    registry = mlflow.MlflowClient(place.store)
    run_id = re.search(r"run (\w+), registered as version", said)[1]
    (version,) = registry.search_model_versions(f"run_id = '{run_id}'")
    assert version.tags["study"] == "s"
    run = registry.get_run(run_id)
    assert run.data.tags[MLFLOW_PARENT_RUN_ID] == place.study.user_attrs[RUN_ID]
    assert run.data.tags["repeats"] == f"trial {number_of(place.study.best_trial)}, 1 epochs"


@pytest.mark.slow
def test_the_best_command_repeats_the_best_trial_at_full_length(tuned, tiny):
    place, said = tuned
    (command,) = re.findall(r"^at full length: recolor (.*)$", said, re.MULTILINE)
    before = {run.info.run_id for run in place.runs()}
    with own_store(place.folder / "mlruns"):
        result = CliRunner().invoke(main, shlex.split(command))
    assert result.exit_code == 0, result.output
    (run,) = (run for run in place.runs() if run.info.run_id not in before)
    best = place.study.best_trial
    expected = {name: str(value) for name, value in best.params.items()}
    expected |= {"epochs": "1", "train_fraction": "1.0"}
    assert expected.items() <= run.data.params.items()
    assert run.data.tags["model.version"] == "2"


@pytest.mark.slow
def test_studies_are_listed(tuned, forge, tmp_path):
    place, _ = tuned
    said = place.call("studies")
    assert said.startswith("s: finished, small, val_loss; 4 complete of 4; best: ")
    (study,) = json.loads(place.call("studies", "--json"))
    assert (study["name"], study["state"], study["wanted"]) == ("s", "finished", 4)
    assert (study["model"], study["objective"]) == ("small", "val_loss")
    assert study["trials"]["complete"] == 4
    best = place.study.best_trial
    assert study["best"] == {"trial": best.number, "value": best.value}
    empty = Place(forge, tmp_path / "empty").begin("studies").wait()
    assert "there are no studies in" in empty.said and empty.status == 1
    assert not list((tmp_path / "empty").iterdir())


@pytest.fixture(params=["sqlite", "postgresql"])
def place(forge, request, tmp_path):
    storage = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    return Place(forge, tmp_path / "place", storage)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_two_commands_at_the_same_instant_make_one_study(place, tiny):
    command = tune(tiny, trials=3, epochs=1)
    both = [place.begin(*command) for _ in range(2)]
    for one in both:
        ended = one.wait()
        assert ended.status == 0, ended.said
    place.check_tree(3, epochs=1)
    assert len({str(trial.params) for trial in place.study.trials if trial.params}) == 3


def in_the_middle(study: optuna.Study, after: int = 1) -> optuna.trial.FrozenTrial | None:
    """A trial that runs and has some of its epochs behind it."""
    running = study.get_trials(states=[TrialState.RUNNING])
    return next((one for one in running if (one.last_step or 0) > after), None)


def kill(worker: str) -> None:
    os.kill(int(worker.rpartition(":")[2]), signal.SIGKILL)


@pytest.mark.slow
def test_a_study_goes_on_after_everything_that_may_end_it(place, tiny):
    """A request to end, the death of one worker, and of all processes, each in mid-trial."""
    # Enough of them for a trial to be caught in the middle on a fast machine, too.
    epochs = 40
    command = tune(tiny, trials=3, workers=2, epochs=epochs, pruner="none", heartbeat=1, grace=8)
    process = place.begin(*command)
    begun = place.wait_for(in_the_middle)
    process.signal(signal.SIGTERM)
    ended = process.wait()
    assert ended.status == 143, ended.said
    assert "Error: interrupted by SIGTERM: run the same command again to continue" in ended.said
    states = newest_states(place.study)
    assert states[number_of(begun)] == TrialState.WAITING
    statuses = {run.info.status for run in place.runs()}
    assert statuses == {"KILLED"}

    process = place.begin(*command)
    # The trial that was interrupted continues where it was.
    again = place.wait_for(lambda study: in_the_middle(study, begun.last_step))
    assert again.params in [trial.params for trial in place.study.trials[: again.number]]
    kill(again.user_attrs[WORKER])
    # Its heartbeat is missed; the other worker takes it, or a trial of its own.
    place.wait_for(lambda study: study.trials[again.number].state == TrialState.FAIL)
    last = place.wait_for(in_the_middle)
    process.signal(signal.SIGKILL)
    kill(last.user_attrs[WORKER])
    process.wait()
    # The other worker finds its command gone, and puts its own trial back.
    place.wait_for(lambda study: len(study.get_trials(states=[TrialState.RUNNING])) <= 1)

    # How many work is not part of the study.
    said = place.call(*command, "--workers", 1)
    assert "3 trials; the best is trial" in said
    place.check_tree(3, epochs)
    # Every time that a trial was run it has told Optuna of all epochs.
    for trial in place.study.get_trials(states=[TrialState.COMPLETE]):
        assert sorted(trial.intermediate_values) == list(range(1, epochs + 1))
        assert Plan.of_json(place.study.user_attrs[PLAN]).settings.epochs == epochs
