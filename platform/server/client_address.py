"""Who sends a request: places, bytes and connections are shared out by address."""

from starlette.requests import Request


def client_address(request: Request) -> str:
    """Return the IP address of a client; empty where it is gone already."""
    return request.client.host if request.client else ""
