"""Trials that were not ended by their worker, and how they are run again.

What a worker does that was lost, and the rest do not know of, the heartbeat tells: see
`storage.StudyStorage`.
"""

import time
from contextlib import suppress

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from recolor.platform.search.storage import RETRIES
from recolor.platform.search.study import DONE, WORKER, number_of

RUNNING = (TrialState.RUNNING,)


def interrupted(study: Study, number: int) -> None:
    """Put a trial back whose worker was asked to end: that is not one of its retries."""
    trial = study.get_trials(deepcopy=False)[number]
    if trial.state in DONE or (trial.state == TrialState.RUNNING and not _fail(study, trial)):
        return
    study.add_trial(
        optuna.create_trial(
            state=TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            system_attrs={**trial.system_attrs, "failed_trial": number_of(trial)},
        )
    )


def lost(study: Study, worker: str) -> None:
    """Put the trial back of a worker that is known to be dead, before its heartbeat is missed.

    Args:
        study: The study.
        worker: The worker's name.
    """
    for trial in study.get_trials(deepcopy=False, states=RUNNING):
        if trial.user_attrs.get(WORKER) == worker and _fail(study, trial):
            optuna.storages.RetryHeartbeatStaleTrialCallback(RETRIES)(study, trial)


def is_run_again(study: Study, number: int | None) -> bool:
    """Whether a trial was begun again after this time, which has its number in Optuna's count."""
    trials = study.get_trials(deepcopy=False)
    return number is not None and any(
        number_of(later) == number_of(trials[number]) for later in trials[number + 1 :]
    )


class SilentTrials:
    """Trials whose worker was killed between their first moment and their first heartbeat.

    Optuna would wait for them for good.

    Args:
        study: The study.
        grace: Seconds after which such a trial is taken for lost.
    """

    def __init__(self, study: Study, grace: float):
        self._study = study
        self._grace = grace
        self._seen: dict[int, float] = {}

    def fail(self) -> None:
        """Fail those that have been seen for long enough; they have not begun anything."""
        for trial in self._study.get_trials(deepcopy=False, states=RUNNING):
            if WORKER in trial.user_attrs:
                continue
            since = self._seen.setdefault(trial.number, time.monotonic())
            if time.monotonic() - since > self._grace:
                _fail(self._study, trial)


def _fail(study: Study, trial: FrozenTrial) -> bool:
    """Fail a running trial; return whether it was not ended by others before."""
    with suppress(ValueError, UpdateFinishedTrialError):
        study.tell(trial.number, state=TrialState.FAIL)
        return True
    return False
