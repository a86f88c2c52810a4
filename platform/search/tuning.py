"""`recolor tune`: a study that is begun or resumed, its workers, and what comes out of it."""

import os
from collections.abc import Callable
from dataclasses import dataclass

import mlflow
from optuna.study import Study

from recolor.datasets.errors import RecolorError
from recolor.datasets.manifest import DatasetError, Manifest
from recolor.platform.search.options import VAL_LOSS
from recolor.platform.search.outcome import COMMAND_FILE, Best, best_of, log_outcome, train_best
from recolor.platform.search.plan import Plan, PlanError
from recolor.platform.search.runs import close_orphans, study_run
from recolor.platform.search.storage import explained, open_storage
from recolor.platform.search.study import DONE, RUN_ID, begin_study, count
from recolor.platform.search.worker_pool import WorkerPool
from recolor.platform.tracking.database import alone


class TuningError(RecolorError):
    """A study has ended before it had all of its trials."""


@dataclass(frozen=True)
class Demand:
    """How a study is worked on: what may be another time by time.

    Attributes:
        study: Its name.
        storage: URL of the database that it is kept in.
        trials: How many trials are to be complete or pruned, whoever runs them.
        workers: How many processes run them here.
        heartbeat: Seconds between two signs of life of a trial.
        grace: Seconds without any after which a trial is given to another worker.
        best_epochs: Epochs of the best trial's settings at full length; None for the paper's.
        train_best: Whether to train with them, and to register the model.
    """

    study: str
    storage: str
    trials: int
    workers: int
    heartbeat: int
    grace: int
    best_epochs: int | None
    train_best: bool


@dataclass(frozen=True)
class Tuned:
    """What a study has found.

    Attributes:
        done: Number of trials that are complete or pruned.
        best: The best trial; None if none is complete.
        command: What repeats it at full length.
        trained: The `TrainedModel` of that, where it was asked for.
    """

    done: int
    best: Best | None
    command: str | None
    trained: object | None


def tune(
    manifest: Manifest,
    plan: Plan,
    demand: Demand,
    begun: Callable[[str, str], None],
    heard: Callable[[int, dict | None], None],
) -> Tuned:
    """Run the trials of a study until there are enough, and log what comes out.

    Args:
        manifest: The data set.
        plan: The study's plan.
        demand: How it is worked on.
        begun: Called with the study's name and the id of its run.
        heard: Takes what the workers say, see `WorkerPool`.

    Raises:
        DatasetError: If there are no validation posters.
        PlanError: If the study was begun with another plan, or can't be carried out here.
        DatabaseError, StorageError: If the storage can't be used.
        RunError: If the study's run is in another MLflow store.
        TuningError: If workers have failed, and the others have not run all trials.
        KeyboardInterrupt: If it was interrupted; the same call continues.
    """
    _check(manifest, plan)
    with explained(demand.storage):
        storage = open_storage(demand.storage, demand.heartbeat, demand.grace)
        trials = min(demand.trials, plan.points)
        with alone(demand.storage):
            study = begin_study(storage, demand.study, plan, trials)
        with study_run(study, plan, manifest, demand.storage) as run_id:
            begun(demand.study, run_id)
            close_orphans(study)
            failures = []
            try:
                if count(study, *DONE) < trials:
                    failures = _work(study, manifest, demand, trials, heard)
            finally:
                close_orphans(study)
            log_outcome(study, plan)
            done, best = count(study, *DONE), best_of(study)
            if best:
                command = best.command(manifest, plan, demand.best_epochs)
                mlflow.log_text(f"{command}\n", COMMAND_FILE)
            if done < trials:
                raise TuningError(
                    f"{done} of {trials} trials are done, and no worker is left to run more "
                    f"({'; '.join(failures)}): run the same command again to continue"
                )
            trained = None
            if best and demand.train_best:
                trained = train_best(study, plan, manifest, best, demand.best_epochs)
    return Tuned(done, best, command if best else None, trained)


def _check(manifest: Manifest, plan: Plan) -> None:
    """Find mistakes before anything is begun."""
    if not manifest.count("validation"):
        raise DatasetError(f"{manifest} has no validation posters to compare trials by")
    if os.environ.get("TF_CONFIG"):
        raise PlanError("every worker trains alone: unset TF_CONFIG, and start tune everywhere")
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if plan.objective != VAL_LOSS and backend != "tensorflow":
        raise PlanError(f"--objective {plan.objective} needs KERAS_BACKEND=tensorflow: unset it")


def _work(
    study: Study,
    manifest: Manifest,
    demand: Demand,
    trials: int,
    heard: Callable[[int, dict | None], None],
) -> list[str]:
    """Let workers run trials until there are enough.

    Returns:
        Why workers have failed, if any have.

    Raises:
        KeyboardInterrupt: If it was interrupted; the workers have put their trials back.
    """
    task = {
        **{name: getattr(demand, name) for name in ("storage", "study", "heartbeat", "grace")},
        "data": [str(part.folder) for part in manifest.parts],
        "trials": trials,
    }
    pool = WorkerPool(demand.workers, task, _environment(study), heard)
    try:
        return pool.wait()
    except KeyboardInterrupt:
        pool.stop()
        pool.wait()
        raise
    finally:
        pool.kill()


def _environment(study: Study) -> dict[str, str]:
    """Return the environment in which workers find the study's run."""
    chosen = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME")
    return {
        **{name: value for name, value in os.environ.items() if name not in chosen},
        "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(),
        "MLFLOW_EXPERIMENT_ID": mlflow.get_run(study.user_attrs[RUN_ID]).info.experiment_id,
    }
