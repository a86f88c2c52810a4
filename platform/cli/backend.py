"""The framework under Keras, which the environment variable ``KERAS_BACKEND`` names."""

import os

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
