"""Requests to end a command: Ctrl-C, SIGTERM and SIGHUP alike."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A terminal that closes asks more than once, which must not disturb the command's end.
SECONDS_TO_END = 10
# How long after an interruption was lost the next one comes.
MOMENT_SECONDS = 0.1


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
        raise Interruption(number)

    def raise_again(lost) -> None:
        nonlocal last
        if not isinstance(lost.exc_value, Interruption):
            hook_before(lost)
            return
        # It came within a destructor, or a callback of C, which no exception can leave.
        last = -SECONDS_TO_END
        threading.Timer(MOMENT_SECONDS, os.kill, (os.getpid(), int(lost.exc_value.signal))).start()

    chosen = (signal.SIG_DFL, signal.default_int_handler)
    usual = [number for number in SIGNALS if signal.getsignal(number) in chosen]
    before = {number: signal.signal(number, interrupt) for number in usual}
    hook_before, sys.unraisablehook = sys.unraisablehook, raise_again
    try:
        yield
    finally:
        sys.unraisablehook = hook_before
        for number, handler in before.items():
            signal.signal(number, handler)
