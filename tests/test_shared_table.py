"""Tables in the user's cache: made once, mended when damaged, done without where need be."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recolor.datasets.shared_table import cache_folder, shared_table

SHAPE = (6, 3)
TABLE = np.arange(18, dtype=np.uint8).reshape(SHAPE)


class Blocks:
    """The table in two blocks, and how often it was computed."""

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        yield TABLE[:4]
        yield TABLE[4:]


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("RECOLOR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_table_is_made_once_and_nothing_else_is_left(cache):
    blocks = Blocks()
    for _ in range(3):
        table = shared_table("t.table", SHAPE, blocks)
        assert type(table) is np.ndarray
        np.testing.assert_array_equal(table, TABLE)
    assert blocks.calls == 1
    assert [path.name for path in cache.iterdir()] == ["t.table"]
    with pytest.raises(ValueError, match="read-only"):
        table[0, 0] = 1


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: data[:-1], id="cut off"),
        pytest.param(lambda data: data + b"x", id="too long"),
        pytest.param(lambda data: data[:5] + b"\xff" + data[6:], id="another byte"),
        pytest.param(lambda data: bytes(len(data)), id="zeros"),
    ],
)
def test_a_damaged_table_is_made_again(cache, damage):
    blocks = Blocks()
    shared_table("t.table", SHAPE, blocks)
    whole = (cache / "t.table").read_bytes()
    (cache / "t.table").write_bytes(damage(whole))
    np.testing.assert_array_equal(shared_table("t.table", SHAPE, blocks), TABLE)
    assert (cache / "t.table").read_bytes() == whole
    assert blocks.calls == 2


def test_a_cache_that_can_not_be_written_is_done_without(cache):
    cache.write_text("a file where the folder should be")
    np.testing.assert_array_equal(shared_table("t.table", SHAPE, Blocks()), TABLE)
    assert cache.read_text() == "a file where the folder should be"


def test_a_folder_in_the_place_of_the_table_is_done_without(cache):
    (cache / "t.table" / "inside").mkdir(parents=True)
    np.testing.assert_array_equal(shared_table("t.table", SHAPE, Blocks()), TABLE)
    assert [path.name for path in cache.iterdir()] == ["t.table"]


def test_processes_that_make_a_table_at_once_do_not_disturb_each_other(cache):
    """Each is in the midst of writing when the others begin."""
    code = (
        "import sys, time, numpy as np\n"
        "from recolor.datasets.shared_table import shared_table\n"
        "def blocks():\n"
        "    for k in range(6):\n"
        "        time.sleep(0.1)\n"
        "        yield np.full((1, 70_000), k, np.uint8)\n"
        "table = shared_table('t.table', (6, 70_000), blocks)\n"
        "assert (table == np.arange(6)[:, None]).all()\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert [path.name for path in cache.iterdir()] == ["t.table"]


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"RECOLOR_CACHE": "/r", "XDG_CACHE_HOME": "/x"}, "/r"),
        ({"RECOLOR_CACHE": "", "XDG_CACHE_HOME": "/x"}, "/x/recolor"),
        ({"XDG_CACHE_HOME": ""}, "/home/anna/.cache/recolor"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/anna/.cache/recolor"),
        ({}, "/home/anna/.cache/recolor"),
    ],
)
def test_where_tables_are_kept(monkeypatch, variables, folder):
    for name in ("RECOLOR_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/anna", **variables}.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(folder)


def test_a_file_has_the_permissions_of_any_new_file(cache):
    shared_table("t.table", SHAPE, Blocks())
    (cache / "other").touch()
    assert (cache / "t.table").stat().st_mode == (cache / "other").stat().st_mode
