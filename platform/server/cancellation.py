"""Stopping work in a thread when nobody waits for it any more: nothing else ends a thread."""

import threading
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import TypeVar

Result = TypeVar("Result")
_cancelled: ContextVar[threading.Event] = ContextVar("cancelled")


class CancelledWorkError(Exception):
    """Nobody waits for what this thread works on."""


def cancellable(
    cancelled: threading.Event, function: Callable[..., Result]
) -> Callable[..., Result]:
    """Return a function that ends at its next `check_cancelled` once an event is set."""
    context = copy_context()
    context.run(_cancelled.set, cancelled)
    return lambda *arguments: context.run(function, *arguments)


def check_cancelled() -> None:
    """Be called between the steps of long work.

    Raises:
        CancelledWorkError: If nobody waits for it any more.
    """
    cancelled = _cancelled.get(None)
    if cancelled is not None and cancelled.is_set():
        raise CancelledWorkError
