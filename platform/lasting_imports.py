"""Importing large libraries without Python's garbage collector looking through them."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting_imports() -> Iterator[None]:
    """Let what is imported stay for as long as the process lives.

    TensorFlow, Keras and MLflow make some 700,000 objects when they are imported. The collector
    would look through them nine times until a command ends, two seconds in all, and find nothing.
    It does not run meanwhile, and leaves alone afterwards what is there. Only once in a process:
    later there may be something to collect.
    """
    if gc.get_freeze_count() or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
