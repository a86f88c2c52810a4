"""What is said while workers run trials: a live line for each, and a line for each trial."""

import sys


class WorkerLines:
    """Lines on the standard error; live ones only where it is a terminal.

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
                disable=None,
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
            bar.write(f"trial {trial} {state}{reached}", file=sys.stderr)
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
