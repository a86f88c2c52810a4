"""A study: its plan, its trials, and how far it has come."""

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import BaseStorage, RetryHeartbeatStaleTrialCallback
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from recolor.platform.search.plan import Plan, PlanError
from recolor.platform.search.samplers import make_pruner, make_sampler

# User attributes of a study: its plan, how many trials it was last asked for, and its MLflow run.
PLAN, TRIALS, RUN_ID = "plan", "trials", "run_id"
# User attributes of a trial: the process that runs it, and its MLflow run.
WORKER = "worker"

# Trials that count.
DONE = (TrialState.COMPLETE, TrialState.PRUNED)


def begin_study(storage: BaseStorage, name: str, plan: Plan, trials: int) -> Study:
    """Make a study, or find the one that goes on; only one process at a time may.

    Args:
        storage: Where it is kept.
        name: Its name.
        plan: Its plan.
        trials: How many trials it is to have.

    Raises:
        PlanError: If it was begun with another plan.
    """
    try:
        study = optuna.create_study(
            storage=storage, study_name=name, direction=plan.direction, load_if_exists=False
        )
        study.set_user_attr(PLAN, plan.to_json())
    except DuplicatedStudyError:
        study = optuna.load_study(study_name=name, storage=storage)
        if PLAN in study.user_attrs:
            plan.check_continues(study.user_attrs[PLAN], name)
        elif study.get_trials(deepcopy=False) or study.direction.name.lower() != plan.direction:
            raise PlanError(
                f"study {name} was not begun by `recolor tune`: choose another --study"
            ) from None
        else:
            # A command was killed before it had kept the plan.
            study.set_user_attr(PLAN, plan.to_json())
    study.set_user_attr(TRIALS, trials)
    return study


def study_to_work_on(storage: BaseStorage, name: str) -> tuple[Study, Plan]:
    """Load a study for a worker, with its sampler and its pruner; the plan is complete.

    Keras is imported for it.
    """
    study = optuna.load_study(study_name=name, storage=storage)
    plan = Plan.of_json(study.user_attrs[PLAN]).complete()
    study.sampler, study.pruner = make_sampler(plan), make_pruner(plan)
    return study, plan


def count(study: Study, *states: TrialState) -> int:
    """Return how many trials are in one of these states."""
    return len(study.get_trials(deepcopy=False, states=states))


def number_of(trial: FrozenTrial) -> int:
    """Return a trial's number; one that is run again keeps that of the first time."""
    first = RetryHeartbeatStaleTrialCallback.retried_trial_number(trial)
    return trial.number if first is None else first


def newest_states(study: Study) -> dict[int, TrialState]:
    """Return the state of each trial's last time, by its number."""
    return {number_of(trial): trial.state for trial in study.get_trials(deepcopy=False)}


def best_trial(study: Study) -> FrozenTrial | None:
    """Return the best of the complete trials; None if there is none yet."""
    return study.best_trial if count(study, TrialState.COMPLETE) else None
