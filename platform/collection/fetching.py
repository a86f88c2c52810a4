"""Getting what is at an address: politely, patiently, and no more than was asked for."""

import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from importlib.metadata import version

import anyio
import httpcore
import httpx

from recolor.datasets.errors import first_line
from recolor.platform.collection.addresses import Address
from recolor.platform.collection.failures import CollectError, LaterError, PassingError
from recolor.platform.collection.guarded_transport import ForbiddenAddressError, GuardedTransport
from recolor.platform.collection.pace import Pace

MEGABYTE = 2**20
MOST_REDIRECTS = 5
# The first wait before another try, on average; each next one is twice as long.
SECONDS_TO_WAIT = 0.5
# However long a server wants to be left alone.
LONGEST_WAIT = 60.0
REDIRECTS = (301, 302, 303, 307, 308)
# Timeout, too early, too many requests.
PASSING = (408, 425, 429)


@dataclass(frozen=True)
class Manners:
    """How servers are asked.

    Attributes:
        concurrency: Requests at once.
        rate: Requests a second for each host.
        seconds: That a request may take, to the end of its body.
        retries: After a try that failed for the moment.
        most_megabytes: Of a body, when it is decompressed.
    """

    concurrency: int = 8
    rate: float = 10.0
    seconds: float = 30.0
    retries: int = 4
    most_megabytes: int = 20


class Fetcher:
    """A client for many addresses, to be used in an ``async with`` statement.

    Args:
        manners: How servers are asked.
        allowed: Tells whether an address of a server is allowed.
    """

    def __init__(self, manners: Manners, allowed: Callable[[Address], bool]):
        self._manners = manners
        self._pace = Pace(manners.rate)
        self._client = httpx.AsyncClient(
            transport=GuardedTransport(allowed, manners.concurrency),
            timeout=manners.seconds,
            # Neither proxies, which no guard can see through, nor passwords of ~/.netrc.
            trust_env=False,
            headers={
                "User-Agent": f"poster-recolor/{version('poster-recolor')}",
                "Accept": "image/*",
                # Images are compressed already.
                "Accept-Encoding": "identity",
            },
        )

    async def __aenter__(self) -> "Fetcher":
        return self

    async def __aexit__(self, *error) -> None:
        await self._client.aclose()

    async def fetch(self, address: str) -> bytes:
        """Get what is at an address, in as many tries as it takes.

        Raises:
            CollectError: If it can't be had; a `LaterError` if another run may have more luck.
        """
        for tried in range(self._manners.retries + 1):
            try:
                return await self._follow(address)
            except PassingError as error:
                if tried == self._manners.retries:
                    raise
                # Half as much or more, by chance: those that failed together don't come together.
                wait = SECONDS_TO_WAIT * 2**tried * random.uniform(0.5, 1.5)
                await anyio.sleep(min(max(wait, error.wait or 0), LONGEST_WAIT))
        raise AssertionError

    async def _follow(self, address: str) -> bytes:
        url = _parsed(address)
        for _ in range(MOST_REDIRECTS + 1):
            await self._pace.turn(url.host)
            answer = await self._ask(url)
            if isinstance(answer, bytes):
                return answer
            url = _parsed(answer, url)
        raise CollectError(f"more than {MOST_REDIRECTS} redirects")

    async def _ask(self, url: httpx.URL) -> bytes | str:
        """Return what is at an address, or where else it is."""
        try:
            with anyio.fail_after(self._manners.seconds):
                async with self._client.stream("GET", url) as response:
                    if response.status_code in REDIRECTS and "location" in response.headers:
                        return response.headers["location"]
                    if response.status_code == 200:
                        return await self._body(response)
        except (TimeoutError, httpcore.TimeoutException):
            raise PassingError("timed out") from None
        except ForbiddenAddressError:
            raise LaterError(f"no public address: {url.host}") from None
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise PassingError(f"connection failed: {first_line(error)}") from None
        reason = f"HTTP {response.status_code}"
        if response.status_code not in PASSING and response.status_code < 500:
            raise CollectError(reason)
        wait = retry_after(response.headers.get("retry-after", ""))
        if wait is not None:
            self._pace.rest(url.host, wait)
        raise PassingError(reason, wait)

    async def _body(self, response: httpx.Response) -> bytes:
        most = self._manners.most_megabytes * MEGABYTE
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
            raise CollectError(f"unknown compression: {encoding}")
        # It tells gzip and deflate apart by itself. A small compressed body may hold gigabytes.
        unpacker = None if encoding == "identity" else zlib.decompressobj(zlib.MAX_WBITS | 32)
        body = bytearray()
        async for part in response.aiter_raw():
            if unpacker:
                try:
                    part = unpacker.decompress(part, most + 1 - len(body))
                except zlib.error:
                    raise CollectError("damaged compression") from None
            body += part
            if len(body) > most:
                raise LaterError(f"larger than {self._manners.most_megabytes} MB")
        if unpacker and not unpacker.eof:
            raise PassingError("connection failed: the body is not whole")
        return bytes(body)


def _parsed(address: str, base: httpx.URL | None = None) -> httpx.URL:
    """Parse an address, or one relative to another to which a server has redirected."""
    if not address:
        raise CollectError("no address")
    try:
        url = base.join(address) if base else httpx.URL(address)
        host = url.host
    except (httpx.InvalidURL, ValueError) as error:
        raise CollectError(f"no valid address: {first_line(error)}") from None
    if url.scheme not in ("http", "https"):
        raise CollectError(f"not http or https: {url.scheme or 'no scheme'}")
    if not host:
        raise CollectError("no valid address: it names no host")
    return url


def retry_after(header: str) -> float | None:
    """Read how long a server wants to be left alone.

    Args:
        header: Retry-After: seconds, or a date of HTTP.

    Returns:
        Seconds, `LONGEST_WAIT` at most; None if it does not say.
    """
    try:
        if header.strip().isdigit():
            seconds = float(header)
        else:
            date = parsedate_to_datetime(header)
            # One that does not name its zone is in Greenwich's.
            date = date if date.tzinfo else date.replace(tzinfo=timezone.utc)
            seconds = (date - datetime.now(timezone.utc)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT)
