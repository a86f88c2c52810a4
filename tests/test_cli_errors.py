"""What goes wrong is one line on the command line; RECOLOR_DEBUG=1 shows where it happened."""

import signal

import click
import pytest
from click.testing import CliRunner

from recolor.datasets.errors import RecolorError, first_line, reason_of
from recolor.platform.cli.errors import UnexpectedError, one_line_errors
from recolor.platform.cli.main import COMMANDS, main
from recolor.platform.interruption import Interruption


@pytest.fixture
def failing():
    """Make `recolor fail` raise an error."""

    def register(error: BaseException) -> None:
        def fail():
            raise error

        COMMANDS.register("fail", click.command()(fail))

    yield register
    COMMANDS.unregister("fail")


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (RecolorError("posters: none here"), "posters: none here", 1),
        (FileNotFoundError(2, "Missing", "a b"), "Missing: a b", 1),
        (OSError("two\nlines"), "two", 1),
        (OSError("[Errno 5] of a library"), "of a library", 1),
        (TimeoutError(), "TimeoutError", 1),
        (KeyboardInterrupt(), "interrupted", 130),
        (Interruption(signal.SIGTERM), "interrupted by SIGTERM", 143),
        (ModuleNotFoundError("No module named 'jax'", name="jax"), "jax is not installed", 1),
        (ZeroDivisionError("by zero\nor so"), "unexpected ZeroDivisionError: by zero (", 70),
        (ModuleNotFoundError("No 'x'", name="x"), "unexpected ModuleNotFoundError: No 'x'", 70),
        (KeyError(), "unexpected KeyError: KeyError", 70),
    ],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("debug", ["", "0"])
def test_errors_are_one_line(error, line, code, debug, failing):
    failing(error)
    result = CliRunner().invoke(main, ["fail"], env={"RECOLOR_DEBUG": debug})
    assert result.exit_code == code
    assert result.output.startswith(f"Error: {line}") and result.output.count("\n") == 1


@pytest.mark.parametrize("error", [RecolorError("none"), OSError("none"), ZeroDivisionError()])
def test_tracebacks_can_be_seen(error, failing):
    failing(error)
    result = CliRunner().invoke(main, ["fail"], env={"RECOLOR_DEBUG": "1"})
    assert result.exception is error


def test_errors_of_libraries_say_whose_they_are():
    import mlflow
    import tensorflow as tf
    from alembic.util import CommandError
    from sqlalchemy.exc import OperationalError

    for error, line in (
        (mlflow.MlflowException("no\nstore"), "MLflow: no"),
        (CommandError("no such\nrevision"), "database: no such"),
        (
            OperationalError("SELECT 1", {}, OSError("disk I/O error")),
            "database: (builtins.OSError) disk I/O error",
        ),
        (tf.errors.InternalError(None, None, "no GPU"), "TensorFlow: no GPU"),
    ):
        with pytest.raises(click.ClickException) as raised, one_line_errors():
            raise error
        assert raised.value.message == line
        assert not isinstance(raised.value, UnexpectedError)


def test_a_reader_that_goes_away_is_left_to_click():
    """As of `recolor palettes | head -1`: it ends without a word."""
    with pytest.raises(BrokenPipeError), one_line_errors():
        raise BrokenPipeError(32, "Broken pipe")


def test_an_error_of_the_system_is_worded_without_its_number():
    missing = FileNotFoundError(2, "No such file or directory", "poster.jpg")
    for error, line, reason in (
        (missing, "No such file or directory: poster.jpg", "No such file or directory"),
        (OSError(28, "No space left on device"), *["No space left on device"] * 2),
        (OSError("[Errno 2] Failed to open local file"), *["Failed to open local file"] * 2),
        (ConnectionError("retried: [Errno 111] refused"), *["retried: refused"] * 2),
        (ValueError("[1] is not a number"), *["[1] is not a number"] * 2),
        (TimeoutError(), *["TimeoutError"] * 2),
    ):
        assert (first_line(error), reason_of(error)) == (line, reason)
