"""The workers of one command: processes of their own, heard and ended together."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from queue import Queue
from threading import Thread

MODULE = "recolor.platform.search.worker"


class Worker:
    """A process that runs trials.

    Args:
        number: Its number here, from 1.
        task: What `worker.work` takes, but for its name.
        environment: Its environment variables.
        heard: Where its messages go, each with its number; None when it has ended.
    """

    def __init__(self, number: int, task: dict, environment: dict[str, str], heard: Queue):
        # For as long as there may be something to read in it.
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._failure: str | None = None
        # In a session of its own, since Ctrl-C in a terminal is for the command.
        self.process = subprocess.Popen(
            [sys.executable, "-m", MODULE],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            encoding="utf-8",
            start_new_session=True,
        )
        self.name = f"{socket.gethostname()}:{self.process.pid}"
        self.number = number
        self.process.stdin.write(json.dumps({**task, "worker": self.name}) + "\n")
        self.process.stdin.flush()
        Thread(target=self._listen, args=[heard], daemon=True).start()

    def _listen(self, heard: Queue) -> None:
        for line in self.process.stdout:
            message = json.loads(line)
            self._failure = message.get("failed", self._failure)
            heard.put((self.number, message))
        self.process.wait()
        heard.put((self.number, None))

    def stop(self) -> None:
        """Ask it to put its trial back and to end."""
        self.process.stdin.close()

    def failure(self) -> str | None:
        """Say why it has failed; None if it has not."""
        status = self.process.poll()
        if not status:
            return None
        if status < 0:
            return f"killed by signal {-status}"
        self._log.seek(0)
        last = self._log.read().strip().splitlines()[-1:] or [f"exit status {status}"]
        return self._failure or last[0]


class Crew:
    """Workers with the same task.

    Args:
        count: How many.
        task: What `worker.work` takes, but for the worker's name.
        environment: The environment variables that they have in common.
        heard: Called with a worker's number and each of its messages, and with None at its end.
        failed: Called with each worker that has failed or was killed.
    """

    def __init__(
        self,
        count: int,
        task: dict,
        environment: dict[str, str],
        heard: Callable[[int, dict | None], None],
        failed: Callable[[Worker], None],
    ):
        self._messages: Queue = Queue()
        self._heard = heard
        self._failed = failed
        self._left = count
        self.workers = [
            Worker(number, task, {**environment, **devices}, self._messages)
            for number, devices in enumerate(share_gpus(count), 1)
        ]

    def listen(self) -> None:
        """Hand on what the workers say, until all have ended."""
        while self._left:
            number, message = self._messages.get()
            self._heard(number, message)
            if message is None:
                self._left -= 1
                worker = self.workers[number - 1]
                if worker.failure():
                    self._failed(worker)

    def stop(self) -> None:
        """Ask all workers to put their trials back and to end."""
        for worker in self.workers:
            worker.stop()

    def kill(self) -> None:
        """End those that are left, at once."""
        for worker in self.workers:
            worker.process.kill()
        self.listen()


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
