"""What commands say of their work, beside the tables and JSON that they are asked for.

It is printed, unless `recolor --quiet` leaves only warnings and errors, and appended to the file of
`recolor --log-file`, with the time.
"""

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout
from pathlib import Path

import click

from recolor.datasets.errors import reason_of

_log = logging.getLogger("recolor")
# Attributes of messages: what goes to the standard output, and what click prints itself.
_OUTPUT, _BY_CLICK = {"output": True}, {"by_click": True}


class _Console(logging.Handler):
    """Prints messages."""

    def __init__(self, level: int):
        super().__init__(level)
        # Later, the standard output may be `_Lines`.
        self._output, self._error = sys.stdout, sys.stderr

    def filter(self, record: logging.LogRecord) -> bool:
        return not hasattr(record, "by_click")

    def emit(self, record: logging.LogRecord) -> None:
        file = self._output if hasattr(record, "output") else self._error
        click.echo(self.format(record), file)


@contextmanager
def messages(quiet: bool, log_file: Path | None) -> Iterator[None]:
    """Let what is said within be seen, and errors be written to the log file, too.

    Args:
        quiet: Whether only warnings are printed.
        log_file: A file that everything is appended to.

    Raises:
        ClickException: If the file can't be written.
    """
    console = _Console(logging.WARNING if quiet else logging.INFO)
    handlers: list[logging.Handler] = [console]
    if log_file:
        try:
            handlers.append(logging.FileHandler(log_file, encoding="utf-8"))
        except OSError as error:
            reason = reason_of(error)
            raise click.ClickException(f"{log_file} can't be written: {reason}") from None
        handlers[-1].setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    before = _log.level, _log.propagate
    _log.setLevel(logging.INFO)
    # Libraries give the root logger handlers of their own.
    _log.propagate = False
    for handler in handlers:
        _log.addHandler(handler)
    try:
        yield
    except click.ClickException as error:
        _log.error(error.format_message(), extra=_BY_CLICK)
        raise
    finally:
        _log.level, _log.propagate = before
        for handler in handlers:
            _log.removeHandler(handler)
            handler.close()


def say(text: str, err: bool = False) -> None:
    """Say something on the standard output, or on the standard error."""
    _log.info(text, extra=None if err else _OUTPUT)


def warn(text: str) -> None:
    """Say something on the standard error, with `--quiet`, too."""
    _log.warning(text)


def draws_bars() -> bool:
    """Whether progress is drawn: on a terminal, where nothing asks for lines."""
    context = click.get_current_context(silent=True)
    chosen = context.find_root().params if context else {}
    return sys.stderr.isatty() and not (chosen.get("quiet") or chosen.get("log_file"))


def epochs_said(err: bool = False) -> AbstractContextManager:
    """Let what Keras prints of each epoch be said, where it can draw no bars.

    Args:
        err: Whether the standard output is for something else.
    """
    if draws_bars() and sys.stdout.isatty() and not err:
        return nullcontext()
    return redirect_stdout(_Lines(err))


class _Lines(io.TextIOBase):
    """A text stream that says its lines, and is no terminal."""

    def __init__(self, err: bool):
        self._err, self._begun = err, ""

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            say(line, self._err)
        return len(text)
