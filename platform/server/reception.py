"""What happens to every request: it gets an id, is timed and logged, and no error leaks out.

``HEAD`` is answered as ``GET`` is; uvicorn leaves the body out.
"""

import logging
import time
import uuid

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recolor.datasets.errors import out_of_memory
from recolor.platform.server.instruments import Instruments
from recolor.platform.server.request_errors import REQUEST_ID, RequestError, answer_of

log = logging.getLogger("recolor.server")
LENGTH, ENCODING = b"content-length", b"transfer-encoding"
# A proxy may have read another body than this server does, and take its end for a request.
AMBIGUOUS = RequestError(400, "Content-Length and Transfer-Encoding exclude each other")


class Reception:
    """An application of ASGI around another one.

    Args:
        application: The other one.
        instruments: What counts requests.
    """

    def __init__(self, application: ASGIApp, instruments: Instruments):
        self._application, self._instruments = application, instruments

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        number, began, status = uuid.uuid4().hex, time.perf_counter(), None
        scope.setdefault("state", {})["id"] = number
        inner = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        whole = False

        async def receiving() -> Message:
            nonlocal whole
            message = await receive()
            whole = not message.get("more_body")
            return message

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((REQUEST_ID.lower().encode(), number.encode()))
                if not whole and _has_body(scope):
                    # Nobody would wait for the rest.
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        try:
            answer = answer_of(number, AMBIGUOUS) if _is_ambiguous(scope) else self._application
            await answer(inner, receiving, sending)
        except Exception as error:
            if out_of_memory(error):
                told = RequestError(413, "too large for the server's memory")
            else:
                log.exception("request %s", number)
                told = RequestError(500, "something went wrong: the server's log has more")
            if status is None:
                await answer_of(number, told)(inner, receiving, sending)
        finally:
            seconds = time.perf_counter() - began
            path = getattr(inner.get("route"), "path", "other")
            self._instruments.observe(path, status or 499, seconds)
            log.info("%s %s %s %.3f s %s", scope["method"], path, status, seconds, number)


def _has_body(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    return ENCODING in headers or headers.get(LENGTH, b"0") != b"0"


def _is_ambiguous(scope: Scope) -> bool:
    return {LENGTH, ENCODING} <= {name for name, _ in scope["headers"]}
