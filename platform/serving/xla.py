"""TensorFlow's compiler, XLA, as quiet as the rest of TensorFlow."""

import os
import sys
from functools import cache
from pathlib import Path

import tensorflow as tf


@cache
def start_xla() -> None:
    """Start XLA without a word where TensorFlow has been told to be quiet.

    When it compiles for the first time, it says on stderr that it does, whatever
    ``TF_CPP_MIN_LOG_LEVEL`` is.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "0") == "0":
        return
    sys.stderr.flush()
    stderr = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            tf.function(lambda: 0, autograph=False, jit_compile=True)()
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
