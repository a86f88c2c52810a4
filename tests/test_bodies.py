"""Reading bodies: slow ones are ended, and all together have a limit."""

import asyncio
from collections.abc import Iterable

import pytest
from starlette.requests import Request

from recolor.platform.server import bodies
from recolor.platform.server.bodies import MOST_LARGEST, Bodies
from recolor.platform.server.limits import Limits
from recolor.platform.server.request_errors import RequestError

BYTES = 1000


def request(chunks: Iterable[bytes], address: str = "192.0.2.1", over: bool = False) -> Request:
    """A request with a body in pieces; its end never comes if it is not over."""
    waiting = iter(chunks)

    async def receive():
        chunk = next(waiting, None)
        if chunk is None and not over:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    return Request({"type": "http", "client": (address, 1), "headers": []}, receive)


async def read(limited: Bodies, asked: Request) -> bytes:
    async with limited.read(asked) as body:
        return body


def test_a_whole_body():
    asked = request([b"ab", b"c"], over=True)
    assert asyncio.run(read(Bodies(Limits()), asked)) == b"abc"


@pytest.mark.parametrize("chunks", [[], [b"a"], [b"a"] * 50])
def test_a_slow_body_is_ended(chunks, monkeypatch):
    monkeypatch.setattr(bodies, "SECONDS_TO_BEGIN", 0.2)
    with pytest.raises(RequestError, match="did not arrive in time") as raised:
        asyncio.run(read(Bodies(Limits()), request(chunks)))
    assert raised.value.status == 408


def test_bytes_that_come_give_time(monkeypatch):
    """One second for 8 kB."""
    monkeypatch.setattr(bodies, "SECONDS_TO_BEGIN", 0.2)

    async def chunks():
        yield {"type": "http.request", "body": bytes(80_000), "more_body": True}
        await asyncio.sleep(0.5)
        yield {"type": "http.request", "body": b"a", "more_body": False}

    scope = {"type": "http", "client": ("192.0.2.1", 1), "headers": []}
    slow = Request(scope, chunks().__anext__)
    assert len(asyncio.run(read(Bodies(Limits()), slow))) == 80_001


def test_all_together_have_a_limit():
    """The one that has been arriving for longest is stopped, of the address with the most bytes."""

    async def run():
        limited = Bodies(Limits(body=BYTES))
        greedy = [
            asyncio.ensure_future(read(limited, request([bytes(BYTES)], "192.0.2.1")))
            for _ in range(MOST_LARGEST - 1)
        ]
        other = asyncio.ensure_future(read(limited, request([bytes(BYTES)], "192.0.2.2")))
        await asyncio.sleep(0.1)
        assert not any(each.done() for each in [*greedy, other])
        assert await read(limited, request([bytes(BYTES)], "192.0.2.3", over=True)) == bytes(BYTES)
        with pytest.raises(RequestError, match="too many bytes at once") as raised:
            await greedy[0]
        assert raised.value.status == 503 and raised.value.headers["Retry-After"]
        assert not any(each.done() for each in [*greedy[1:], other])
        for each in [*greedy[1:], other]:
            each.cancel()

    asyncio.run(run())


def test_a_body_that_is_in_use_counts():
    """It can't be stopped; the one that comes then is sent away."""

    async def run():
        limited, used = Bodies(Limits(body=BYTES)), 0
        async with limited.read(request([bytes(BYTES)], over=True)) as body:
            used += len(body)
            asked = [request([bytes(BYTES)]) for _ in range(MOST_LARGEST)]
            reading = [asyncio.ensure_future(read(limited, one)) for one in asked]
            done, rest = await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
            assert [one.exception().status for one in done] == [503] and len(rest) == len(asked) - 1
            for one in rest:
                one.cancel()

    asyncio.run(run())
