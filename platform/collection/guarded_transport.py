"""HTTP to allowed addresses alone.

A name is resolved once for a connection, and the connection goes to the very address that was
checked: a name server that answers the next question otherwise (DNS rebinding) gains nothing. The
name stays in the header Host and in TLS, where the certificate is checked against it. There are no
proxies, since a proxy would resolve the name anew.
"""

import ipaddress
import socket
from collections.abc import AsyncIterator, Callable

import anyio
import httpcore
import httpx

from recolor.platform.collection.addresses import Address


class ForbiddenAddressError(Exception):
    """A name leads to no allowed address."""


class GuardedBackend(httpcore.AnyIOBackend):
    """Connections to allowed addresses alone.

    Args:
        allowed: Tells whether an address is.
    """

    def __init__(self, allowed: Callable[[Address], bool]):
        self._allowed = allowed

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        """Connect to the first allowed address of a host that answers.

        Raises:
            ForbiddenAddressError: If none is allowed.
            httpcore.ConnectError: If the name is not known, or none answers.
            httpcore.ConnectTimeout: If it takes too long.
        """
        try:
            with anyio.fail_after(timeout):
                found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except TimeoutError:
            raise httpcore.ConnectTimeout("the name is not resolved in time") from None
        except OSError as error:
            raise httpcore.ConnectError(error.strerror) from None
        except UnicodeError:
            raise httpcore.ConnectError("no name of a host") from None
        addresses = dict.fromkeys(ipaddress.ip_address(where[0]) for *_, where in found)
        allowed = [str(address) for address in addresses if self._allowed(address)]
        if not allowed:
            raise ForbiddenAddressError(host)
        # One that does not answer must not take the others' time.
        share = None if timeout is None else timeout / len(allowed)
        for address in allowed:
            try:
                return await super().connect_tcp(
                    address, port, share, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if address == allowed[-1]:
                    raise

    async def connect_unix_socket(self, path, timeout=None, socket_options=None):
        """Refuse: a socket of this machine is no address."""
        raise ForbiddenAddressError(path)


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream):
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


class GuardedTransport(httpx.AsyncBaseTransport):
    """Requests of httpx over such connections; errors are those of httpcore.

    Args:
        allowed: Tells whether an address is.
        connections: At most, at once.
    """

    def __init__(self, allowed: Callable[[Address], bool], connections: int):
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=connections,
            network_backend=GuardedBackend(allowed),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the body of the response is still to be read."""
        response = await self._pool.handle_async_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            response.status, headers=response.headers, stream=_Body(response.stream)
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()
