"""The workers of one command: processes of their own, started, heard and ended together."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from threading import Thread

MODULE = "recolor.platform.search.worker"


class WorkerPool:
    """Workers with the same task; each has a number, from 1.

    Args:
        count: How many.
        task: What `worker.work` takes.
        environment: The environment variables that they have in common.
        heard: Called with a worker's number and each of its messages, and with None at its end; in
            a thread for each worker.
    """

    def __init__(
        self,
        count: int,
        task: dict,
        environment: dict[str, str],
        heard: Callable[[int, dict | None], None],
    ):
        self._heard = heard
        self._reasons: dict[int, str] = {}
        self._processes = [
            # In a session of its own, since Ctrl-C in a terminal is for the command.
            subprocess.Popen(
                [sys.executable, "-m", MODULE],
                env={**environment, **devices},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
                start_new_session=True,
            )
            for devices in share_gpus(count)
        ]
        self._listeners = [
            Thread(target=self._listen, args=numbered, daemon=True)
            for numbered in enumerate(self._processes, 1)
        ]
        for process, listener in zip(self._processes, self._listeners, strict=True):
            process.stdin.write(json.dumps(task) + "\n")
            process.stdin.flush()
            listener.start()

    def _listen(self, number: int, process: subprocess.Popen) -> None:
        for line in process.stdout:
            message = json.loads(line)
            if "failed" in message:
                self._reasons[number] = message["failed"]
            self._heard(number, message)
        self._heard(number, None)

    def wait(self) -> list[str]:
        """Wait until all have ended; return why those that have failed did."""
        failures = []
        for number, process in enumerate(self._processes, 1):
            if status := process.wait():
                self._listeners[number - 1].join()
                killed = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
                failures.append(f"worker {number}: {self._reasons.get(number, killed)}")
        for listener in self._listeners:
            listener.join()
        return failures

    def stop(self) -> None:
        """Ask all workers to return their trials to the queue and exit."""
        for process in self._processes:
            process.stdin.close()

    def kill(self) -> None:
        """End those that are left, at once."""
        for process in self._processes:
            process.kill()
        self.wait()


def share_gpus(count: int) -> list[dict[str, str]]:
    """Share the GPUs out among workers.

    Args:
        count: Number of workers.

    Returns:
        Environment variables of each.
    """
    gpus = _visible_gpus()
    if not gpus:
        return [{}] * count
    # Otherwise the first worker on a GPU would take all of its memory.
    shared = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    more = shared if count > len(gpus) else {}
    return [{"CUDA_VISIBLE_DEVICES": gpus[n % len(gpus)], **more} for n in range(count)]


def _visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA names them."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name for name in chosen.split(",") if name and name != "-1"]
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True).stdout.split()
