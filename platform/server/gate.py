"""How many requests are let in, and how long each may take.

Who comes when all places are taken is sent away at once, before anything of the body is read: so
memory is bounded, and who waits is not waiting for nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

from recolor.platform.server.limits import MEGABYTE, Limits
from recolor.platform.server.request_errors import RequestError

Answer = TypeVar("Answer")
# When to come again.
RETRY_SECONDS = 1


class Gate:
    """Lets requests in, as many as there are places, and has them worked on in threads.

    Args:
        limits: How many, and how long.
    """

    def __init__(self, limits: Limits):
        self._limits = limits
        self._threads = ThreadPoolExecutor(limits.threads, "recolor")
        self._free = limits.threads + limits.queue
        self._turn = asyncio.Semaphore(limits.threads)

    @property
    def inside(self) -> int:
        """How many requests are let in, and not answered yet."""
        return self._limits.threads + self._limits.queue - self._free

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Take a place for as long as a request lasts.

        Raises:
            RequestError: If no place is free.
        """
        if self._free <= 0:
            wait = {"Retry-After": str(RETRY_SECONDS)}
            raise RequestError(503, "too many requests at once: try again soon", headers=wait)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1

    async def body(self, request: Request) -> bytes:
        """Read a request's body.

        Raises:
            RequestError: If it is too large, or does not arrive in time.
        """
        try:
            return await asyncio.wait_for(self._body(request), self._limits.seconds)
        except (asyncio.TimeoutError, TimeoutError):
            raise RequestError(408, "the request did not arrive in time") from None
        except ClientDisconnect:
            raise RequestError(400, "the request broke off") from None

    async def _body(self, request: Request) -> bytes:
        most = self._limits.body
        too_large = RequestError(413, f"too large: the limit is {most / MEGABYTE:g} MB")
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > most:
            raise too_large
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise too_large
        return bytes(body)

    async def work(self, request: Request, function: Callable[..., Answer], *arguments) -> Answer:
        """Call a function in a thread, when it is the request's turn.

        Raises:
            RequestError: If it takes too long. It then keeps running, and blocks others until
                it ends: nothing ends a thread.
        """
        loop = asyncio.get_running_loop()
        return await self.turn(
            request, lambda: loop.run_in_executor(self._threads, function, *arguments)
        )

    async def turn(self, request: Request, begin: Callable[[], Awaitable[Answer]]) -> Answer:
        """Begin something when it is the request's turn, and wait for it, as `work` does.

        Raises:
            RequestError: If it takes too long.
        """
        late = RequestError(504, f"this took longer than {self._limits.seconds:g} seconds")
        started = asyncio.get_running_loop().time()
        try:
            await asyncio.wait_for(self._turn.acquire(), self._limits.seconds)
        except (asyncio.TimeoutError, TimeoutError):
            raise late from None
        left = self._limits.seconds - (asyncio.get_running_loop().time() - started)
        try:
            if await request.is_disconnected():
                # As while somebody moves a slider: only the newest answer is waited for.
                raise RequestError(499, "nobody waits for the answer any more")
            work = asyncio.ensure_future(begin())
        except BaseException:
            self._turn.release()
            raise
        work.add_done_callback(lambda _: self._turn.release())
        done, _ = await asyncio.wait({work}, timeout=left)
        if not done:
            # Nobody will ask for what became of it.
            work.add_done_callback(lambda late: late.cancelled() or late.exception())
            raise late
        return work.result()

    def close(self) -> None:
        """End the threads, as soon as they have done what they are at."""
        self._threads.shutdown(wait=False, cancel_futures=True)
