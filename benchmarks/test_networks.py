"""The networks beside each other: time and memory of squares, with random weights.

All of a group see the same squares: read the ratios to ``regression``.
"""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from recolor.datasets.classes import ColorClasses
from recolor.models.catalog import MODELS

SIDES = [128, 256]


def called(kind: str, side: int):
    """Return a function that sees one square, and gives its colors."""
    counts = np.zeros(1024, int)
    # As many classes as 9,000 posters have.
    counts[300:685] = 1
    made = MODELS[kind](ColorClasses.from_counts(counts))
    network = made.build(side)
    inputs = [np.zeros((1, *one.shape[1:]), one.dtype) for one in network.inputs]
    see = tf.function(lambda *given: made.decode(network(list(given)), 0.38))
    return lambda: see(*inputs).numpy()


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("kind", MODELS)
def test_one_square(benchmark, kind, side):
    benchmark.group = f"network, {side} pixels"
    benchmark.pedantic(called(kind, side), rounds=20, warmup_rounds=3)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("kind", MODELS)
def test_peak_memory(benchmark, kind, side):
    """Of the whole process, in ``extra_info``; and what the network alone adds to TensorFlow's."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "sys.path.insert(0, 'benchmarks')\n"
        "from test_networks import called\n"
        "def peak():\n"
        "    lines = Path('/proc/self/status').read_text().splitlines()\n"
        "    return next(int(line.split()[1]) for line in lines if line.startswith('VmHWM'))\n"
        "before = peak()\n"
        "see = called(sys.argv[1], int(sys.argv[2]))\n"
        "for _ in range(5):\n"
        "    see()\n"
        "print(before, peak())\n"
    )
    command = [sys.executable, "-c", code, kind, str(side)]
    result = benchmark.pedantic(
        subprocess.run, (command,), {"capture_output": True, "text": True}, rounds=1
    )
    benchmark.group = f"process, {side} pixels"
    before, peak = (int(word) / 1024 for word in result.stdout.split()[-2:])
    benchmark.extra_info.update(peak_mib=round(peak), added_mib=round(peak - before))
    print(
        f"{kind}, {side} pixels: {peak:.0f} MiB at the peak, {peak - before:.0f} more than before"
    )
    assert peak > before
