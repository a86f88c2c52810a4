"""How many requests are let in, and how long each may take.

A request takes a place when its body has come, so slow clients take none. Who comes when all places
are taken is sent away at once, unless another address holds more of them: that one then loses the
place of its last request that still waits.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from starlette.requests import Request

from recolor.platform.server.bodies import client_address
from recolor.platform.server.cancellation import cancellable
from recolor.platform.server.limits import Limits
from recolor.platform.server.request_errors import RequestError, busy

Answer = TypeVar("Answer")


class Gate:
    """Lets requests in, as many as there are places, and has them worked on in threads.

    Args:
        limits: How many, and how long.
    """

    def __init__(self, limits: Limits):
        self._limits = limits
        self._threads = ThreadPoolExecutor(limits.threads, "recolor")
        # The addresses of the requests, in the order in which they came.
        self._inside: dict[Future, str] = {}

    @property
    def inside(self) -> int:
        """How many requests are let in, and not answered yet."""
        return len(self._inside)

    async def work(self, request: Request, function: Callable[..., Answer], *arguments) -> Answer:
        """Call a function in a thread, when it is the request's turn.

        When the client hangs up or this takes too long, the function ends at its next
        `check_cancelled`; until then it keeps its thread.

        Raises:
            RequestError: If no place is free, it takes too long, or the client has hung up.
        """
        address = client_address(request)
        self._make_room(address)
        cancelled = threading.Event()
        future = self._threads.submit(cancellable(cancelled, function), *arguments)
        self._inside[future] = address
        work, gone = asyncio.wrap_future(future), asyncio.ensure_future(_hung_up(request))
        # Nobody will ask for what became of it if it fails when it is no longer waited for.
        work.add_done_callback(lambda work: work.cancelled() or work.exception())
        try:
            await asyncio.wait(
                {work, gone}, timeout=self._limits.seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if work.cancelled():
                raise busy("too many requests")
            if work.done():
                return work.result()
            if gone.done():
                # As while somebody moves a slider: only the newest answer is waited for.
                raise RequestError(499, "nobody waits for the answer any more")
            raise RequestError(504, f"this took longer than {self._limits.seconds:g} seconds")
        finally:
            cancelled.set()
            work.cancel()
            gone.cancel()
            self._inside.pop(future, None)

    def _make_room(self, address: str) -> None:
        """Let a request in, or raise that there is no room for it."""
        if len(self._inside) < self._limits.threads + self._limits.queue:
            return
        places = Counter(self._inside.values())
        greedy, most = places.most_common(1)[0]
        if places[address] + 1 < most:
            for future in reversed(self._inside):
                # What is worked on already can't be cancelled.
                if self._inside[future] == greedy and future.cancel():
                    del self._inside[future]
                    return
        raise busy("too many requests")

    def close(self) -> None:
        """End the threads, as soon as they have done what they are at."""
        self._threads.shutdown(wait=False, cancel_futures=True)


async def _hung_up(request: Request) -> None:
    """Wait until a client hangs up, once its body has come."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
