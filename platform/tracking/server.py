"""A tracking server that may be slow, or gone for a while."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import mlflow

from recolor.datasets.errors import RecolorError, first_line

# How long a server may take for a small answer before it counts as gone.
CHECK_SECONDS = 10


class ServerError(RecolorError):
    """The tracking server does not answer, or refuses what it is asked for."""


def check_server() -> None:
    """Ask the tracking server something small, before any work.

    Raises:
        ServerError: If it does not answer in time, or answers with an error.
    """
    try:
        with patience(retries=0, seconds=CHECK_SECONDS):
            mlflow.MlflowClient().search_experiments(max_results=1)
    except mlflow.MlflowException as error:
        raise ServerError(
            f"{what_failed(error)}: start it, or name another one by MLFLOW_TRACKING_URI"
        ) from None


@contextmanager
def patience(retries: int, seconds: int) -> Iterator[None]:
    """Choose how long MLflow waits for a server; by itself it does for four minutes and more.

    Args:
        retries: How often a request that failed is sent again.
        seconds: How long to wait for an answer, each time.
    """
    wanted = {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": str(retries),
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(seconds),
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def store_name() -> str:
    """Return the store's URI without a password."""
    return re.sub("//.*@", "//", mlflow.get_tracking_uri())


def what_failed(error: Exception) -> str:
    """Say in a few words why the store could not be used."""
    uri = store_name()
    # MLflow's own words are of its HTTP client, several lines long.
    if isinstance(error, mlflow.MlflowException) and isinstance(error.__context__, OSError):
        return f"the tracking server {uri} does not answer"
    return f"the store {uri} failed ({first_line(error)})"
