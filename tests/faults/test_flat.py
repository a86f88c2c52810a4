"""A thousand pictures in one go: memory and open files stay where they were."""

import shutil
import time
from pathlib import Path

import pytest

from faults.tally import tally
from faults.workplace import check_said

pytestmark = pytest.mark.faults

PICTURES = 1000
MOST_MB, MOST_FILES = 60, 4


def resources(pid: int) -> tuple[float, int]:
    """Megabytes of memory of a process, and its number of open files."""
    status = Path(f"/proc/{pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(resident.split()[1]) / 1024, len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_a_thousand_pictures_in_one_apply(forge, supplies, tmp_path, request):
    place = supplies.place(tmp_path / "place")
    (place / "in").mkdir()
    posters = sorted(supplies.posters.iterdir())
    for number in range(PICTURES):
        shutil.copy(posters[number % len(posters)], place / "in" / f"{number}.jpg")
    command = forge.begin(place, "apply", "in", "--out", "out", "--model", "regression")
    seen = []
    done = 0
    with tally(request, f"{PICTURES} pictures, flat") as counted, counted.one("apply"):
        while done < PICTURES - 20:
            time.sleep(0.5)
            before, done = done, len(list((place / "out").glob("*.jpg")))
            if done > before and done > PICTURES // 5:
                seen.append(resources(command.pid))
        ended = command.wait()
        assert ended.status == 0, ended.said
        check_said(ended)
        memory, files = zip(*seen, strict=True)
        quarter = len(memory) // 4
        first, last = max(memory[: quarter + 1]), min(memory[-quarter - 1 :])
        assert last - first < MOST_MB, f"from {first:.0f} to {last:.0f} MB"
        assert max(files) - files[0] <= MOST_FILES, files
