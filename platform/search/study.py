"""A study: its plan, its trials, how far it has come, and what there is to say of it."""

from dataclasses import dataclass

import optuna
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, RetryHeartbeatStaleTrialCallback
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from recolor.platform.search.plan import Plan, PlanError, make_pruner, make_sampler

# User attributes of a study: its plan, how many trials it was last asked for, and its MLflow run.
PLAN, TRIALS, RUN_ID = "plan", "trials", "run_id"
# User attributes of a trial: the process that runs it, and its MLflow run.
WORKER = "worker"

# Trials that count.
DONE = (TrialState.COMPLETE, TrialState.PRUNED)


def begin_study(storage: BaseStorage, name: str, plan: Plan, trials: int) -> Study:
    """Make a study, or find the one to continue; only one process at a time may.

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
    """Return the best of the complete trials; None before the first one."""
    return study.best_trial if count(study, TrialState.COMPLETE) else None


def put_back(study: Study, number: int) -> None:
    """Let a trial be run again whose worker was asked to end: that is not one of its retries.

    Args:
        study: The study.
        number: The trial's number in Optuna's count.
    """
    trial = study.get_trials(deepcopy=False)[number]
    if trial.state in DONE:
        return
    if trial.state == TrialState.RUNNING:
        try:
            study.tell(number, state=TrialState.FAIL)
        except (ValueError, UpdateFinishedTrialError):
            # Another worker has taken it for lost at this instant, and put it back.
            return
    study.add_trial(
        optuna.create_trial(
            state=TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            system_attrs={**trial.system_attrs, "failed_trial": number_of(trial)},
        )
    )


def is_run_again(study: Study, number: int) -> bool:
    """Whether a trial was begun again after this time, which has its number in Optuna's count."""
    trials = study.get_trials(deepcopy=False)
    return any(number_of(later) == number_of(trials[number]) for later in trials[number + 1 :])


@dataclass(frozen=True)
class Summary:
    """A study in short.

    Attributes:
        name: Its name.
        state: ``running``, ``finished`` or ``stopped``.
        plan: Its plan.
        wanted: How many trials it was last asked for.
        trials: How many trials there are by state; those that are run again count once.
        best: Number and value of the best trial, None if none is complete.
        run_id: Its run.
    """

    name: str
    state: str
    plan: Plan
    wanted: int
    trials: dict[str, int]
    best: tuple[int, float] | None
    run_id: str | None

    def describe(self) -> dict:
        """Return what `recolor studies --json` prints of it."""
        return {
            "name": self.name,
            "state": self.state,
            "model": self.plan.settings.model,
            "objective": self.plan.objective,
            "wanted": self.wanted,
            "trials": self.trials,
            "best": self.best and dict(zip(("trial", "value"), self.best, strict=True)),
            "run_id": self.run_id,
        }


def summaries(storage: BaseStorage) -> list[Summary]:
    """Return what there is to say of each study that `recolor tune` has begun, oldest first."""
    found = []
    for name in optuna.get_all_study_names(storage):
        study = optuna.load_study(study_name=name, storage=storage)
        about = study.user_attrs
        if PLAN not in about:
            continue
        states = list(newest_states(study).values())
        done = sum(state in DONE for state in states)
        running = TrialState.RUNNING in states
        best = best_trial(study)
        found.append(
            Summary(
                name,
                "running" if running else "finished" if done >= about[TRIALS] else "stopped",
                Plan.of_json(about[PLAN]),
                about[TRIALS],
                {state.name.lower(): states.count(state) for state in TrialState},
                best and (number_of(best), best.value),
                about.get(RUN_ID),
            )
        )
    return found
