"""A list of posters: a CSV file as public lists are, read row by row."""

import codecs
import csv
import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recolor.datasets.errors import RecolorError

# Names of columns, the best first; without regard to case, blanks, hyphens and underscores.
ADDRESS_NAMES = ("poster", "posterurl", "posterlink", "image", "imageurl", "url", "link")
ID_NAMES = ("imdbid", "id")
TITLE_NAMES = ("title",)
YEAR_NAMES = ("year",)
DELIMITERS = ",;\t|"
# "Heat (1995)", and "The Kingdom (1994-1997)", also with a longer dash.
YEAR_OF_TITLE = re.compile(r"\s*\((\d{4})(?:\s*[-\u2013][^()]*)?\)\s*$")
# Of a list that has a thousand columns, or no lines.
LONGEST_COLUMNS = 200


class ListError(RecolorError):
    """A list of posters can't be read."""


@dataclass(frozen=True)
class Row:
    """What a list says of a poster; a text is empty where it says nothing.

    Attributes:
        address: Where the poster is.
        id: Its name in the list.
        title: Of the movie, without the year.
        year: Of the movie; None if it is not known.
    """

    address: str
    id: str
    title: str
    year: int | None


@dataclass(frozen=True)
class Years:
    """A range of years.

    Attributes:
        first: Of them.
        last: Of them.
    """

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> "Years":
        """Read a range as it is typed: ``2000-2020``, or ``1994`` alone.

        Raises:
            ListError: If it is none.
        """
        found = re.fullmatch(r"\s*(\d{4})\s*(?:[-\u2013]\s*(\d{4})\s*)?", text)
        years = found and cls(int(found[1]), int(found[2] or found[1]))
        if not years or years.first > years.last:
            raise ListError(f"--years {text}: give a range like 2000-2020, or one year")
        return years

    def __contains__(self, year: int | None) -> bool:
        return year is not None and self.first <= year <= self.last

    def __str__(self) -> str:
        return f"{self.first}-{self.last}" if self.first < self.last else str(self.first)


def read_list(path: Path) -> Iterator[Row]:
    """Read a list of posters, row by row.

    Each line is UTF-8 or else Latin-1, unless the file begins with the mark of UTF-16. The first
    line names the columns; of ``, ; |`` and the tab, what it holds most of separates them.

    Args:
        path: A CSV file; a pipe will do.

    Raises:
        ListError: If it is no CSV file, or has no column with addresses.
        OSError: If it can't be read.
    """
    with path.open("rb") as file:
        lines = _decoded(file)
        header = next(lines, "")
        delimiter = max(DELIMITERS, key=header.count)
        # A name in quotes may hold a line break.
        reader = csv.reader(itertools.chain([header], lines), delimiter=delimiter, strict=True)
        try:
            yield from _rows(reader, path)
        except csv.Error as error:
            raise ListError(f"{path}, line {reader.line_num}: no CSV: {error}") from None


def _decoded(file: io.BufferedReader) -> Iterator[str]:
    if file.peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        yield from io.TextIOWrapper(file, encoding="utf-16", errors="replace", newline="")
        return
    mark = codecs.BOM_UTF8
    for line in file:
        try:
            yield line.removeprefix(mark).decode("utf-8")
        except UnicodeDecodeError:
            yield line.decode("latin-1")
        mark = b""


def _rows(reader, path: Path) -> Iterator[Row]:
    columns = next(reader, [])
    places: dict[str, int] = {}
    for place, column in enumerate(columns):
        places.setdefault(re.sub(r"[\s_-]", "", column).casefold(), place)

    def place_of(names: tuple[str, ...]) -> int | None:
        return next((places[name] for name in names if name in places), None)

    address, its_id = place_of(ADDRESS_NAMES), place_of(ID_NAMES)
    title, year = place_of(TITLE_NAMES), place_of(YEAR_NAMES)
    if address is None:
        there = (
            ", ".join(" ".join(column.split()) for column in columns)[:LONGEST_COLUMNS] or "none"
        )
        raise ListError(
            f"{path}: no column Poster, image, url or link. The first line must name the columns; "
            f"there are: {there}"
        )
    for cells in reader:
        if not cells:
            continue

        def cell(place: int | None, cells: list[str] = cells) -> str:
            return cells[place].strip() if place is not None and place < len(cells) else ""

        name, ending = cell(title), YEAR_OF_TITLE.search(cell(title))
        number = re.search(r"\b\d{4}\b", cell(year))
        if ending:
            name = name[: ending.start()]
        known = number[0] if number else ending[1] if ending else None
        yield Row(cell(address), cell(its_id), name, int(known) if known else None)
