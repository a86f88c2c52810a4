"""The garbage collector stands still while large libraries are imported, and no longer."""

import subprocess
import sys


def test_nothing_is_looked_through_while_it_is_imported():
    """In a process of its own: what is left alone stays so for as long as it lives."""
    code = """
import gc
from recolor.platform.lasting_imports import lasting_imports
try:
    with lasting_imports():
        import missing_library
except ModuleNotFoundError:
    assert gc.isenabled() and not gc.get_freeze_count()
phases = []
gc.callbacks.append(lambda phase, about: phases.append(phase))
with lasting_imports():
    stays = [[] for _ in range(100_000)]
    assert not gc.isenabled()
assert gc.isenabled() and not phases
left_alone = gc.get_freeze_count()
assert left_alone > 100_000
gc.collect()
# A second time what has come meanwhile may be garbage.
with lasting_imports():
    garbage = [[] for _ in range(100_000)]
assert gc.get_freeze_count() == left_alone
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
