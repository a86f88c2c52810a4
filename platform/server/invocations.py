"""MLflow's own scoring application, with the same model, behind the same gate.

Its answers are left as they are, but for errors: MLflow tells what was sent, and tracebacks.
"""

import json
import logging
import os
import re

from fastapi import FastAPI, Request
from fastapi.responses import Response
from mlflow.environment_variables import MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT
from mlflow.models import Model
from mlflow.pyfunc import PyFuncModel, scoring_server
from starlette.routing import BaseRoute
from starlette.types import Message

from recolor.models.painter import Painter
from recolor.platform.registry.signature import signature
from recolor.platform.server.gate import Gate
from recolor.platform.server.limits import Limits
from recolor.platform.server.request_errors import RequestError, shortened
from recolor.platform.serving.pyfunc_model import PosterRecolorer

log = logging.getLogger("recolor.server")
OTHERS = ("/ping", "/health", "/version")
# Where MLflow puts the message of the model itself.
CAUSE = "Error: "
# No word is so long, but a picture as base64 text is.
LONGEST_WORD = 80


class Invocations:
    """The endpoint ``/invocations`` of MLflow's scoring application.

    Args:
        painter: The model.
        gate: Lets requests in.
        limits: What is taken.
    """

    def __init__(self, painter: Painter, gate: Gate, limits: Limits):
        self._gate = gate
        # The gate is stricter.
        os.environ[MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT.name] = str(int(2 * limits.seconds) + 1)
        recolorer = PosterRecolorer.of(painter, limits.pixels)
        model = PyFuncModel(Model(signature=signature()), _Predictor(recolorer))
        self._application: FastAPI = scoring_server.init(model)

    @property
    def other_routes(self) -> list[BaseRoute]:
        """MLflow's other endpoints, which need no gate: ``/ping``, ``/health`` and ``/version``."""
        routes = [route for route in self._application.routes if route.path in OTHERS]
        for route in routes:
            # What they answer with is not what it says it is.
            route.include_in_schema = False
        return routes

    async def __call__(self, request: Request) -> Response:
        """Answer a request for predictions."""
        async with self._gate.place():
            body = await self._gate.body(request)
            _check_content(request.headers.get("content-type"), body)
            status, content = await self._gate.turn(request, lambda: self._ask(request, body))
        if status >= 400:
            return _told(request.state.id, status, content)
        return Response(content, status, media_type="application/json")

    async def _ask(self, request: Request, body: bytes) -> tuple[int, bytes]:
        """Put a request to MLflow's application; return the answer's status and content."""
        status, content = 500, bytearray()

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            content.extend(message.get("body", b""))

        scope = {**request.scope, "state": {}}
        try:
            await self._application(scope, receive, send)
        except Exception as error:
            # It catches what the model raises; this was raised while it read the request.
            log.info("request %s can't be read: %r", request.state.id, error)
            return 400, json.dumps({"message": "the request can't be read"}).encode()
        return status, bytes(content)


class _Predictor:
    """The model as MLflow calls it."""

    def __init__(self, recolorer: PosterRecolorer):
        self._recolorer = recolorer

    def predict(self, data, params: dict | None = None):
        return self._recolorer.predict(None, data, params)


def _check_content(content_type: str | None, body: bytes) -> None:
    """Check what MLflow's application would fail at with an error of its own.

    Raises:
        RequestError: If it would.
    """
    if not content_type:
        raise RequestError(415, "Content-Type is missing: application/json is one that is taken")
    if content_type.startswith("application/json"):
        try:
            json.loads(body)
        except (ValueError, RecursionError):
            raise RequestError(400, "the request is not JSON") from None


def _told(request_id: str, status: int, content: bytes) -> Response:
    """Return an error as MLflow tells it, without what was sent and without a traceback."""
    try:
        told = json.loads(content)
        code, message = told.get("error_code"), str(told["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        code, message = None, content.decode(errors="replace")
    _, _, cause = message.rpartition(CAUSE)
    words = re.sub(rf"\S{{{LONGEST_WORD},}}", "…", cause)
    told = {"error_code": code, "message": shortened(words), "request_id": request_id}
    return Response(json.dumps(told), status, media_type="application/json")
