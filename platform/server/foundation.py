"""What any application of the server has: whom it answers, how it tells errors, and how it is."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from PIL import Image

from recolor.models.decoding.options import DEFAULT_DECODING, FREE, Decoding
from recolor.models.painter import Painter
from recolor.platform.server.gate import Gate
from recolor.platform.server.instruments import Instruments
from recolor.platform.server.request_errors import RequestError, Told, tell_errors
from recolor.platform.server.trusted_hosts import TrustedHosts

log = logging.getLogger("recolor.server")
# Of the picture that is recolored before the first request.
WARM_UP = (1000, 1500)


def foundation(
    painters: Iterable[Painter], gate: Gate, instruments: Instruments, allowed_hosts: Iterable[str]
) -> FastAPI:
    """Make an application that answers at ``/healthz``, ``/readyz`` and ``/metrics``.

    Args:
        painters: The models, each of which recolors a first picture when it begins.
        gate: Is closed when it ends.
        instruments: What is read at ``/metrics``.
        allowed_hosts: As the names of `TrustedHosts`.
    """
    # Whether the models work, once they have tried.
    works: bool | None = None

    async def warm_up() -> None:
        nonlocal works
        # A gray picture, since a colored one may need no network; and of both kinds, since what
        # only one of them needs is built when it is first needed.
        picture = Image.linear_gradient("L").resize(WARM_UP).convert("RGB")
        try:
            for painter in painters:
                for decoding in (DEFAULT_DECODING, Decoding(palette=FREE)):
                    await asyncio.to_thread(painter.recolor, picture, decoding)
            works = True
        except Exception:
            works = False
            log.exception("the model can't recolor a first picture")

    @asynccontextmanager
    async def lifespan(_) -> AsyncIterator[None]:
        warming = asyncio.create_task(warm_up())
        yield
        await asyncio.wait({warming})
        gate.close()

    # Its pages of documentation would load scripts from elsewhere.
    app = FastAPI(title="recolor", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_middleware(TrustedHosts, names=allowed_hosts)
    tell_errors(app)

    @app.get("/healthz")
    async def alive() -> dict:
        """Tell that the server is alive."""
        return {"alive": True}

    @app.get("/readyz", responses={503: {"model": Told, "description": "Not ready."}})
    async def is_ready() -> JSONResponse:
        """Tell whether the model has recolored a first picture."""
        if works is None:
            raise RequestError(503, "the model is still warming up", headers={"Retry-After": "1"})
        if not works:
            raise RequestError(
                503, "the model can't recolor a first picture: the server's log has more"
            )
        return JSONResponse({"ready": True})

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(instruments.text(), media_type="text/plain; version=0.0.4")

    return app
