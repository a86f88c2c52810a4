"""What is known of each poster of a list, kept in a database beside the posters."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from recolor.datasets.errors import RecolorError
from recolor.platform.collection.file_names import stems
from recolor.platform.collection.poster_list import Row

STATE_FILE = ".collect.sqlite"
DONE, WAITING = "ok", "waiting"
# Rows that are looked up at a time: a long list must not be held in memory.
BATCH = 500
SCHEMA = f"""
-- What was found at each address, in this run or an earlier one.
CREATE TABLE IF NOT EXISTS posters (
    address TEXT PRIMARY KEY,
    stem TEXT NOT NULL,
    folded_stem TEXT NOT NULL UNIQUE,
    file TEXT,
    sha256 TEXT,
    status TEXT NOT NULL DEFAULT '{WAITING}',
    final INTEGER NOT NULL DEFAULT 0
);
-- The list of this run.
CREATE TABLE IF NOT EXISTS list (
    position INTEGER PRIMARY KEY, address TEXT NOT NULL, id TEXT, title TEXT, year INTEGER,
    repeated INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS list_address ON list (address);
"""


class StateError(RecolorError):
    """The database can't be used."""


@dataclass(frozen=True)
class Poster:
    """A poster of the list.

    Attributes:
        address: Where it is.
        stem: What its file is to be called, less the suffix.
        settled: Whether it is there, or can't be had for good.
    """

    address: str
    stem: str
    settled: bool


class State:
    """The database of a folder, which no other process may use meanwhile.

    Args:
        folder: With the posters.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._connection = sqlite3.connect(folder / STATE_FILE)
        with self._transaction() as database:
            # What was committed outlasts the process, without waiting for the disk each time. An
            # exclusive database needs no memory shared with others, which network disks don't have.
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.executescript(SCHEMA)

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._connection:
                yield self._connection
        except sqlite3.Error as error:
            file = self._folder / STATE_FILE
            raise StateError(
                f"{file}: {error}. Is the disk full? If the file is damaged, choose another folder"
            ) from None

    def enlist(self, rows: Iterable[Row]) -> int:
        """Make these rows the list, all or none of them, and return how many posters they are."""
        with self._transaction() as database:
            database.execute("DELETE FROM list")
            posters = 0
            for row in rows:
                repeated = database.execute(
                    "SELECT EXISTS (SELECT 1 FROM list WHERE address = ?)", (row.address,)
                ).fetchone()[0]
                database.execute(
                    "INSERT INTO list (address, id, title, year, repeated) VALUES (?, ?, ?, ?, ?)",
                    (row.address, row.id, row.title, row.year, repeated),
                )
                if not repeated:
                    posters += 1
                    self._name(row)
        return posters

    def _name(self, row: Row) -> None:
        """Choose a poster's name, unless it has one already."""
        known = "SELECT 1 FROM posters WHERE address = ?"
        if self._connection.execute(known, (row.address,)).fetchone():
            return
        for stem in stems(row.id, row.address):
            # Some systems take names in large and small letters for the same.
            added = self._connection.execute(
                "INSERT OR IGNORE INTO posters (address, stem, folded_stem) VALUES (?, ?, ?)",
                (row.address, stem, stem.casefold()),
            )
            if added.rowcount:
                return

    def posters(self) -> Iterator[Poster]:
        """Go through the posters of the list, in its order."""
        position = 0
        while True:
            with self._transaction() as database:
                batch = database.execute(
                    "SELECT position, address, stem, file, final FROM list JOIN posters"
                    " USING (address) WHERE position > ? AND NOT repeated ORDER BY position"
                    f" LIMIT {BATCH}",
                    (position,),
                ).fetchall()
            if not batch:
                return
            for _, address, stem, file, final in batch:
                if file and not (self._folder / file).exists():
                    self.fail(address, WAITING, final=False)
                    final = False
                yield Poster(address, stem, bool(final))
            position = batch[-1][0]

    def keep(self, address: str, file: str, sha256: str) -> None:
        """Note that a poster is there."""
        self._settle(address, file, sha256, DONE, final=True)

    def fail(self, address: str, status: str, *, final: bool) -> None:
        """Note that a poster is not there, and why; for good if that is final."""
        self._settle(address, None, None, status, final=final)

    def _settle(self, address, file, sha256, status, *, final) -> None:
        with self._transaction() as database:
            database.execute(
                "UPDATE posters SET file = ?, sha256 = ?, status = ?, final = ? WHERE address = ?",
                (file, sha256, status, final, address),
            )

    def table(self) -> Iterator[tuple]:
        """Go through the list: file, id, title, year, address, digest and status of each row."""
        with self._transaction() as database:
            yield from database.execute(
                "SELECT coalesce(file, ''), id, title, coalesce(year, ''), address,"
                " coalesce(sha256, ''), status FROM list JOIN posters USING (address)"
                " ORDER BY position"
            )

    def statuses(self) -> Iterator[tuple[str, bool, int]]:
        """Count the posters of the list: status, whether that is final, and how many."""
        with self._transaction() as database:
            yield from database.execute(
                "SELECT status, final, count(*) FROM list JOIN posters USING (address)"
                " WHERE NOT repeated GROUP BY status, final"
            )
