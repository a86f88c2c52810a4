"""What commands say: progress bars, what the workers of a search do, and what came of it."""

import io
import shlex
import sys
from collections.abc import Iterable, Sequence

from recolor.datasets.skipped import MOST_SHOWN
from recolor.platform.cli.messages import draws_bars, say, warn

# The exit status of a command that did some of the images.
SOME_SKIPPED = 3
# Between two lines about progress.
LINE_SECONDS = 30


def printable(text: str) -> str:
    """Escape what is not to be seen: names of files may hold codes that move a terminal's cursor.

    Example:
        >>> printable("fête\\x1b[2J")
        'fête\\\\x1b[2J'
    """
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )


def progress_bar(
    total: int | None, label: str, items: Iterable | None = None, unit: str = "posters"
):
    """Make a progress bar; where none can be drawn, it says a line every half a minute.

    Args:
        total: How many there are; None if it is not known yet.
        label: What is being done.
        items: What to wrap, if the bar is to advance by itself.
        unit: What is counted.

    Returns:
        A `tqdm.tqdm`.
    """
    from tqdm import tqdm

    class Lines(tqdm):
        def display(self, msg=None, pos=None):
            say(str(self), err=True)

    options = {"total": total, "desc": label, "unit": f" {unit}"}
    if draws_bars():
        return tqdm(items, **options, dynamic_ncols=True)
    return Lines(
        items,
        **options,
        mininterval=LINE_SECONDS,
        maxinterval=LINE_SECONDS,
        delay=LINE_SECONDS,
        bar_format="{desc}: {n_fmt} of {total_fmt}{unit} in {elapsed}, {remaining} left{postfix}",
        # What it writes beside the lines.
        file=io.StringIO(),
    )


def report_skipped(skipped: Sequence[tuple[str, str]], more: str = "") -> None:
    """Say on the standard error which images were skipped: the first ones, and how many.

    Args:
        skipped: Name and reason of each.
        more: What else there is to say.
    """
    for name, reason in skipped[:MOST_SHOWN]:
        warn(printable(f"skipped {name}: {reason}"))
    rest = f" ({len(skipped) - MOST_SHOWN} more)" if len(skipped) > MOST_SHOWN else ""
    warn(f"{len(skipped)} skipped{rest}" + (f", {more}" if more else ""))


class WorkerLines:
    """Lines on the standard error; live ones only where bars are drawn.

    Args:
        workers: How many workers there are.
        objective: What their trials are compared by.
    """

    def __init__(self, workers: int, objective: str):
        from tqdm import tqdm

        self._objective = objective
        self._bars = [
            tqdm(
                position=number,
                desc=f"worker {number + 1}: begins",
                bar_format="{desc}{postfix} [{elapsed}<{remaining}]",
                leave=False,
                disable=not draws_bars(),
            )
            for number in range(workers)
        ]

    def __call__(self, worker: int, message: dict | None) -> None:
        """Show a message of `recolor.platform.search.worker`, or None, that a worker has ended."""
        bar = self._bars[worker - 1]
        if message is None:
            bar.set_description_str(f"worker {worker}: ended")
        elif "trial" in message:
            self._show_trial(bar, worker, **message)
        elif "waiting" in message:
            bar.set_description_str(f"worker {worker}: waits for the trials of others")

    def close(self) -> None:
        """Take the live lines away."""
        for bar in self._bars:
            bar.close()

    def _show_trial(
        self, bar, worker, trial, epochs, best, epoch=None, value=None, state=None
    ) -> None:
        reached = "" if value is None else f", {self._objective} {value:.4g}"
        if state is not None:
            # Above the live lines.
            with bar.external_write_mode(sys.stderr):
                say(f"trial {trial} {state}{reached}", err=True)
            return
        if value is None:
            # It begins or continues here.
            bar.reset(total=epochs)
            bar.initial = epoch
        bar.n = epoch
        so_far = "" if best is None else f", best {best:.4g}"
        bar.set_description_str(
            f"worker {worker}: trial {trial}, epoch {epoch} of {epochs}{reached}{so_far}"
        )


def report_trained(trained) -> None:
    """Say which version a model is, and how well it did in validation.

    Args:
        trained: A `publication.TrainedModel`.
    """
    from recolor.evaluation.answers import ANSWERS, RESTORED_ANSWERS
    from recolor.platform.registry.model_card import shown_answers
    from recolor.platform.registry.tasks import RESTORING

    task = trained.task
    answers = RESTORED_ANSWERS if task is RESTORING else ANSWERS
    if shown := shown_answers(trained.measured, task.key.metric, answers):
        say(f"validation, {task.key.metric}: {shown}")
    which = f"{task.model} version" if task is RESTORING else "version"
    say(f"run {trained.run_id}, registered as {which} {trained.version}")
    say_how_mlflow_finds_it()


def say_how_mlflow_finds_it() -> None:
    """Say how MLflow's own commands find the store, where they would look for another one."""
    from recolor.platform.tracking.store import default_store

    if file := default_store():
        uri = shlex.quote(f"sqlite:///{file}")
        say(f"runs and models: mlflow ui --backend-store-uri {uri}")
        say(f"for mlflow models serve and run: export MLFLOW_TRACKING_URI={uri}")
