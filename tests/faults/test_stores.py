"""Tracking servers that are dead, slow, or something else: said in one line, and soon."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from servers import free_port

from faults.tally import tally
from faults.test_disks import one_error

pytestmark = pytest.mark.faults

# The check of a store may take 10 s; the rest is for the command itself, on a busy machine.
PATIENCE = 40
COMMANDS = {
    "train": ["train", "--model", "regression"],
    "tune": ["tune", "--model", "regression"],
    "evaluate": ["evaluate"],
    "promote": ["promote"],
    "models": ["models"],
    "import-weights": ["import-weights", "checkpoint"],
    "apply": ["apply", "posters", "--out", "out"],
}


@contextmanager
def listening(answer: bytes | None) -> Iterator[int]:
    """Accept connections, and answer them with the same bytes, or never."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept = []

        def serve():
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    kept.append(connection)
                    if answer is not None:
                        connection.recv(65536)
                        connection.sendall(answer)
                        connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def broken(kind: str):
    if kind == "dead":
        return contextmanager(lambda: iter([free_port()]))()
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    return listening({"silent": None, "cut off": b"", "another": page}[kind])


@pytest.mark.parametrize("kind", ["dead", "silent", "cut off", "another"])
def test_a_server_that_can_not_be_used(kind, forge, supplies, request):
    with tally(request, f"server: {kind}") as counted, broken(kind) as port:
        for name, arguments in COMMANDS.items():
            with counted.one(name):
                store = f"http://127.0.0.1:{port}"
                command = forge.begin(supplies.data.parent, *arguments, MLFLOW_TRACKING_URI=store)
                one_error(command.wait(PATIENCE))
