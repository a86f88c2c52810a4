"""The years of posters, from CSV files."""

import csv
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from recolor.datasets.errors import RecolorError

# Spreadsheets write 1983.0 where a column has gaps.
YEAR = re.compile(r"(1[89]\d\d|2[01]\d\d)(\.0)?")
# Spreadsheets separate columns by semicolons in many countries.
SEPARATORS = ",;\t"


class YearsError(RecolorError):
    """A file of years can't be used."""


class Years:
    """Which year each poster is of.

    Args:
        rows: A poster's file name, file name without its suffix, or sha256, and a year.
    """

    def __init__(self, rows: Iterable[tuple[str, int]] = ()):
        self._years: dict[str, set[int]] = defaultdict(set)
        for key, year in rows:
            self._years[unicodedata.normalize("NFC", key)].add(year)

    @classmethod
    def load(cls, files: Iterable[Path]) -> "Years":
        """Read CSV files whose first line names the columns.

        They need a column ``year`` and one of ``file``, ``id`` and ``sha256``. The column ``id``
        only counts where there is no ``file``. Rows without a year are passed over.

        Raises:
            YearsError: If a file can't be read, lacks these columns, or has a year that is none.
        """
        return cls(row for file in files for row in _rows(file))

    def __getitem__(self, poster: tuple[str, str]) -> int | None:
        """Return the year of a poster, by its name and sha256; None if it is not known.

        The sha256 goes first, since two data sets may have files of the same name.

        Raises:
            YearsError: If the files tell several years.
        """
        name, sha256 = poster
        name = unicodedata.normalize("NFC", name)
        keys = (sha256, name, str(PurePosixPath(name).with_suffix("")))
        known = [self._years[key] for key in keys if key in self._years]
        for years in known:
            if len(years) == 1:
                return next(iter(years))
        if known:
            told = ", ".join(map(str, sorted(known[0])))
            raise YearsError(f"{name} has several years, {told}: leave one of them in the CSV file")
        return None


def _rows(file: Path) -> Iterator[tuple[str, int]]:
    """Read what identifies a poster, and its year, once for each way to identify it."""
    try:
        # Spreadsheets put a mark at the beginning of UTF-8.
        with file.open(encoding="utf-8-sig", newline="") as lines:
            separator = max(SEPARATORS, key=lines.readline().count)
            lines.seek(0)
            reader = csv.reader(lines, delimiter=separator)
            header = [name.strip().casefold() for name in next(reader, [])]
            keys = [name for name in ("file", "id", "sha256") if name in header]
            if "year" not in header or not keys:
                raise YearsError(
                    f"{file}: the first line must name the columns, among them year, and file, id "
                    "or sha256"
                )
            if "file" in keys and "id" in keys:
                keys.remove("id")
            for cells in reader:
                row = dict(zip(header, map(str.strip, cells), strict=False))
                year = row.get("year")
                if not year:
                    continue
                if not YEAR.fullmatch(year):
                    raise YearsError(
                        f"{file}, line {reader.line_num}: {year!r} is not a year: write it in four "
                        "digits, or leave it empty"
                    )
                for key in keys:
                    if value := row.get(key):
                        yield value.lower() if key == "sha256" else value, int(year[:4])
    except OSError as error:
        raise YearsError(f"{file} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise YearsError(f"{file} is not UTF-8: save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise YearsError(f"{file}, line {reader.line_num}: {error}") from None
