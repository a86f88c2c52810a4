"""Places at work: who gets one, and that work which nobody waits for ends."""

import asyncio
import threading
import time
from collections.abc import Callable

import anyio
import pytest
from starlette.requests import Request

from recolor.platform.server.cancellation import CancelledWorkError, check_cancelled
from recolor.platform.server.gate import Gate
from recolor.platform.server.limits import Limits
from recolor.platform.server.request_errors import RequestError

# Long enough for any machine: only a failing test waits so long.
PATIENCE = 30


def request(address: str = "192.0.2.1", hung_up: asyncio.Event | None = None) -> Request:
    """A request whose body has come, and whose client hangs up when an event is set."""

    async def receive():
        await (hung_up or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http", "client": (address, 1), "headers": []}, receive)


def work_until_cancelled(began: threading.Event, ended: threading.Event) -> None:
    began.set()
    try:
        while True:
            check_cancelled()
            time.sleep(0.01)
    except CancelledWorkError:
        ended.set()
        raise


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


def test_work_ends_at_a_timeout():
    began, ended = threading.Event(), threading.Event()

    async def run():
        gate = Gate(Limits(threads=1, seconds=0.2))
        with pytest.raises(RequestError, match="longer than") as raised:
            await gate.work(request(), work_until_cancelled, began, ended)
        assert raised.value.status == 504
        assert await asyncio.to_thread(ended.wait, PATIENCE)
        assert gate.inside == 0
        # Its thread is free again.
        assert await Gate(Limits(threads=1)).work(request(), lambda: 7) == 7

    asyncio.run(run())


def test_work_ends_when_the_client_hangs_up():
    began, ended = threading.Event(), threading.Event()

    async def run():
        gate, hung_up = Gate(Limits(threads=1)), asyncio.Event()
        asked = asyncio.ensure_future(
            gate.work(request(hung_up=hung_up), work_until_cancelled, began, ended)
        )
        await until(began.is_set)
        hung_up.set()
        with pytest.raises(RequestError) as raised:
            await asked
        assert raised.value.status == 499
        assert await asyncio.to_thread(ended.wait, PATIENCE)

    asyncio.run(run())


def test_work_that_waits_is_never_begun_when_the_client_hangs_up():
    begun = []

    async def run():
        gate, hung_up, over = Gate(Limits(threads=1)), asyncio.Event(), threading.Event()
        first = asyncio.ensure_future(gate.work(request(), over.wait))
        second = asyncio.ensure_future(gate.work(request(hung_up=hung_up), begun.append, 2))
        hung_up.set()
        with pytest.raises(RequestError):
            await second
        over.set()
        await first
        await gate.work(request(), begun.append, 3)

    asyncio.run(run())
    assert begun == [3]


def test_an_address_with_many_requests_makes_room_for_another():
    """The last of its requests is sent away; those of the other address are not."""

    async def run():
        gate, over = Gate(Limits(threads=1, queue=3)), threading.Event()
        greedy = [asyncio.ensure_future(gate.work(request("192.0.2.1"), over.wait)) for _ in "1234"]
        await until(lambda: gate.inside == 4)
        with pytest.raises(RequestError, match="too many requests at once"):
            await gate.work(request("192.0.2.1"), over.wait)
        others = [asyncio.ensure_future(gate.work(request("192.0.2.2"), over.wait)) for _ in "12"]
        await asyncio.sleep(0)
        # Both hold two places now: as much as is fair.
        with pytest.raises(RequestError, match="too many requests at once"):
            await gate.work(request("192.0.2.2"), over.wait)
        over.set()
        answers = await asyncio.gather(*greedy, *others, return_exceptions=True)
        assert [answer is True for answer in answers] == [True, True, False, False, True, True]
        assert [answer.status for answer in answers[2:4]] == [503, 503]

    asyncio.run(run())
