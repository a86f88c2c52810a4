"""The studies of a storage, in short."""

from dataclasses import dataclass

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from recolor.platform.search.plan import Plan
from recolor.platform.search.study import (
    DONE,
    PLAN,
    RUN_ID,
    TRIALS,
    best_trial,
    newest_states,
    number_of,
)


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
