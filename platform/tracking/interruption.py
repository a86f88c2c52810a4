"""Requests to end a command: Ctrl-C, SIGTERM and SIGHUP alike."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A terminal that closes asks more than once, which must not disturb the command's end.
SECONDS_TO_END = 10

_asked: list[int] = []


class Interruption(KeyboardInterrupt):
    """The command is to end.

    Args:
        number: Of the signal that has asked for it.
    """

    def __init__(self, number: int):
        super().__init__(number)
        self.signal = signal.Signals(number)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let every request to end raise an `Interruption` in the main thread.

    A signal that is ignored, as SIGHUP is by `nohup`, stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        # Python lets no other thread set handlers.
        yield
        return
    last = -SECONDS_TO_END

    def interrupt(number: int, frame: object) -> None:
        nonlocal last
        if time.monotonic() - last < SECONDS_TO_END:
            return
        last = time.monotonic()
        _asked.append(number)
        raise Interruption(number)

    chosen = (signal.SIG_DFL, signal.default_int_handler)
    usual = [number for number in SIGNALS if signal.getsignal(number) in chosen]
    before = {number: signal.signal(number, interrupt) for number in usual}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _asked.clear()


def end_if_asked() -> None:
    """Raise the `Interruption` again: Python drops one that is raised in a destructor.

    Raises:
        Interruption: If the command is to end.
    """
    if _asked:
        raise Interruption(_asked[-1])
