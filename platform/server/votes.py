"""Votes on which of two versions of a poster is better, and the CSV file that they are kept in."""

import csv
import io
import os
import threading
from dataclasses import astuple, dataclass, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

from recolor.datasets.errors import RecolorError, reason_of
from recolor.datasets.spreadsheets import as_text

LEFT, RIGHT, SAME = "left", "right", "no difference"
# None begins with another one, so a row that was cut off is not taken for a whole one.
CHOICES = (LEFT, RIGHT, SAME)
# Who is asked, about which poster, and between which versions, wherever they were shown.
Question = tuple[str, str, frozenset[str]]


class VotesError(RecolorError):
    """A file of votes can't be read or written."""


@dataclass(frozen=True)
class Vote:
    """A row of the file.

    Attributes:
        time: In UTC, as ISO 8601 writes it.
        judge: Who voted.
        poster: Name of the poster.
        left, right: Names of the versions that were shown there.
        choice: One of `CHOICES`.
    """

    time: str
    judge: str
    poster: str
    left: str
    right: str
    choice: str

    @property
    def question(self) -> Question:
        """What it answers."""
        return _question(self.judge, self.poster, self.left, self.right)

    @property
    def preferred(self) -> str | None:
        """Name of the version that was preferred; None if neither was."""
        return {LEFT: self.left, RIGHT: self.right}.get(self.choice)


COLUMNS = tuple(field.name for field in fields(Vote))


class Votes:
    """The votes in a file; what is added is written at once, and may come from several threads.

    Args:
        file: The file, which is made if it is missing.

    Raises:
        VotesError: If it can't be read or written, or holds something else.
    """

    def __init__(self, file: Path):
        self._file, self._lock = file, threading.Lock()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a+b") as opened:
                opened.seek(0)
                votes = _read_and_mend(opened)
        except OSError as error:
            raise VotesError(f"{file} can't be written: {reason_of(error)}") from None
        except (ValueError, csv.Error):
            raise VotesError(
                f"{file} holds something else than votes: choose another file"
            ) from None
        # The first one of each counts.
        self._votes = {vote.question: vote for vote in reversed(votes)}

    def between(self, one: str, other: str) -> list[Vote]:
        """Return the votes between two versions."""
        names = {_cell(one), _cell(other)}
        with self._lock:
            return [vote for vote in self._votes.values() if {vote.left, vote.right} == names]

    def has(self, judge: str, poster: str, one: str, other: str) -> bool:
        """Tell whether a judge has voted on two versions of a poster."""
        with self._lock:
            return _question(*map(_cell, (judge, poster, one, other))) in self._votes

    def add(self, judge: str, poster: str, left: str, right: str, choice: str) -> None:
        """Write a vote, unless the judge has voted on these versions of the poster.

        Raises:
            VotesError: If it can't be written; nothing of it is in the file then.
        """
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        vote = Vote(now, *map(_cell, (judge, poster, left, right)), choice)
        with self._lock:
            if vote.question not in self._votes:
                self._write(_row(astuple(vote)))
                self._votes[vote.question] = vote

    def _write(self, row: bytes) -> None:
        try:
            with self._file.open("ab", buffering=0) as opened:
                end = opened.tell()
                try:
                    # In one piece, so that no kill leaves half a row.
                    if opened.write(row) < len(row):
                        raise OSError("no space left")
                    os.fsync(opened.fileno())
                except OSError:
                    opened.truncate(end)
                    raise
        except OSError as error:
            raise VotesError(f"{self._file} can't be written: {reason_of(error)}") from None


@dataclass(frozen=True)
class Tally:
    """What came of the votes between two versions.

    Attributes:
        names: Of the versions.
        wins: How often each was preferred.
        ties: How often neither was.
        judges, posters: How many there were.
    """

    names: tuple[str, str]
    wins: tuple[int, int]
    ties: int
    judges: int
    posters: int

    @classmethod
    def of(cls, votes: Votes, one: str, other: str) -> "Tally":
        """Count the votes between two versions."""
        found = votes.between(one, other)
        preferred = [vote.preferred for vote in found]
        wins = preferred.count(_cell(one)), preferred.count(_cell(other))
        judges, posters = ({getattr(vote, name) for vote in found} for name in ("judge", "poster"))
        return cls((one, other), wins, preferred.count(None), len(judges), len(posters))

    @property
    def p_value(self) -> float:
        """Of a two-sided sign test: of preferences at least as one-sided if nobody had any."""
        # It takes a second to import.
        from scipy.stats import binomtest

        decided = sum(self.wins)
        return float(binomtest(self.wins[0], decided).pvalue) if decided else 1.0

    def describe(self) -> list[str]:
        """Return a table, line by line."""
        rows = [*zip(self.names, self.wins, strict=True), (SAME, self.ties)]
        width = max(len(name) for name, _ in rows)
        return [
            *(f"{name:{width}}  {count:5d}" for name, count in rows),
            f"{sum(self.wins) + self.ties} votes of {self.judges} judges on {self.posters} "
            f"posters; two-sided sign test: p = {self.p_value:.2g}",
        ]


def _question(judge: str, poster: str, one: str, other: str) -> Question:
    return judge, poster, frozenset({one, other})


def _cell(text: str) -> str:
    """Return a text that can be written, and is no formula; names of files may be any bytes."""
    return as_text(text.encode("utf-8", "backslashreplace").decode())


def _row(cells: tuple[str, ...]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode()


def _read_and_mend(file: BinaryIO) -> list[Vote]:
    """Read votes; a last row that was cut off, as by a full disk, is taken away.

    Raises:
        ValueError, csv.Error: If there is something else in the file.
    """
    data = file.read()
    if not data:
        file.write(_row(COLUMNS))
        return []
    whole = data.rfind(b"\n") + 1
    header, *rows = _rows(data[:whole]) or [[]]
    if tuple(header) != COLUMNS:
        raise ValueError("not votes")
    if last := _rows(data[whole:]):
        if _is_vote(*last):
            # An editor has left out the end of the line.
            file.write(b"\n")
            rows += last
        else:
            file.truncate(whole)
    return [Vote(*row) for row in rows if _is_vote(row)]


def _rows(data: bytes) -> list[list[str]]:
    text = data.decode("utf-8-sig", "replace")
    return list(csv.reader(io.StringIO(text, newline="")))


def _is_vote(row: list[str]) -> bool:
    return len(row) == len(COLUMNS) and row[-1] in CHOICES
