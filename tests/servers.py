"""Real servers on loopback, for as long as a test needs them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

START_SECONDS = 120


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def postgresql_program(name: str) -> str:
    """The path of one of PostgreSQL's programs; Debian has them in a folder of their own.

    Where there is none the test is skipped, or fails if RECOLOR_REQUIRE_POSTGRESQL is set.
    """
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: folder.parts[-2])
    found = shutil.which(name, path=os.pathsep.join(map(str, [*debian[::-1], os.environ["PATH"]])))
    if found is None:
        missing = "PostgreSQL is not installed: apt-get install postgresql"
        if os.environ.get("RECOLOR_REQUIRE_POSTGRESQL"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@contextmanager
def postgresql_server() -> Iterator[str]:
    """A PostgreSQL of its own; yields the URL of its database `postgres`."""
    initdb, postgres = map(postgresql_program, ("initdb", "postgres"))
    # It refuses to run as root.
    user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    folder, port = Path(tempfile.mkdtemp(prefix="recolor-postgresql-")), free_port()
    if user:
        shutil.chown(folder, **user)
    options = {**user, "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    make = [initdb, "--pgdata=data", "--username=recolor", "--auth=trust", "--no-sync"]
    subprocess.run([*make, "--encoding=UTF8", "--locale=C"], check=True, **options)
    settings = [
        "listen_addresses=127.0.0.1",
        f"port={port}",
        "unix_socket_directories=",
        "fsync=off",
    ]
    arguments = [word for setting in settings for word in ("-c", setting)]
    process = subprocess.Popen([postgres, "-D", "data", *arguments], **options)
    url = f"postgresql+psycopg://recolor@127.0.0.1:{port}/postgres"
    try:
        _wait_until(lambda: _answers(url), process)
        yield url
    finally:
        # At once, whoever is connected.
        process.send_signal(signal.SIGQUIT)
        process.wait()
        shutil.rmtree(folder)


def _answers(url: str) -> bool:
    try:
        _sql(url, "SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def _sql(url: str, command: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(command)


def new_database(server: str, name: str) -> str:
    """Make an empty database; return its URL."""
    _sql(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    _sql(server, f'CREATE DATABASE "{name}"')
    return f"{server.rpartition('/')[0]}/{name}"


class TrackingServer:
    """`mlflow server`, which can be killed and started again at the same address.

    Args:
        database: The URL of its database.
        folder: Where the artifacts are kept.
    """

    def __init__(self, database: str, folder: Path):
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.command = [
            *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
            *("--host", "127.0.0.1", "--port", str(self.port)),
            *("--backend-store-uri", database, "--artifacts-destination", str(folder)),
        ]
        self.process = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.process = subprocess.Popen(
            self.command,
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _wait_until(self.answers, self.process)

    def answers(self) -> bool:
        """Whether it is there."""
        with suppress(OSError, urllib.error.URLError), urllib.request.urlopen(self.uri + "/health"):
            return True
        return False

    def kill(self) -> None:
        """End it at once, with the processes that it has started."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@contextmanager
def s3_server() -> Iterator[str]:
    """Moto's S3 server; yields its address. What is in it is in its memory.

    It has an environment of its own, since its dependencies conflict with TensorFlow's.
    """
    program = os.environ.get("RECOLOR_MOTO")
    if not program:
        pytest.skip("RECOLOR_MOTO does not name a moto_server: pip install 'moto[s3]>=5,<6' flask "
                    "flask-cors in an environment of its own")  # fmt: skip
    address = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [program, "--port", address.rpartition(":")[2]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until(lambda: listens(address), process)
        yield address
    finally:
        process.kill()
        process.wait()


def listens(address: str) -> bool:
    """Whether somebody is at an address."""
    host, _, port = address.rpartition(":")
    with suppress(OSError), socket.create_connection((host, int(port))):
        return True
    return False


class Door:
    """The way to a server, to be closed and opened again.

    Args:
        server: The server's address.
    """

    def __init__(self, server: str):
        self._server, self._listener = server, None
        self.address = f"127.0.0.1:{free_port()}"

    def open(self) -> None:
        """Let connections through."""
        host, _, port = self.address.rpartition(":")
        self._listener = socket.create_server((host, int(port)))
        threading.Thread(target=self._admit, args=[self._listener], daemon=True).start()

    def close(self) -> None:
        """Refuse connections; those that are there go on."""
        # A thread that waits for the next one would keep it open.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _admit(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                outside = listener.accept()[0]
                host, _, port = self._server.rpartition(":")
                inside = socket.create_connection((host, int(port)))
                for ends in ((outside, inside), (inside, outside)):
                    threading.Thread(target=_pass_on, args=ends, daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(1 << 16):
            target.sendall(block)
        target.shutdown(socket.SHUT_WR)


def _wait_until(ready, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        assert process.poll() is None, "the server ended"
        assert time.monotonic() < deadline, "the server does not answer"
        time.sleep(0.1)
