"""Reading the bodies of requests: how large and how slow they may be, and how many at once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from starlette.requests import ClientDisconnect, Request

from recolor.platform.server.limits import MEGABYTE, Limits
from recolor.platform.server.request_errors import RequestError, busy

# A body may take ten seconds, and one more for every 8 kB that have arrived.
SECONDS_TO_BEGIN, SLOWEST = 10, 8 * 1024
# All bodies together take no more memory than this many of the largest.
MOST_LARGEST = 8


@dataclass(eq=False)
class _Body:
    """A body that is arriving, or is in use."""

    address: str
    size: int = 0
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    arrived: bool = False
    stopped: bool = False


class Bodies:
    """Reads bodies.

    When all of them together are too large, the address with the most bytes loses the one that has
    been arriving for longest: clients that are fast are never stopped by those that are slow.

    Args:
        limits: How large and how slow they may be.
    """

    def __init__(self, limits: Limits):
        self._limits = limits
        self._bodies: list[_Body] = []

    @asynccontextmanager
    async def read(self, request: Request, most: int | None = None) -> AsyncIterator[bytes]:
        """Read a request's body, which counts until the context ends.

        Args:
            request: The request.
            most: Bytes that it may have; None for the limit of all.

        Raises:
            RequestError: If it is too large or too slow, or there is no room for it.
        """
        most = most or self._limits.body
        too_large = RequestError(413, f"too large: the limit is {most / MEGABYTE:g} MB")
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > most:
            raise too_large
        body, content = _Body(client_address(request)), bytearray()
        self._bodies.append(body)
        began = anyio.current_time()
        try:
            with body.scope:
                body.scope.deadline = began + min(SECONDS_TO_BEGIN, self._limits.seconds)
                async for chunk in request.stream():
                    content += chunk
                    body.size = len(content)
                    if body.size > most:
                        raise too_large
                    self._make_room_for(body)
                    seconds = min(SECONDS_TO_BEGIN + body.size / SLOWEST, self._limits.seconds)
                    body.scope.deadline = began + seconds
            if body.stopped:
                raise busy("too many bytes")
            if body.scope.cancelled_caught:
                raise RequestError(408, "the request did not arrive in time")
            body.arrived = True
            yield bytes(content)
        except ClientDisconnect:
            raise RequestError(400, "the request broke off") from None
        finally:
            self._bodies.remove(body)

    def _make_room_for(self, grown: _Body) -> None:
        """Stop a body if all together are too large; the one that has grown if no other can be."""
        sizes: dict[str, int] = {}
        for body in self._bodies:
            if not body.stopped:
                sizes[body.address] = sizes.get(body.address, 0) + body.size
        if sum(sizes.values()) <= MOST_LARGEST * self._limits.body:
            return
        greedy = max(sizes, key=sizes.get)
        slow = (
            body
            for body in self._bodies
            if body.address == greedy and not (body.arrived or body.stopped)
        )
        stopped = next(slow, grown)
        stopped.stopped = True
        stopped.scope.cancel()


def client_address(request: Request) -> str:
    """Return the IP address of a client; empty where it is gone already."""
    return request.client.host if request.client else ""
