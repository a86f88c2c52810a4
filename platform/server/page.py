"""The page at ``/``: one file, which asks no other host for anything."""

import base64
import hashlib
import re
from pathlib import Path

from fastapi.responses import Response

FOLDER = Path(__file__).parent


def page(name: str) -> Response:
    """Return a page, with a policy that lets its own script and style run, and nothing else.

    Args:
        name: Of its file, beside this one.
    """
    text = (FOLDER / name).read_text(encoding="utf-8")
    policy = {
        "default-src": "'none'",
        "script-src": _hash_of("script", text),
        "style-src": _hash_of("style", text),
        "img-src": "'self' blob: data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {source}" for name, source in policy.items()),
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return Response(text, media_type="text/html", headers=headers)


def _hash_of(element: str, page: str) -> str:
    """Return how a policy names the content of the page's one script or style."""
    content = re.search(f"<{element}>(.*?)</{element}>", page, re.DOTALL)[1]
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
