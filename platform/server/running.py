"""Running the application, until it is asked to end."""

import asyncio
import contextlib
import logging
import socket

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from recolor.datasets.errors import RecolorError
from recolor.platform.server.limits import Limits

# In which the head of a request must have arrived.
SECONDS_FOR_HEAD = 10
MOST_CONNECTIONS = 1000


class AddressError(RecolorError):
    """There is no serving at an address."""


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
        reason = (error.strerror or str(error)).partition(" (while")[0]
        raise AddressError(f"can't serve at {host}, port {port}: {reason}") from None


def run(application, bound_to: socket.socket, limits: Limits) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests in progress.

    Args:
        application: An ASGI application.
        bound_to: The socket to listen on.
        limits: Limits of requests.
    """
    log = logging.getLogger("recolor.server")
    log.setLevel(logging.INFO)
    log.addHandler(logging.StreamHandler())
    config = uvicorn.Config(
        application,
        http=ImpatientProtocol,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=int(limits.seconds) + 1,
    )
    # What has ended the server is raised again when it has ended.
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[bound_to])


class ImpatientProtocol(H11Protocol):
    """HTTP, but for clients that never end a request's head: they are hung up on.

    Uvicorn lets them have their connection for ever.
    """

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._begin_to_wait()

    def data_received(self, data: bytes) -> None:
        """Wait no longer when the head is there, and again when the next one begins."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._wait_no_longer()
        elif self._patience is None:
            self._begin_to_wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._wait_no_longer()
        super().connection_lost(exc)

    def _begin_to_wait(self) -> None:
        self._patience = self.loop.call_later(SECONDS_FOR_HEAD, self.transport.close)

    def _wait_no_longer(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
