"""Lists of posters: CSV files as they are found in public."""

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from recolor.datasets.errors import RecolorError

# Names of columns, the best first; case, blanks, hyphens and underscores don't matter.
URL_NAMES = ("poster", "posterurl", "posterlink", "image", "imageurl", "url", "link")
ID_NAMES = ("imdbid", "id")
DELIMITERS = ",;\t|"
# "Heat (1995)", and "The Kingdom (1994-1997)", also with a longer dash.
YEAR_OF_TITLE = re.compile(r"\s*\((\d{4})(?:\s*[-\u2013][^()]*)?\)\s*$")
LONGEST_HEADER_SHOWN = 200


class ListError(RecolorError):
    """A list of posters can't be read."""


@dataclass(frozen=True)
class Row:
    """A row of a list; texts are empty where the list has none.

    Attributes:
        url: Where the poster is.
        id: Of the movie, in the list.
        title: Of the movie, without the year.
        year: Of the movie; None if it is not known.
    """

    url: str
    id: str
    title: str
    year: int | None


def parse_years(text: str) -> range:
    """Read a range of years: ``2000-2020``, or ``1994`` alone.

    Raises:
        ListError: If the text is neither.
    """
    found = re.fullmatch(r"\s*(\d{4})\s*(?:[-\u2013]\s*(\d{4})\s*)?", text)
    years = range(int(found[1]), int(found[2] or found[1]) + 1) if found else range(0)
    if not years:
        raise ListError(f"--years {text}: give a range like 2000-2020, or one year")
    return years


def read_list(path: Path) -> list[Row]:
    """Read a list of posters.

    Args:
        path: A CSV file in UTF-8, UTF-16 (with its mark) or Latin-1. The first line names the
            columns; the most frequent of ``, ; |`` and tab in it separates them.

    Raises:
        ListError: If it is not a CSV file, or has no column of URLs.
        OSError: If it can't be read.
    """
    text = _decode(path.read_bytes())
    delimiter = max(DELIMITERS, key=text.partition("\n")[0].count)
    lines = csv.DictReader(
        io.StringIO(text, newline=""), restval="", delimiter=delimiter, strict=True
    )
    try:
        columns = lines.fieldnames or []
        lines.fieldnames = [re.sub(r"[\s_-]", "", column).casefold() for column in columns]
        if not set(URL_NAMES) & set(lines.fieldnames):
            found = ", ".join(" ".join(column.split()) for column in columns) or "none"
            raise ListError(
                f"{path}: no column Poster, image, url or link. The first line must name the "
                f"columns; it has: {found[:LONGEST_HEADER_SHOWN]}"
            )
        return [_row(cells) for cells in lines]
    except csv.Error as error:
        raise ListError(f"{path}, line {lines.reader.line_num}: not CSV: {error}") from None


def _decode(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _row(cells: dict[str, str]) -> Row:
    def cell(*names: str) -> str:
        return next((cells[name].strip() for name in names if name in cells), "")

    title, year = cell("title"), re.search(r"\b\d{4}\b", cell("year"))
    ending = YEAR_OF_TITLE.search(title)
    if ending:
        title = title[: ending.start()]
    known = year[0] if year else ending and ending[1]
    return Row(cell(*URL_NAMES), cell(*ID_NAMES), title, int(known) if known else None)
