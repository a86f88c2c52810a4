"""MLflow's scoring protocol, with the same model, behind the same gate.

Its answers are left as they are, but for errors: MLflow tells what was sent, and tracebacks.
"""

import json
import logging
import re

from fastapi import Request
from fastapi.responses import Response
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.pyfunc import PyFuncModel, scoring_server
from PIL import Image
from starlette.routing import BaseRoute

from recolor.datasets.images import TooManyPixelsError, decode_image, images_in
from recolor.models.painter import Painter
from recolor.platform.registry.signature import signature
from recolor.platform.server.bodies import Bodies
from recolor.platform.server.cancellation import check_cancelled
from recolor.platform.server.gate import Gate
from recolor.platform.server.limits import Limits
from recolor.platform.server.request_errors import RequestError, shortened
from recolor.platform.serving.pyfunc_model import PosterRecolorer

log = logging.getLogger("recolor.server")
OTHERS = ("/ping", "/health", "/version")
# Parquet is not among them: a small file can hold any number of rows.
CONTENT_TYPES = ("application/json", "text/csv")
# What stands between values. A picture is one long text, but a value of two bytes takes a hundred
# when it is parsed.
SEPARATORS, MOST_VALUES = b"[{,:\n\r", 10_000
# MLflow holds a picture's text several times: it takes 14 bytes for each of the body.
PARTS_OF_BODY = 4
# Where MLflow puts the message of the model itself.
CAUSE = "Error: "
# No word is so long, but a picture as base64 text is.
LONGEST_WORD = 80


class Invocations:
    """The endpoint ``/invocations`` of MLflow's scoring protocol.

    Args:
        painter: The model.
        gate: Lets requests in.
        bodies: Reads them.
        limits: What is taken.
    """

    def __init__(self, painter: Painter, gate: Gate, bodies: Bodies, limits: Limits):
        self._painter, self._gate, self._bodies, self._limits = painter, gate, bodies, limits
        self._metadata = Model(signature=signature())

    @property
    def other_routes(self) -> list[BaseRoute]:
        """MLflow's other endpoints, which need no gate: ``/ping``, ``/health`` and ``/version``."""
        application = scoring_server.init(self._model())
        routes = [route for route in application.routes if route.path in OTHERS]
        for route in routes:
            # What they answer with is not what it says it is.
            route.include_in_schema = False
        return routes

    async def __call__(self, request: Request) -> Response:
        """Answer a request for predictions.

        Raises:
            RequestError: If it can't be let in or read.
        """
        content_type = request.headers.get("content-type", "")
        if content_type.partition(";")[0].strip() not in CONTENT_TYPES:
            raise RequestError(415, f"Content-Type must be {' or '.join(CONTENT_TYPES)}")
        most = self._limits.body // PARTS_OF_BODY
        async with self._bodies.read(request, most) as body:
            status, content = await self._gate.work(request, self._ask, body, content_type)
        if status >= 400:
            return _told(request.state.id, status, content)
        return Response(content, status, media_type="application/json")

    def _model(self) -> PyFuncModel:
        return PyFuncModel(self._metadata, _Predictor(self._painter, self._limits))

    def _ask(self, body: bytes, content_type: str) -> tuple[int, str]:
        """Return the status and content of MLflow's answer."""
        if sum(map(body.count, SEPARATORS)) > MOST_VALUES:
            raise RequestError(413, f"more than {MOST_VALUES} values: send fewer pictures at once")
        if content_type.startswith("application/json"):
            # MLflow would fail at it with an error of its own.
            try:
                json.loads(body)
            except (ValueError, RecursionError):
                raise RequestError(400, "the request is not JSON") from None
        model = self._model()
        try:
            schema = model.metadata.get_input_schema()
            answer = scoring_server.invocations(body, content_type, model, schema)
        except MlflowException as error:
            return error.get_http_status_code(), error.serialize_as_json()
        except Exception as error:
            # MLflow catches what the model raises; this was raised while it read the request.
            log.info("a request for predictions can't be read: %r", error)
            return 400, json.dumps({"message": "the request can't be read"})
        return answer.status, answer.response


class _Predictor:
    """The model as MLflow calls it, for one request: its pictures together have a limit.

    Args:
        painter: The model.
        limits: What is taken.
    """

    def __init__(self, painter: Painter, limits: Limits):
        self._limits = limits
        self._pixels = 0
        self._recolorer = PosterRecolorer.of(painter, self._opened)

    def predict(self, data, params: dict | None = None):
        if (count := len(images_in(data["image"]))) > self._limits.pictures:
            raise MlflowException.invalid_parameter_value(
                f"{count} pictures: the limit is {self._limits.pictures} in a request"
            )
        return self._recolorer.predict(None, data, params)

    def _opened(self, data: object) -> Image.Image:
        check_cancelled()
        picture = decode_image(data, self._limits.pixels)
        self._pixels += picture.width * picture.height
        if self._pixels > self._limits.pixels:
            limit = f"the limit is {self._limits.pixels / 1e6:g} megapixels"
            raise TooManyPixelsError(f"too many pixels in one request: {limit}")
        return picture


def _told(request_id: str, status: int, content: str) -> Response:
    """Return an error as MLflow tells it, without what was sent and without a traceback."""
    try:
        told = json.loads(content)
        code, message = told.get("error_code"), str(told["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        code, message = None, content
    _, _, cause = message.rpartition(CAUSE)
    words = re.sub(rf"\S{{{LONGEST_WORD},}}", "…", cause)
    told = {"error_code": code, "message": shortened(words), "request_id": request_id}
    return Response(json.dumps(told), status, media_type="application/json")
