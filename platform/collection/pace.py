"""How often a host is asked."""

import time

import anyio


class Pace:
    """Turns at a host, a while apart; in each, a request may be sent.

    Args:
        rate: Requests a second for each host.
    """

    def __init__(self, rate: float):
        self._seconds = 1 / rate
        self._next: dict[str, float] = {}

    async def turn(self, host: str) -> None:
        """Wait for the next turn at a host."""
        while (wait := self._next.get(host, 0.0) - time.monotonic()) > 0:
            await anyio.sleep(wait)
        self._next[host] = time.monotonic() + self._seconds

    def rest(self, host: str, seconds: float) -> None:
        """Leave a host alone for a while."""
        self._next[host] = max(self._next.get(host, 0.0), time.monotonic() + seconds)
