"""Full and read-only disks: one line, nothing half-written, and the same command continues."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.tally import tally
from faults.test_kills import CASES
from faults.workplace import STORE, check_said, check_whole, contents

pytestmark = pytest.mark.faults

# In bytes: for nothing, for a part of what the commands write, for nearly all of it.
SIZES = (4 << 10, 100 << 10, 400 << 10)


class Disk:
    """A small disk of its own.

    Args:
        place: Where it is mounted.
    """

    def __init__(self, place: Path):
        self.place = place

    def mount(self, *options: str) -> None:
        """Mount it, or mount it again with other options."""
        words = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(self.place)]
        mounted = subprocess.run(words, capture_output=True, text=True)
        if mounted.returncode:
            pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")


@pytest.fixture
def disk(tmp_path) -> Iterator[Disk]:
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    place = tmp_path / "disk"
    place.mkdir()
    disk = Disk(place)
    disk.mount("size=1m")
    yield disk
    # Lazily, since a process that has just ended may still be in it.
    subprocess.run(["umount", "--lazy", place], check=True)


def one_error(ended) -> None:
    """Check that a command failed, and said so in one line."""
    check_said(ended)
    assert ended.status not in (0, None), ended.said
    assert len([line for line in ended.said.splitlines() if line.startswith("Error: ")]) == 1, (
        ended.said
    )


@pytest.mark.parametrize("name", ["prepare", "apply", "evaluate", "palettes"])
def test_a_full_disk(name, forge, supplies, disk, tmp_path, request):
    """The store is elsewhere: it is the results that do not fit."""
    case = CASES[name]
    place = tmp_path / "elsewhere"
    supplies.place(place)
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{place}/{STORE}"}
    whole = tmp_path / "whole"
    whole.mkdir()
    assert forge.call(whole, *case.arguments(supplies), **store).status == 0
    with tally(request, "full disk") as counted:
        for size in SIZES:
            disk.mount("remount", f"size={size}")
            with counted.one(f"{name} in {size} bytes"):
                ended = forge.call(disk.place, *case.arguments(supplies), **store)
                check_said(ended)
                if ended.status:
                    one_error(ended)
                    finished = contents(disk.place)
                    assert "data/dataset.json" not in finished
                disk.mount("remount", "size=100m")
                again = forge.call(disk.place, *case.arguments(supplies), **store)
                assert again.status == 0 or not ended.status, again.said
                check_whole(disk.place, again)
                assert contents(disk.place) == contents(whole)
            for left in disk.place.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()


@pytest.mark.parametrize("name", CASES)
def test_a_read_only_disk(name, forge, supplies, disk, request):
    case = CASES[name]
    disk.mount("remount", "size=50m")
    if case.store:
        supplies.lend_store(disk.place)
    before = contents(disk.place)
    disk.mount("remount", "ro")
    with tally(request, "read-only disk") as counted, counted.one(name):
        one_error(forge.call(disk.place, *case.arguments(supplies)))
        assert contents(disk.place) == before
