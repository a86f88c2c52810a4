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
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import optuna

from recolor.datasets.combination import load_data
from recolor.datasets.errors import RecolorError
from recolor.platform.search import retry
from recolor.platform.search.storage import explained, open_storage
from recolor.platform.search.study import DONE, count, study_to_work_on

# How often a worker looks whether there is something to do, in seconds.
LOOK_SECONDS = 2


def work(task: dict, say: Callable[..., None], ending: threading.Event) -> None:
    """Run trials until there are enough, whoever has run them.

    Args:
        task: ``storage`` (URL), ``study``, ``data`` (folders), ``trials``, ``heartbeat``, ``grace``
            and ``worker``, this process' name.
        say: Takes what is to be shown.
        ending: Set when the process is to end, in case that the exception of that moment is lost.

    Raises:
        KeyboardInterrupt: If the process is to end; its trial was put back.
        RecolorError: If a trial can't be run.
    """
    # After everything that may be wrong with the task: it takes seconds.
    from recolor.platform.search.trial import Objective, SurplusTrialError
    from recolor.platform.tracking import store
    from recolor.platform.training.devices import find_devices

    store.connect()
    manifest = load_data([Path(folder) for folder in task["data"]])
    storage = open_storage(task["storage"], task["heartbeat"], task["grace"])
    study, plan = study_to_work_on(storage, task["study"])
    trials = task["trials"]
    objective = Objective(
        study, plan, manifest, find_devices(), trials, task["worker"], say, ending
    )
    silent = retry.SilentTrials(study, task["grace"])
    try:
        while (done := count(study, *DONE)) < trials:
            if ending.is_set():
                raise KeyboardInterrupt
            optuna.storages.fail_stale_trials(study)
            silent.fail()
            if done + count(study, optuna.trial.TrialState.RUNNING) >= trials:
                # Others run the last ones: one of them may be lost.
                say(waiting=True)
                time.sleep(LOOK_SECONDS)
                continue
            try:
                study.optimize(objective, n_trials=1, catch=(SurplusTrialError,))
            except Exception:
                # Optuna's own, where another worker goes on with the trial.
                if not retry.is_run_again(study, objective.current):
                    raise
            objective.current = None
    except KeyboardInterrupt:
        if objective.current is not None:
            retry.interrupted(study, objective.current)
        raise


def main() -> int:
    """Do what the standard input asks for; return the exit status."""
    channel = _take_standard_output()

    def say(**message) -> None:
        with suppress(BrokenPipeError):
            print(json.dumps(message), file=channel, flush=True)

    ending = threading.Event()

    def interrupt(number: int, frame: object) -> None:
        """Interrupt the worker; not again while it puts its trial back."""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, signal.SIG_IGN)
        # Python drops an exception that is raised within a destructor or a callback of C.
        ending.set()
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupt)
    try:
        task = json.loads(sys.stdin.readline())
        threading.Thread(target=_interrupt_at_the_end, args=[sys.stdin], daemon=True).start()
        with explained(task["storage"]):
            work(task, say, ending)
    except KeyboardInterrupt:
        say(interrupted=True)
    except RecolorError as error:
        say(failed=str(error))
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
