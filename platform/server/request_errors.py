"""What goes wrong with a request, and how it is told: as JSON, in one line.

A `RecolorError` is the fault of a request. Its message is written for people, and holds neither
paths nor what was sent, but for a few words of it.
"""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from recolor.datasets.errors import RecolorError
from recolor.datasets.images import ImageError, TooManyPixelsError

LONGEST = 300
# Under which a request is known to the log, and to who sent it.
REQUEST_ID = "X-Request-ID"
# When to come again.
RETRY_SECONDS = 1


class Told(BaseModel):
    """What is told of an error."""

    error: str
    field: str | None
    request_id: str


class RequestError(Exception):
    """A request can't be answered.

    Args:
        status: Of HTTP.
        message: One line for people.
        field: The parameter that is to blame, if one is.
        headers: Of the answer.
    """

    def __init__(
        self, status: int, message: str, field: str | None = None, headers: dict | None = None
    ):
        super().__init__(message)
        self.status, self.field, self.headers = status, field, headers


def request_error_of(error: RecolorError) -> RequestError:
    """Say whose fault an error is: the picture's, or that of an option."""
    message = str(error)
    if isinstance(error, TooManyPixelsError):
        return RequestError(413, message)
    if isinstance(error, ImageError):
        return RequestError(400, message)
    return RequestError(422, message, error.option)


def busy(what: str) -> RequestError:
    """Return the error of a request that there is no room for."""
    wait = {"Retry-After": str(RETRY_SECONDS)}
    return RequestError(503, f"{what} at once: try again soon", headers=wait)


def answer_of(request_id: str, error: RequestError) -> JSONResponse:
    """Return the answer that tells an error."""
    told = Told(error=shortened(str(error)), field=error.field, request_id=request_id)
    return JSONResponse(told.model_dump(), error.status, error.headers)


def shortened(message: str) -> str:
    """Return a message in one line that is not too long."""
    line = " ".join(message.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def tell_errors(application: FastAPI) -> None:
    """Let an application tell everything that goes wrong in one form."""

    def told(request: Request, error: RequestError) -> JSONResponse:
        return answer_of(request.state.id, error)

    async def of_request(request: Request, error: RequestError):
        return told(request, error)

    async def of_recolor(request: Request, error: RecolorError):
        return told(request, request_error_of(error))

    async def of_http(request: Request, error: HTTPException):
        return told(request, RequestError(error.status_code, error.detail, headers=error.headers))

    async def of_validation(request: Request, error: RequestValidationError):
        first = error.errors()[0]
        field = shortened(str(first["loc"][1]))
        message = first["msg"][0].lower() + first["msg"][1:]
        if first["type"] == "extra_forbidden":
            message = "there is no such parameter"
        return told(request, RequestError(422, f"{field}: {message}", field))

    application.add_exception_handler(RequestError, of_request)
    application.add_exception_handler(RecolorError, of_recolor)
    application.add_exception_handler(HTTPException, of_http)
    application.add_exception_handler(RequestValidationError, of_validation)
