"""The application: which path does what."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response

from recolor.models.decoding.options import Decoding
from recolor.models.option import Option, options_of
from recolor.platform.printing.proof import Proof
from recolor.platform.registry.model import Model
from recolor.platform.server.bodies import Bodies
from recolor.platform.server.foundation import foundation
from recolor.platform.server.gate import Gate
from recolor.platform.server.instruments import Instruments
from recolor.platform.server.invocations import Invocations
from recolor.platform.server.limits import Limits
from recolor.platform.server.page import add_page
from recolor.platform.server.query import Cell, Original, Preview, Recoloring, Sheet, Shown
from recolor.platform.server.reception import Reception
from recolor.platform.server.request_errors import Told
from recolor.platform.server.studio import Answer, Studio, described

# For the description of the API.
FILE = {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}
PICTURE = {
    "requestBody": {"required": True, "description": "The file of a picture, as it is.", **FILE}
}
RECIPE = {
    "requestBody": {
        "required": True,
        "description": "The file of a result, or a recipe as JSON.",
        "content": {**FILE["content"], "application/json": {"schema": {"type": "object"}}},
    }
}
ERRORS = {
    400: "Not a picture, or damaged.",
    403: "The host, or the site that sends the request, is not trusted.",
    404: "The picture is not kept.",
    408: "The request did not arrive in time.",
    413: "Too many bytes or pixels.",
    422: "An option can't be used; `field` says which.",
    503: "Too many requests at once: Retry-After says when to come again.",
    504: "It took too long.",
}
TOLD = {status: {"model": Told, "description": text} for status, text in ERRORS.items()}
IMAGE = {**TOLD, 200: {"description": "The image.", **FILE}}


def application(
    model: Model,
    limits: Limits,
    allowed_hosts: Iterable[str] = (),
    proofs: Iterable[Proof] = (),
) -> Reception:
    """Make the application of a model.

    Args:
        model: The model.
        limits: What is taken.
        allowed_hosts: As the names of `TrustedHosts`.
        proofs: Those that previews can be shown as, each of another name.
    """
    studio = Studio(model.painter, limits.pixels, limits.memory, proofs)
    gate, bodies = Gate(limits), Bodies(limits)
    gauges = {
        ("requests_inside", "Requests that are let in and not answered yet."): lambda: gate.inside,
        ("kept_bytes", "Memory of pictures that are being edited."): lambda: studio.bytes_kept,
    }
    instruments = Instruments(gauges)
    invocations = Invocations(model.painter, gate, bodies, limits)
    app = foundation([model.painter], gate, instruments, allowed_hosts)
    about = {"Recolor-Model": model.label}
    if model.version:
        about["Recolor-Version"] = str(model.version.version)

    def image(answer: Answer) -> Response:
        headers = {**about, **answer.headers, "Cache-Control": "no-store"}
        return Response(answer.data, media_type=answer.media_type, headers=headers)

    def accepted(request: Request) -> str:
        return request.headers.get("accept", "")

    add_page(app, "page")

    @app.get("/model")
    def describe() -> dict:
        """Which model answers, and what it can be asked for."""
        return _described(model, studio, limits)

    @app.post("/recolor", responses=IMAGE, response_class=Response, openapi_extra=PICTURE)
    async def recolor(request: Request, wanted: Annotated[Recoloring, Query()]) -> Response:
        """Recolor the picture that is sent."""
        async with bodies.read(request) as data:
            return image(await gate.work(request, studio.recolor, data, wanted, accepted(request)))

    @app.post("/pictures", status_code=201, responses=TOLD, openapi_extra=PICTURE)
    async def keep(request: Request) -> dict:
        """Keep the picture that is sent, to be edited."""
        async with bodies.read(request) as data:
            return await gate.work(request, studio.keep, data)

    @app.get("/pictures/{key}/recolored", responses=IMAGE, response_class=Response)
    async def recolored(request: Request, key: str, wanted: Annotated[Shown, Query()]) -> Response:
        """Recolor a picture that is kept, or show how it will be printed."""
        return image(await gate.work(request, studio.recolored, key, wanted, accepted(request)))

    @app.get("/pictures/{key}/recipe", responses=TOLD)
    async def recipe(request: Request, key: str, wanted: Annotated[Preview, Query()]) -> Response:
        """Return the recipe of a picture as it is recolored: `docs/recipes.md` describes it."""
        made = await gate.work(request, studio.recipe, key, wanted)
        headers = {"Cache-Control": "no-store"}
        return Response(made, media_type="application/json", headers=headers)

    @app.post("/recipes", responses=TOLD, openapi_extra=RECIPE)
    async def read_recipe(request: Request) -> dict:
        """Return the parameters by which a result was made, of its file or of its recipe."""
        async with bodies.read(request) as data:
            return await gate.work(request, studio.settings, data)

    @app.post("/pictures/{key}/series", responses=TOLD, openapi_extra=RECIPE)
    async def go_with(request: Request, key: str) -> dict:
        """Return the parameters by which a picture that is kept goes with a result."""
        async with bodies.read(request) as data:
            return await gate.work(request, studio.series, key, data)

    @app.get("/pictures/{key}/cell", responses=TOLD)
    async def cell(request: Request, key: str, wanted: Annotated[Cell, Query()]) -> dict:
        """Keep a small copy of a picture as it is recolored, for a contact sheet."""
        return await gate.work(request, studio.cell, key, wanted)

    @app.get("/sheet", responses=IMAGE, response_class=Response)
    async def sheet(request: Request, wanted: Annotated[Sheet, Query()]) -> Response:
        """Lay out small copies as a contact sheet."""
        return image(await gate.work(request, studio.sheet, wanted))

    @app.get("/pictures/{key}/original", responses=IMAGE, response_class=Response)
    async def original(
        request: Request, key: str, wanted: Annotated[Original, Query()]
    ) -> Response:
        """Return a picture that is kept as it is."""
        return image(await gate.work(request, studio.original, key, wanted, accepted(request)))

    @app.get("/pictures/{key}/swatches", responses=TOLD)
    async def swatches(request: Request, key: str, wanted: Annotated[Preview, Query()]) -> dict:
        """Tell which swatch each pixel belongs to; `restore`, `crop` and `side` count."""
        return await gate.work(request, studio.swatches, key, wanted)

    app.add_api_route(
        "/invocations", invocations.__call__, methods=["POST"], include_in_schema=False
    )
    app.router.routes.extend(invocations.other_routes)
    return Reception(app, instruments)


def _described(model: Model, studio: Studio, limits: Limits) -> dict:
    takes_palette = model.painter.network.takes_palette
    schemes = studio.library.palettes if takes_palette else []
    return {
        "name": model.label,
        "version": str(model.version.version) if model.version else None,
        "kind": model.painter.network.kind,
        "about": model.which,
        "takes_palette": takes_palette,
        "size": model.painter.network.size,
        "schemes": [described(scheme, scheme.name) for scheme in schemes],
        "options": {
            name: _values_of(option)
            for name, option in options_of(Decoding).items()
            if option.limits or option.choices
        },
        "profiles": list(studio.proofs),
        "limits": {"bytes": limits.body, "pixels": limits.pixels},
    }


def _values_of(option: Option) -> dict:
    if not option.limits:
        return {"choices": option.choices, "default": option.default}
    return {"low": option.low, "high": option.high, "default": option.default}
