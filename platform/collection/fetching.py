"""Getting the file at a URL: politely, patiently, and no more of it than is wanted."""

import random
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import anyio
import httpcore
import httpx

from recolor.datasets.errors import first_line
from recolor.platform.collection.public_network import (
    Address,
    ForbiddenAddressError,
    GuardedBackend,
    is_public,
)

HEADERS = {
    "User-Agent": f"poster-recolor/{version('poster-recolor')}",
    "Accept": "image/*",
    # Images are compressed already, and a small compressed body may hold gigabytes.
    "Accept-Encoding": "identity",
}
MOST_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
# Timeout, too early, too many requests.
PASSING = (408, 425, 429)
# The first wait before another try, on average; each next one is twice as long.
BACKOFF_SECONDS = 0.5
# However long a server asks to be left alone.
LONGEST_WAIT = 60.0


class FetchError(Exception):
    """A URL has no poster, and another try would be in vain.

    Args:
        reason: In a few words; what follows a colon is left out where reasons are counted.
    """

    final = True


class LaterError(FetchError):
    """Another run may get the poster, perhaps with other options."""

    final = False


class PassingError(LaterError):
    """The next try may get the poster."""


@dataclass(frozen=True)
class FetchPolicy:
    """How servers are asked.

    Attributes:
        concurrency: Requests at once.
        rate: Requests a second to each host.
        seconds: Longest time for a request, to the end of its body.
        retries: Further tries after one that failed for the moment.
        megabytes: Largest body.
        allowed: Tells whether an address may be connected to.
    """

    concurrency: int = 8
    rate: float = 10.0
    seconds: float = 30.0
    retries: int = 4
    megabytes: int = 20
    allowed: Callable[[Address], bool] = is_public


class Fetcher:
    """A client for many URLs, to be used in an ``async with`` statement.

    It uses no proxies, since a proxy would resolve names by itself.
    """

    def __init__(self, policy: FetchPolicy):
        self._policy = policy
        # When each host may be asked next.
        self._next: dict[str, float] = defaultdict(float)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=policy.concurrency,
            network_backend=GuardedBackend(policy.allowed),
        )

    async def __aenter__(self) -> "Fetcher":
        return self

    async def __aexit__(self, *error) -> None:
        await self._pool.aclose()

    async def fetch(self, url: str) -> bytes:
        """Get the file at a URL, in as many tries as it takes.

        Raises:
            FetchError: If it can't be had; a `LaterError` if another run may get it.
        """
        for tried in range(self._policy.retries):
            try:
                return await self._follow(url)
            except PassingError:
                # By chance, so that those that failed together don't come together again.
                wait = BACKOFF_SECONDS * 2**tried * random.uniform(0.5, 1.5)
                await anyio.sleep(min(wait, LONGEST_WAIT))
        return await self._follow(url)

    async def _follow(self, text: str) -> bytes:
        url = httpx.URL()
        for _ in range(MOST_REDIRECTS + 1):
            url = _join(url, text)
            while (wait := self._next[url.host] - time.monotonic()) > 0:
                await anyio.sleep(wait)
            self._next[url.host] = time.monotonic() + 1 / self._policy.rate
            answer = await self._ask(url)
            if isinstance(answer, bytes):
                return answer
            text = answer
        raise FetchError(f"more than {MOST_REDIRECTS} redirects")

    async def _ask(self, url: httpx.URL) -> bytes | str:
        """Return the file at a URL, or the text of the URL to go to."""
        seconds = self._policy.seconds
        try:
            with anyio.fail_after(seconds):
                options = {"timeout": {"connect": seconds}}
                async with self._pool.stream(
                    "GET", str(url), headers=HEADERS, extensions=options
                ) as response:
                    headers = httpx.Headers(response.headers)
                    if response.status in REDIRECTS and "location" in headers:
                        return headers["location"]
                    if response.status == 200:
                        return await self._body(response, headers)
        except (TimeoutError, httpcore.TimeoutException):
            raise PassingError("timed out") from None
        except ForbiddenAddressError:
            raise LaterError(f"not a public address: {url.host}") from None
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise PassingError(f"connection failed: {first_line(error)}") from None
        reason = f"HTTP {response.status}"
        if response.status not in PASSING and response.status < 500:
            raise FetchError(reason)
        # It may also be a date, which few servers send.
        rest = headers.get("retry-after", "")
        if rest.isdecimal():
            until = time.monotonic() + min(float(rest), LONGEST_WAIT)
            self._next[url.host] = max(self._next[url.host], until)
        raise PassingError(reason)

    async def _body(self, response: httpcore.Response, headers: httpx.Headers) -> bytes:
        if (encoding := headers.get("content-encoding", "identity").lower()) != "identity":
            raise FetchError(f"compressed: {encoding}")
        body = bytearray()
        async for part in response.aiter_stream():
            body += part
            if len(body) > self._policy.megabytes * 2**20:
                raise LaterError(f"larger than {self._policy.megabytes} MB")
        return bytes(body)


def _join(base: httpx.URL, text: str) -> httpx.URL:
    """Parse a URL, which may be relative to the one that has redirected to it."""
    if not text:
        raise FetchError("no URL")
    try:
        url = base.join(text)
        host = url.host
        # Fails for ports that httpx lets through.
        httpcore.URL(str(url))
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError(f"not a URL: {first_line(error)}") from None
    if url.scheme not in ("http", "https"):
        raise FetchError(f"not http or https: {url.scheme or 'no scheme'}")
    if not host:
        raise FetchError("not a URL: it names no host")
    return url
