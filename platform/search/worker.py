"""A worker: a process that runs trials of a study, one after the other, until there are enough.

Its task is the first line of its standard input, as JSON. The input stays open for as long as the
command lives that has started it: at its end, as at SIGTERM, the trial under way is put back and
the worker ends. What is to be shown goes to the standard output, a JSON object a line.
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import optuna

from recolor.datasets.combination import load_data
from recolor.datasets.errors import RecolorError
from recolor.platform.interruption import interruptible
from recolor.platform.search.storage import explained, open_storage
from recolor.platform.search.study import DONE, count, is_run_again, put_back, study_to_work_on

# How often a worker looks whether there is something to do, in seconds.
LOOK_SECONDS = 2


def work(task: dict, say: Callable[..., None]) -> None:
    """Run trials until there are enough, whoever has run them.

    Args:
        task: ``storage`` (URL), ``study``, ``data`` (folders), ``trials``, ``heartbeat`` and
            ``grace``.
        say: Takes what is to be shown.

    Raises:
        KeyboardInterrupt: If the process is to end; its trial was put back.
        RecolorError: If a trial can't be run.
    """
    # Before imports that take seconds, since it may be missing.
    manifest = load_data([Path(folder) for folder in task["data"]])
    from recolor.platform.search.trial import Objective, SurplusTrialError
    from recolor.platform.tracking import store
    from recolor.platform.training.devices import find_devices

    store.connect()
    storage = open_storage(task["storage"], task["heartbeat"], task["grace"])
    study, plan = study_to_work_on(storage, task["study"])
    trials = task["trials"]
    objective = Objective(study, plan, manifest, find_devices(), trials, say)
    try:
        while (done := count(study, *DONE)) < trials:
            optuna.storages.fail_stale_trials(study)
            if done + count(study, optuna.trial.TrialState.RUNNING) >= trials:
                # Others run the last ones: one of them may be lost.
                say(waiting=True)
                time.sleep(LOOK_SECONDS)
                continue
            try:
                study.optimize(objective, n_trials=1, catch=(SurplusTrialError,))
            except Exception:
                # Optuna's own, where another worker continues the trial.
                if objective.current is None or not is_run_again(study, objective.current):
                    raise
            objective.current = None
    except KeyboardInterrupt:
        if objective.current is not None:
            put_back(study, objective.current)
        raise


def main() -> int:
    """Do what the standard input asks for; return the exit status."""
    channel = _take_standard_output()

    def say(**message) -> None:
        with suppress(BrokenPipeError):
            print(json.dumps(message), file=channel, flush=True)

    try:
        with interruptible():
            task = json.loads(sys.stdin.readline())
            threading.Thread(target=_interrupt_at_the_end, args=[sys.stdin], daemon=True).start()
            with explained(task["storage"]):
                work(task, say)
    except KeyboardInterrupt:
        say(interrupted=True)
    except RecolorError as error:
        say(failed=str(error))
        return 1
    except Exception as error:
        say(failed=traceback.format_exception_only(error)[-1].strip())
        return 1
    return 0


def _take_standard_output() -> TextIO:
    """Return the standard output, and let everything else be written to the standard error."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return channel


def _interrupt_at_the_end(stream: TextIO) -> None:
    while stream.readline():
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
