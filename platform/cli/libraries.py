"""The libraries below: which framework Keras runs on, and silence for what a user cannot act on."""

import logging
import os
import warnings

import click

BACKENDS = ("tensorflow", "jax", "torch")


def check_backend() -> None:
    """Check that ``KERAS_BACKEND``, where it is set, names a framework.

    Raises:
        click.UsageError: If it does not.
    """
    if os.environ.get("KERAS_BACKEND", "tensorflow") not in BACKENDS:
        raise click.UsageError(f"KERAS_BACKEND is not one of {', '.join(BACKENDS)}")


def use_tensorflow() -> None:
    """Let Keras use TensorFlow, in which exported models run, whatever has trained them."""
    os.environ["KERAS_BACKEND"] = "tensorflow"


def ignore_warnings() -> None:
    """Silence the warnings of Keras, MLflow and TensorFlow, and TensorFlow's start-up notices.

    It has to be called before TensorFlow is imported. Warnings of recolor itself are still shown.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", module="keras|mlflow|tensorflow")
    # Each training in a process traces its step again, of which TensorFlow warns.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def quiet_mlflow() -> None:
    """Silence MLflow's progress bars and notices too; MLflow is imported for it."""
    ignore_warnings()
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # Links to a tracking server's pages, in the middle of what is said here.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    import mlflow  # noqa: F401 - it sets up its loggers when it is imported

    for name in ("mlflow", "alembic", "urllib3"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # It logs the tracebacks of errors that it raises, too.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


def quiet_optuna() -> None:
    """Silence Optuna's notices and warnings: what is experimental, a plot of a single trial."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", module="optuna")
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
