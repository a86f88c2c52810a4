"""Requests to end a command that waits for many things at once, in an event loop of asyncio."""

import asyncio
import signal
import threading
from collections.abc import Coroutine

from recolor.platform.tracking.interruption import SIGNALS, Interruption


def run_interruptible(work: Coroutine[None, None, None]) -> None:
    """Run a coroutine; a request to end cancels it, and is raised when it has ended.

    Raised in the midst of an event loop, it could leave locks and connections in any state, for
    which the others would wait for ever.

    Raises:
        Interruption: If the command is to end.
    """
    number = asyncio.run(_until_asked(work))
    if number is not None:
        raise Interruption(number)


async def _until_asked(work: Coroutine[None, None, None]) -> int | None:
    """Return the number of the signal that has asked for the end, if one has."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    asked: list[int] = []

    def ask(number: int, frame: object) -> None:
        # A terminal that closes asks more than once, which must not disturb the end.
        if not asked:
            asked.append(number)
            loop.call_soon_threadsafe(task.cancel)

    before = {}
    # Python lets no other thread set handlers.
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, ask)
    try:
        await task
    except asyncio.CancelledError:
        if not asked:
            raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return asked[0] if asked else None
