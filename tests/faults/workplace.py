"""Folders to run commands in, and what is in them afterwards."""

import hashlib
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from forge import Ended, Forge

STORE = Path("mlruns/mlflow.db")
# What a command only has for a while. A lock's file stays, and says nothing by being there.
TEMPORARY = (".recolor-*", ".partial", "*.db.new*", "*.part", "*.tmp")


@dataclass(frozen=True)
class Supplies:
    """What commands are given: made once, never written to.

    Attributes:
        posters: A folder of small posters.
        data: A data set of them.
        checkpoint: A file of `train --untracked` on it.
        store: A store with a regression and a classification, versions 1 and 2; 1 is champion.
    """

    posters: Path
    data: Path
    checkpoint: Path
    store: Path

    @classmethod
    def make(cls, forge: Forge, folder: Path) -> "Supplies":
        """Make them in an empty folder."""

        def call(*arguments):
            ended = forge.call(folder, *arguments)
            assert ended.status == 0, ended.said

        call("demo-posters", "--out", "posters", "--count", 30, "--seed", 3)
        call(*("prepare", "posters", "--out", "data", "--size", 16, "--split", "20,6,4"))
        training = ["train", "--epochs", 1, "--batch-size", 10, "--model"]
        call(*training, "regression", "--untracked", "checkpoint")
        call("import-weights", "checkpoint")
        call(*training, "classification")
        call("promote", "--version", 1, "--force")
        return cls(*(folder / name for name in ("posters", "data", "checkpoint")), folder / STORE)

    def place(self, folder: Path) -> Path:
        """Make a folder with a store of its own."""
        folder.mkdir()
        self.lend_store(folder)
        return folder

    def lend_store(self, folder: Path) -> None:
        """Give a folder a store of its own with the two versions."""
        (folder / STORE).parent.mkdir(parents=True)
        shutil.copy(self.store, folder / STORE)


def rows(folder: Path, query: str) -> list[tuple]:
    """Ask the store in a folder, by SQL; none, where there is no store yet."""
    if not (folder / STORE).exists():
        return []
    with closing(sqlite3.connect(folder / STORE)) as store:
        return store.execute(query).fetchall()


def contents(folder: Path) -> dict[str, str]:
    """The digest of each file but those of the stores, by its path."""
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != ".lock" and "mlruns" not in file.parts
    }


def newest_version(folder: Path) -> list[tuple]:
    """All that is tagged to the newest version: its measurements among it."""
    newest = "(SELECT max(version) FROM model_versions)"
    return sorted(
        rows(folder, f"SELECT key, value FROM model_version_tags WHERE version = {newest}")
    )


def check_whole(folder: Path, ended: Ended) -> None:
    """Check what must hold after a command has ended, whatever happened before it."""
    check_said(ended)
    left = [str(path) for pattern in TEMPORARY for path in folder.rglob(pattern)]
    assert not left, f"left behind: {left}"
    running = rows(folder, "SELECT name, run_uuid FROM runs WHERE status = 'RUNNING'")
    assert not running, f"left RUNNING: {running}"
    tags = "SELECT count(*) FROM model_version_tags AS tag WHERE tag.version = version.version"
    bare = rows(folder, f"SELECT version FROM model_versions AS version WHERE ({tags}) < 10")
    assert not bare, f"versions without tags: {bare}"


def check_said(ended: Ended) -> None:
    """Check that a command has not shown a traceback, nor ended with an error unforeseen."""
    assert "Traceback" not in ended.said, ended.said
    assert "unexpected" not in ended.said, ended.said
