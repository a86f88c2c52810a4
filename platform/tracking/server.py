"""A tracking server that may be slow, or gone for a while."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, partial
from urllib.parse import urlsplit

import mlflow
from mlflow.environment_variables import (
    MLFLOW_HTTP_REQUEST_MAX_RETRIES,
    MLFLOW_HTTP_REQUEST_TIMEOUT,
)

from recolor.datasets.errors import RecolorError, first_line
from recolor.platform.tracking.passwords import shown_url, without_passwords

# How long a server may take for a small answer before it counts as gone.
CHECK_SECONDS = 10
# What this thread has chosen in the place of MLflow's variables.
_chosen: ContextVar[dict[str, int] | None] = ContextVar("chosen", default=None)


class ServerError(RecolorError):
    """The tracking server does not answer, or refuses what it is asked for."""


def check_server() -> None:
    """Ask the tracking server something small, before any work.

    Raises:
        ServerError: If its address is not a URL, or it does not answer in time, or answers with an
            error.
    """
    if not _is_address(mlflow.get_tracking_uri()):
        raise ServerError(
            f"{store_name()} is not the address of a tracking server: set MLFLOW_TRACKING_URI to "
            "one like http://host:5000"
        )
    try:
        with patience(retries=0, seconds=CHECK_SECONDS):
            mlflow.MlflowClient().search_experiments(max_results=1)
    except mlflow.MlflowException as error:
        raise ServerError(
            f"{what_failed(error)}: start it, or name another one by MLFLOW_TRACKING_URI"
        ) from None


def _is_address(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        # The port is read only when it is asked for.
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


@contextmanager
def patience(retries: int, seconds: int) -> Iterator[None]:
    """Choose how long MLflow waits for a server; by itself it does for four minutes and more.

    Other threads, as the one that logs system metrics, are as patient as before.

    Args:
        retries: How often a request that failed is sent again.
        seconds: How long to wait for an answer, each time.
    """
    _choose_in_each_thread()
    before = _chosen.set(
        {
            MLFLOW_HTTP_REQUEST_MAX_RETRIES.name: retries,
            MLFLOW_HTTP_REQUEST_TIMEOUT.name: seconds,
        }
    )
    try:
        yield
    finally:
        _chosen.reset(before)


@cache
def _choose_in_each_thread() -> None:
    """Let MLflow read its variables from `_chosen` first.

    It takes them from the environment alone, which must not change while other threads read it.
    """
    for variable in (MLFLOW_HTTP_REQUEST_MAX_RETRIES, MLFLOW_HTTP_REQUEST_TIMEOUT):
        variable.get = partial(_choice, variable.name, variable.get)


def _choice(name: str, of_environment: Callable[[], int]) -> int:
    chosen = _chosen.get()
    return chosen[name] if chosen else of_environment()


def store_name() -> str:
    """Return the store's URI without a password."""
    return shown_url(mlflow.get_tracking_uri())


def what_failed(error: Exception) -> str:
    """Say in a few words why the store could not be used."""
    uri = store_name()
    # MLflow's own words are of its HTTP client, several lines long.
    if isinstance(error, mlflow.MlflowException) and isinstance(error.__context__, OSError):
        return f"the tracking server {uri} does not answer"
    return f"the store {uri} failed ({without_passwords(first_line(error))})"
