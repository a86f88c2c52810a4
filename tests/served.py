"""A real `recolor serve`, in a process of its own."""

import contextlib
import http.client
import json
import os
import re
import signal
import time
from pathlib import Path

from forge import Forge

SECONDS_TO_START = 120


class Served:
    """A server that is ready; in a ``with`` statement, it is ended at the end.

    Args:
        forge: What begins it.
        folder: Where it runs; without a store there, a bundled network is served.
        options: Of the command.
        begun: See `Forge.begin`.
    """

    def __init__(self, forge: Forge, folder: Path, *options: str, **begun):
        self._command = forge.begin(folder, "serve", "--port", 0, *options, **begun)
        deadline = time.monotonic() + SECONDS_TO_START
        while not self._ready():
            assert self._command.runs and time.monotonic() < deadline, self.said
            time.sleep(0.1)

    def _ready(self) -> bool:
        found = re.search(r"http://127\.0\.0\.1:(\d+)", self.said)
        if not found:
            return False
        self.port = int(found[1])
        return self.ask("GET", "/readyz")[0] == 200

    @property
    def said(self) -> str:
        """What the process has printed."""
        return self._command.said

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Return the status, the headers (their names in small letters) and the content."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            # A server may refuse a request, and hang up, before all of it has come.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body, names)
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, headers, answer.read()
        finally:
            connection.close()

    def predict(self, content: dict) -> tuple[int, dict]:
        """Ask MLflow's endpoint."""
        status, _, answer = self.ask(
            "POST", "/invocations", json.dumps(content).encode(), Content_Type="application/json"
        )
        return status, json.loads(answer)

    def memory(self) -> float:
        """The megabytes that it has."""
        pages = int(Path(f"/proc/{self._command.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def end(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end, and return its exit status."""
        self._command.signal(number)
        return self._command.wait(60).status

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *_) -> None:
        if self._command.runs:
            self.end(signal.SIGKILL)
