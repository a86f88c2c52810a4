"""A clock that jumps back while a command runs: its result is the same."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from forge import Ended

from faults.tally import tally
from faults.test_kills import CASES
from faults.workplace import check_whole

pytestmark = pytest.mark.faults

LIBRARIES = Path("/usr/lib")


@pytest.fixture(scope="module")
def library() -> Path:
    found = next(LIBRARIES.glob("*/faketime/libfaketime.so.1"), None)
    if found is None:
        pytest.skip("libfaketime is not installed: apt-get install libfaketime")
    return found


@pytest.mark.parametrize("name", ["prepare", "evaluate", "apply", "palettes"])
def test_a_clock_that_jumps_back(name, library, forge, supplies, tmp_path, request):
    case = CASES[name]
    whole = supplies.place(tmp_path / "whole")
    assert forge.call(whole, *case.arguments(supplies)).status == 0
    place = supplies.place(tmp_path / "place")
    clock = tmp_path / "clock"
    clock.write_text("+0")
    process = subprocess.Popen(
        [sys.executable, "-m", "recolor.platform.cli.main", *map(str, case.arguments(supplies))],
        cwd=place,
        env={
            **os.environ,
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_CACHE_DURATION": "1",
            # Threads wait by this one, and it never jumps.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with tally(request, "clock jumps back") as counted, counted.one(name):
        # In the midst of it, or of its imports.
        time.sleep(6)
        clock.write_text("-1d")
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said
        check_whole(place, Ended(0, said, 0))
        assert case.result(place) == case.result(whole)
