"""Errors as one line; with ``RECOLOR_DEBUG=1`` in the environment, as they are."""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from recolor.datasets.errors import RecolorError, first_line
from recolor.platform.cli.libraries import BACKENDS
from recolor.platform.cli.output import printable
from recolor.platform.tracking.passwords import without_passwords

LONGEST_REASON = 300


class UnexpectedError(click.ClickException):
    """An error that no part of recolor has foreseen."""

    # EX_SOFTWARE of sysexits.h.
    exit_code = 70


@contextmanager
def one_line_errors(command: Callable[[], click.Command | None] = lambda: None) -> Iterator[None]:
    """Turn every error into one that click reports in one line.

    Args:
        command: Returns the command that has failed, if it is known: its options are named as they
            are typed.

    Raises:
        click.ClickException: In the place of any other error; an `UnexpectedError` for one that is
            not the user's to mend.
    """
    try:
        yield
    except click.ClickException as error:
        error.message = without_passwords(error.message)
        raise
    except (click.exceptions.Exit, click.Abort, BrokenPipeError):
        # Click's own business.
        raise
    except KeyboardInterrupt as error:
        raise interrupted(error) from None
    except Exception as error:
        if os.environ.get("RECOLOR_DEBUG", "") not in ("", "0"):
            raise
        reported = _in_one_line(error)
        message = without_passwords(_as_typed(reported.message, command()))
        reported.message = printable(message)
        raise reported from None


def interrupted(error: KeyboardInterrupt, advice: str = "") -> click.ClickException:
    """Say that a command was interrupted, and by which signal if it was not by Ctrl-C.

    Args:
        error: An `Interruption`, or Python's own.
        advice: What more there is to say.

    Returns:
        An error whose exit status is the one that shells know.
    """
    number = getattr(error, "signal", signal.SIGINT)
    by = "" if number == signal.SIGINT else f" by {number.name}"
    found = click.ClickException(f"interrupted{by}{advice}")
    found.exit_code = 128 + number
    return found


def _as_typed(message: str, command: click.Command | None) -> str:
    """Name a command's options as they are typed, ``--batch-size`` in the place of `batch_size`."""
    options = command.params if command else ()
    flags = {one.name: one.opts[0] for one in options if isinstance(one, click.Option)}
    return re.sub(r"`(\w+)`", lambda found: flags.get(found[1], found[0]), message)


def _in_one_line(error: Exception) -> click.ClickException:
    if isinstance(error, RecolorError):
        return click.ClickException(str(error))
    if isinstance(error, OSError):
        return click.ClickException(first_line(error))
    if isinstance(error, ModuleNotFoundError) and error.name in (*BACKENDS, "mlflow"):
        return click.ClickException(
            f"{error.name} is not installed; `recolor train --untracked` needs only the framework "
            "that KERAS_BACKEND names"
        )
    reason = first_line(error)[:LONGEST_REASON]
    for package, its_errors in (
        ("MLflow", _mlflow_errors()),
        ("database", _database_errors()),
        ("TensorFlow", _tensorflow_errors()),
    ):
        if isinstance(error, its_errors):
            return click.ClickException(f"{package}: {reason}")
    return UnexpectedError(
        f"unexpected {type(error).__name__}: {reason} (RECOLOR_DEBUG=1 shows the traceback)"
    )


def _mlflow_errors() -> tuple[type[Exception], ...]:
    """Return MLflow's base of errors, if MLflow is in use at all."""
    if "mlflow.exceptions" not in sys.modules:
        return ()
    from mlflow.exceptions import MlflowException

    return (MlflowException,)


def _database_errors() -> tuple[type[Exception], ...]:
    """Return the bases of SQLAlchemy's and Alembic's errors, as far as they are in use."""
    found = []
    if "sqlalchemy.exc" in sys.modules:
        from sqlalchemy.exc import SQLAlchemyError

        found.append(SQLAlchemyError)
    if "alembic.util.exc" in sys.modules:
        from alembic.util.exc import CommandError

        found.append(CommandError)
    return tuple(found)


def _tensorflow_errors() -> tuple[type[Exception], ...]:
    if "tensorflow" not in sys.modules:
        return ()
    import tensorflow as tf

    return (tf.errors.OpError,)
