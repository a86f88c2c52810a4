"""Pages at ``/``: three files each, which ask no other host for anything."""

from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse

FOLDER = Path(__file__).parent
# They come from here, and so does all that they ask for; nothing else runs, not even in the page.
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob: data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {source}" for name, source in POLICY.items()),
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def add_page(app: FastAPI, name: str) -> None:
    """Let an application answer with a page, its style and its script.

    Args:
        app: The application.
        name: Of the files beside this one, without their endings.
    """
    paths = {"/": "html", f"/{name}.css": "css", f"/{name}.js": "js"}
    for path, ending in paths.items():
        app.get(path, include_in_schema=False)(_answering(FOLDER / f"{name}.{ending}"))


def _answering(file: Path) -> Callable[[], FileResponse]:
    def answer() -> FileResponse:
        return FileResponse(file, headers=HEADERS)

    return answer
