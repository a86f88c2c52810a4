"""Running the application, until it is asked to end."""

import asyncio
import contextlib
import ctypes
import socket
from functools import partial

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from recolor.datasets.errors import RecolorError, reason_of
from recolor.platform.server.limits import MEGABYTE, Limits

# In which the head of a request must have arrived.
SECONDS_FOR_HEAD = 10
MOST_CONNECTIONS, MOST_OF_AN_ADDRESS = 1000, 500
# Bytes of answers that clients have not read yet.
MOST_UNREAD = 256 * MEGABYTE
# Of glibc's malloc, see mallopt(3). M_MMAP_THRESHOLD: blocks of 4 MB and more go back to the system
# as soon as they are freed. M_TRIM_THRESHOLD: so does the end of the heap, when 64 MB are free.
MALLOC = {-3: 4 * MEGABYTE, -1: 64 * MEGABYTE}


class AddressError(RecolorError):
    """There is no serving at an address."""


def return_large_blocks() -> None:
    """Let bodies, pictures and answers leave no holes in the heap, which would grow with them.

    By default, glibc raises the size of what goes back to that of the largest that was freed.
    """
    # Other C libraries have no such setting.
    with contextlib.suppress(AttributeError):
        for setting, size in MALLOC.items():
            ctypes.CDLL(None).mallopt(setting, size)


def bound(host: str, port: int) -> socket.socket:
    """Take an address.

    Raises:
        AddressError: If it can't be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        address = socket.create_server((host, port), family=family, backlog=MOST_CONNECTIONS)
        # Connections inherit it. An answer is sent in two parts, and without this the second one
        # waits until the client has confirmed the first, which takes 40 ms.
        address.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return address
    except OSError as error:
        # Python adds the address.
        reason = reason_of(error).partition(" (while")[0]
        raise AddressError(f"can't serve at {host}, port {port}: {reason}") from None


def run(application, bound_to: socket.socket, limits: Limits) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests in progress.

    Args:
        application: An ASGI application.
        bound_to: The socket to listen on.
        limits: Limits of requests.
    """
    config = uvicorn.Config(
        application,
        http=partial(ImpatientProtocol, limits.seconds),
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        headers=[("X-Content-Type-Options", "nosniff")],
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=int(limits.seconds) + 1,
    )
    # What has ended the server is raised again when it has ended.
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[bound_to])


class ImpatientProtocol(H11Protocol):
    """HTTP, but for clients that neither end a request's head nor read an answer.

    Uvicorn lets them have their connection, and the memory of the answer, for ever.

    Args:
        seconds: In which an answer must be read.
    """

    def __init__(self, seconds: float, *arguments, **named):
        super().__init__(*arguments, **named)
        self._seconds = seconds
        self._head: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        address = self.client and self.client[0]
        same = sum(one.client is not None and one.client[0] == address for one in self.connections)
        if same > MOST_OF_AN_ADDRESS:
            transport.abort()
        self._head = self.loop.call_later(SECONDS_FOR_HEAD, transport.close)

    def data_received(self, data: bytes) -> None:
        """Wait no longer when the head is there, and again when the next one begins."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._head = _cancelled(self._head)
        elif self._head is None:
            self._head = self.loop.call_later(SECONDS_FOR_HEAD, self.transport.close)

    def pause_writing(self) -> None:
        """Begin to wait until an answer is read."""
        super().pause_writing()
        self._unread = self.loop.call_later(self._seconds, self.transport.abort)
        waiting = [one for one in self.connections if one._unread is not None]
        waiting.sort(key=lambda one: one._unread.when())
        unread = sum(one.transport.get_write_buffer_size() for one in waiting)
        for slowest in waiting[:-1]:
            if unread <= MOST_UNREAD:
                break
            unread -= slowest.transport.get_write_buffer_size()
            slowest.transport.abort()

    def resume_writing(self) -> None:
        """Wait no longer: the answer is read, but for what the system has room for."""
        self._unread = _cancelled(self._unread)
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._head, self._unread = _cancelled(self._head), _cancelled(self._unread)
        super().connection_lost(exc)


def _cancelled(timer: asyncio.TimerHandle | None) -> None:
    """Cancel a timer, if there is one; what is returned takes its place."""
    if timer is not None:
        timer.cancel()
