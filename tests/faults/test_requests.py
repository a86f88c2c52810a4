"""Wrong requests to the served model: a clear answer to each, and the server serves on."""

import http.client
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import environment
from PIL import Image
from servers import free_port

from faults.bad_requests import bad_request, right_request
from faults.tally import tally

pytestmark = pytest.mark.faults

REQUESTS = 2000
MOST_MB = 200


class Server:
    """MLflow's scoring server.

    Args:
        store: The store's URI.
        log: The file for what it says.
    """

    def __init__(self, store: str, log: Path):
        self.port, self.log = free_port(), log
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/poster-recolor/2",
             "-p", str(self.port), "--env-manager", "local"],
            env=environment(store),
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + 180
        while not self._answers():
            assert self.process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.5)

    def _answers(self) -> bool:
        try:
            return self.ask("GET", "/ping")[0] == 200
        except OSError:
            return False

    def ask(self, method: str, path: str, kind: str = "", body: bytes = b"") -> tuple[int, str]:
        """Return the status and text of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {"Content-Type": kind} if kind else {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()

    def memory(self) -> float:
        """The megabytes of its processes, all together."""
        group, total = os.getpgid(self.process.pid), 0
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if os.getpgid(int(folder.name)) == group:
                    total += int((folder / "statm").read_text().split()[1])
            except OSError:
                continue
        return total * os.sysconf("SC_PAGE_SIZE") / 2**20

    def stop(self) -> None:
        """End it."""
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(30)


@pytest.fixture
def server(supplies, tmp_path) -> Iterator[Server]:
    server = Server(f"sqlite:///{supplies.store}", tmp_path / "server.log")
    yield server
    server.stop()


def check_answer(status: int, text: str, kind: str, body: bytes) -> None:
    """Check that an answer is a result, or says without a traceback what was wrong."""
    depth = max(body.count(b"["), body.count(b"{"))
    if status == 500 and (not kind or depth > sys.getrecursionlimit() // 2):
        # MLflow itself fails at these, before there is anything for a model.
        return
    if kind == "text/csv" and "Failed to parse input as a Pandas DataFrame" in text:
        # MLflow's own words, with its own traceback.
        return
    assert 200 <= status < 300 or 400 <= status < 500, f"{status}: {text[:600]}"
    for code in ("Traceback", "stack_trace", 'File "'):
        assert code not in text, f"{status}: {text[:200]}...{text[-1000:]}"
    if status >= 400:
        # MLflow repeats the input, in as many lines as it takes; what was wrong comes last.
        assert _message(text).strip(), text


def _message(text: str) -> str:
    """Return what an error says: JSON in most cases, but not where HTTP itself is the matter."""
    try:
        content = json.loads(text)
    except ValueError:
        return text
    return str(content.get("message") or content.get("detail"))


def test_mutated_requests(server, supplies, request):
    file = io.BytesIO()
    with Image.open(min(supplies.posters.iterdir())) as poster:
        poster.resize((40, 60)).save(file, "JPEG")
    picture = file.getvalue()
    kind, body = right_request(picture)
    status, right = server.ask("POST", "/invocations", kind, body)
    assert status == 200, right
    with tally(request, "mutated requests") as counted:
        for number in range(REQUESTS):
            if number == REQUESTS // 4:
                early = server.memory()
            kind, body = bad_request(counted.rng(number), picture)
            with counted.one(f"request {number}, {kind}, {body[:60]!r}...{body[-60:]!r}"):
                try:
                    answer = server.ask("POST", "/invocations", kind, body)
                except (OSError, http.client.HTTPException) as error:
                    raise AssertionError(f"no answer: {error!r}") from None
                check_answer(*answer, kind, body)
        with counted.one("the right request afterwards"):
            assert server.ask("POST", "/invocations", *right_request(picture)) == (200, right)
        with counted.one("its memory"):
            late = server.memory()
            assert late - early < MOST_MB, f"from {early:.0f} to {late:.0f} MB"
