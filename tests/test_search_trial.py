"""One trial of a study: how it ends, and that a worker that comes back late does no harm."""

import os
import sqlite3
from contextlib import closing

import mlflow
import optuna
import pytest
import sqlalchemy
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState

from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.platform.registry.tasks import RECOLORING
from recolor.platform.search.plan import Plan
from recolor.platform.search.runs import (
    STATE_TAG,
    TRIAL_TAG,
    close_orphans,
    runs_within,
    study_run,
)
from recolor.platform.search.space import parse_space
from recolor.platform.search.storage import open_storage
from recolor.platform.search.study import PLAN, RUN_ID, begin_study, newest_states, put_back
from recolor.platform.search.trial import Objective, SurplusTrialError
from recolor.platform.search.worker import work
from recolor.platform.training.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


@pytest.fixture
def begin(tiny, store, small_network, tmp_path):
    """Begin a study, and do a worker's work on it in this process."""
    url = f"sqlite:///{tmp_path}/optuna.db"

    def run(
        trials: int,
        *,
        before=lambda study: None,
        say=lambda study, message: None,
        rate: str = "1e-5:1e-3:log",
        **options,
    ) -> optuna.Study:
        parts = {"objective": "val_loss", "sampler": "tpe", "pruner": "none", **options}
        space = parse_space([f"learning_rate={rate}"])
        settings = Settings(small_network, epochs=3, batch_size=4)
        decoding = OwnDecoding()
        plan = Plan(tiny.digest, settings, decoding, space, seed=0, **parts)
        study = begin_study(open_storage(url, 60, 300), "s", plan, trials)
        task = {"storage": url, "study": "s", "data": [str(tiny.folder)], "trials": trials}
        task |= {"heartbeat": 60, "grace": 300}
        with study_run(study, plan, tiny, url):
            experiment = mlflow.get_run(study.user_attrs[RUN_ID]).info.experiment_id
        before(study)
        os.environ["MLFLOW_EXPERIMENT_ID"] = experiment
        try:
            work(task, lambda **message: say(study, message))
        finally:
            del os.environ["MLFLOW_EXPERIMENT_ID"]
        return study

    return run


def steps(run_id: str) -> list[int]:
    return [m.step for m in mlflow.MlflowClient().get_metric_history(run_id, "training/val_loss")]


def test_a_hopeless_trial_is_pruned(begin):
    def others_are_better(study):
        for _ in range(5):
            study.add_trial(
                optuna.create_trial(value=0, intermediate_values={1: 0.0, 2: 0.0, 3: 0.0})
            )

    study = begin(6, pruner="median", before=others_are_better)
    assert newest_states(study)[5] == TrialState.PRUNED
    (run,) = runs_within(study, TRIAL_TAG)
    assert run.info.status == "FINISHED"
    assert run.data.tags[STATE_TAG] == "pruned"
    assert run.data.tags["trial.reason"] == "after epoch 1"
    assert steps(run.info.run_id) == [1]


def test_a_trial_that_diverges_counts_as_pruned(begin):
    study = begin(1, rate="1e30:1e31:log")
    assert newest_states(study) == {0: TrialState.PRUNED}
    (run,) = runs_within(study, TRIAL_TAG)
    assert run.info.status == "FINISHED"
    assert "lower `learning_rate`" in run.data.tags["trial.reason"]


def test_a_metric_is_measured_and_more_of_it_is_better(begin):
    study = begin(2, objective="ssim")
    runs = runs_within(study, TRIAL_TAG)
    values = [run.data.metrics["validation/ssim"] for run in runs]
    assert study.best_value == max(values)
    # A trial measures all of them, whatever the objective: each that is offered has a value.
    measured = runs[0].data.metrics
    assert not [name for name in RECOLORING.metrics if f"validation/{name}" not in measured]
    assert not mlflow.MlflowClient().search_model_versions(f"run_id = '{runs[0].info.run_id}'")


def test_a_trial_that_was_given_to_another_worker_is_left_to_it(begin):
    """Its worker gave no sign of life; when it comes back, the other one continues the run."""
    taken = []

    def take(study, message):
        if message.get("epoch") == 2 and not taken:
            taken.append(message["trial"])
            study.tell(0, state=TrialState.FAIL)
            RetryHeartbeatStaleTrialCallback()(study, study.trials[0])

    study = begin(1, say=take)
    states = [trial.state for trial in study.trials]
    assert taken == [0] and states == [TrialState.FAIL, TrialState.COMPLETE]
    (run,) = runs_within(study, TRIAL_TAG)
    assert run.info.status == "FINISHED" and run.data.tags[STATE_TAG] == "complete"
    assert steps(run.info.run_id) == [1, 2, 3]
    assert sorted(study.trials[1].intermediate_values) == [1, 2, 3]


def test_a_trial_that_is_told_is_not_put_back(begin):
    """Its worker may be interrupted between the two."""
    study = begin(1)
    put_back(study, 0)
    assert newest_states(study) == {0: TrialState.COMPLETE}


@pytest.fixture
def little_patience():
    """Let MLflow wait a tenth of a second for a locked database, instead of 20 seconds."""

    def shorten(connection, cursor, statement, parameters, *others):
        return statement.replace("busy_timeout = 20000", "busy_timeout = 100"), parameters

    listener = sqlalchemy.Engine, "before_cursor_execute", shorten
    sqlalchemy.event.listen(*listener, retval=True)
    yield
    sqlalchemy.event.remove(*listener)


def test_a_trial_is_put_back_though_its_store_is_locked(begin, store, little_patience):
    """What was interrupted may hold the lock itself, in a transaction of its own."""
    studies = []
    with closing(sqlite3.connect(store.removeprefix("sqlite:///"))) as other:

        def interrupt(study, message):
            if message.get("epoch") == 2:
                studies.append(study)
                other.execute("BEGIN EXCLUSIVE")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            begin(1, say=interrupt)
    (study,) = studies
    assert newest_states(study) == {0: TrialState.WAITING}
    close_orphans(study)
    (run,) = runs_within(study, TRIAL_TAG)
    assert (run.info.status, run.data.tags[STATE_TAG]) == ("KILLED", "killed")


def test_a_worker_waits_for_the_last_trial_of_another(begin):
    study = begin(1, before=lambda study: study.ask(), say=lambda study, _: study.tell(0, 1.0))
    assert newest_states(study) == {0: TrialState.COMPLETE}
    assert not runs_within(study, TRIAL_TAG)


def test_of_two_last_trials_begun_at_once_the_second_leaves(begin, tiny):
    study = begin(1)
    plan = Plan.of_json(study.user_attrs[PLAN])
    said = []
    objective = Objective(study, plan, tiny, None, 1, said.append)
    study.optimize(objective, n_trials=1, catch=(SurplusTrialError,))
    assert newest_states(study) == {0: TrialState.COMPLETE, 1: TrialState.FAIL}
    assert len(runs_within(study, TRIAL_TAG)) == 1 and not said
