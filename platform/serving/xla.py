"""TensorFlow's compiler, XLA, as quiet as the rest of TensorFlow."""

from functools import cache

import tensorflow as tf

from recolor.datasets.quiet_stderr import is_quiet, no_stderr


@cache
def start_xla() -> None:
    """Start XLA without a word where TensorFlow has been told to be quiet.

    When it compiles for the first time, it says on stderr that it does, whatever
    ``TF_CPP_MIN_LOG_LEVEL`` is.
    """
    if is_quiet():
        with no_stderr():
            tf.function(lambda: 0, autograph=False, jit_compile=True)()
