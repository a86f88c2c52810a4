"""Under which names a server answers, and to pages of which sites.

A site can have its own name lead to this machine (DNS rebinding), or its page send requests here.
The browser of whoever visits it then tells by the headers ``Host`` and ``Origin``.
"""

import ipaddress
import socket
from collections.abc import Iterable
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from recolor.platform.server.request_errors import RequestError, answer_of


class TrustedHosts:
    """Middleware that refuses requests to other names, and from pages of other sites.

    ``localhost``, the machine's own name and every IP address are trusted as a ``Host``: no other
    site can have them. An ``Origin`` must have the same host, or one of the names.

    Args:
        application: The application.
        names: More names that are trusted; ``*.example.com`` stands for all that end so.
    """

    def __init__(self, application: ASGIApp, names: Iterable[str]):
        self._application = application
        own = ("localhost", "*.localhost", socket.gethostname())
        self._names = [_host_of(name) for name in (*own, *names)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        error = self._error(Headers(scope=scope)) if scope["type"] == "http" else None
        answer = answer_of(scope["state"]["id"], error) if error else self._application
        await answer(scope, receive, send)

    def _error(self, headers: Headers) -> RequestError | None:
        # Browsers always send a Host; some probes of proxies do not.
        host = _host_of(headers.get("host", ""))
        if host and not _is_address(host) and not self._trusts(host):
            advice = f"start it with --allowed-host {host}"
            return RequestError(403, f"the server does not answer under the name {host}: {advice}")
        origin = headers.get("origin")
        if origin is None:
            return None
        site = _host_of(origin.partition("://")[2])
        if site == host or self._trusts(site):
            return None
        return RequestError(
            403, f"pages of {origin} may not send requests here: --allowed-host lets them"
        )

    def _trusts(self, host: str) -> bool:
        return any(fnmatchcase(host, name) for name in self._names)


def _host_of(location: str) -> str:
    """Return the host of ``host:port``, in small letters and without the brackets of IPv6."""
    try:
        return urlsplit(f"//{location}").hostname or ""
    except ValueError:
        return location


def _is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False
