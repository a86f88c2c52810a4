"""Connections: clients that don't read what they asked for, and addresses with too many."""

import asyncio
import platform
import socket
import subprocess
import sys
from functools import partial

import anyio
import pytest
import uvicorn
from uvicorn.server import ServerState

from recolor.platform.server import running
from recolor.platform.server.limits import MEGABYTE
from recolor.platform.server.running import ImpatientProtocol

# Much more than the system's buffers hold.
ANSWER = bytes(16 * MEGABYTE)
PATIENCE = 30


async def application(scope, receive, send):
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-length", str(len(ANSWER)).encode())]})  # fmt: skip
    await send({"type": "http.response.body", "body": ANSWER})


class Server:
    """The protocol at an address, and clients of it that have asked for an answer."""

    def __init__(self, seconds: float):
        self.state = ServerState()
        config = uvicorn.Config(application, ws="none", log_level="critical")
        self._protocol = partial(
            ImpatientProtocol, seconds, config=config, server_state=self.state, app_state={}
        )

    async def __aenter__(self) -> "Server":
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_) -> None:
        self._server.close()

    def client(self) -> socket.socket:
        client = socket.socket()
        # So that little fits between the two.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(self._server.sockets[0].getsockname())
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.settimeout(PATIENCE)
        return client

    async def until_connected(self, count: int) -> None:
        with anyio.fail_after(PATIENCE):
            while len(self.state.connections) != count:
                await asyncio.sleep(0.01)


def content(client: socket.socket) -> int:
    """Read to the end; return how many bytes there were."""
    count = 0
    try:
        while count < len(ANSWER) and (block := client.recv(1 << 20)):
            count += len(block)
    except ConnectionError:
        pass
    client.close()
    return count


def test_an_answer_that_is_not_read_in_time():
    async def run():
        async with Server(seconds=0.3) as server:
            client = server.client()
            await server.until_connected(1)
            await server.until_connected(0)
            assert await asyncio.to_thread(content, client) < len(ANSWER)

    asyncio.run(run())


def test_an_answer_that_is_read():
    async def run():
        async with Server(seconds=PATIENCE) as server:
            assert await asyncio.to_thread(content, server.client()) >= len(ANSWER)

    asyncio.run(run())


def test_answers_together_have_a_limit(monkeypatch):
    """The client that takes longest is hung up on; a single one may have a larger answer."""
    monkeypatch.setattr(running, "MOST_UNREAD", len(ANSWER))

    async def run():
        async with Server(seconds=PATIENCE) as server:
            slow = server.client()
            await server.until_connected(1)
            await asyncio.sleep(0.2)
            quick = server.client()
            reading = asyncio.to_thread(content, quick)
            assert await reading >= len(ANSWER)
            assert await asyncio.to_thread(content, slow) < len(ANSWER)

    asyncio.run(run())


@pytest.mark.parametrize("most", [1, 3])
def test_an_address_has_some_of_the_connections(most, monkeypatch):
    monkeypatch.setattr(running, "MOST_OF_AN_ADDRESS", most)

    async def run():
        async with Server(seconds=PATIENCE) as server:
            clients = []
            for count in range(1, most + 1):
                clients.append(server.client())
                await server.until_connected(count)
            assert await asyncio.to_thread(content, server.client()) == 0
            assert await asyncio.to_thread(content, clients[0]) >= len(ANSWER)

    asyncio.run(run())


HOLES = """
from recolor.platform.server.running import return_large_blocks

def megabytes():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20

if {returned}:
    return_large_blocks()
before, large, small = megabytes(), [], []
del [b"x" * (20 << 20)][:]
for _ in range(20):
    large.append(b"x" * (10 << 20))
    small.append(b"x" * (100 << 10))
del large
print(megabytes() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library's malloc")
def test_memory_of_answers_goes_back_to_the_system():
    """Though small things were allocated between them, and are still in use."""
    left = {
        returned: float(
            subprocess.run(
                [sys.executable, "-c", HOLES.format(returned=returned)],
                check=True,
                capture_output=True,
            ).stdout
        )
        for returned in (False, True)
    }
    assert left[False] > 150 and left[True] < 20
