"""A PDF of one picture: its colors by an ICC profile, boxes for the printer, crop marks.

It is written band by band, since a poster for print takes a gigabyte.
"""

import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from recolor.platform.printing.inks import Inks
from recolor.platform.printing.sheet import Sheet

POINTS = 72
# In points: crop marks are 5 mm long, and at least 3 mm from the trimmed sheet.
MARK, GAP, LINE = 5 / 25.4 * POINTS, 3 / 25.4 * POINTS, 0.25
LEVEL = 3
# PNG's filter: differences from the pixel above.
UP = 2
CATALOG, PAGES, PAGE, CONTENT, INTENT, PROFILE, IMAGE, LENGTH, INK = range(1, 10)


def write_pdf(
    path: Path, bands: Iterable[np.ndarray], sheet: Sheet, inks: Inks, marks: bool
) -> None:
    """Write a PDF.

    Args:
        path: The file.
        bands: The sheet's rows from the top, in the printer's colors: ``uint8 [rows, w, c]``.
        sheet: The sheet.
        inks: The printer's colors.
        marks: Whether to draw crop marks around the sheet.
    """
    with path.open("wb") as file:
        _Pdf(file).write(bands, sheet, inks, marks)


class _Pdf:
    def __init__(self, file: BinaryIO):
        self._file = file
        self._offsets: dict[int, int] = {}
        # What follows the version tells programs that the file is not text.
        file.write(b"%PDF-1.6\n%\xe2\xe3\xcf\xd3\n")

    def write(self, bands, sheet: Sheet, inks: Inks, marks: bool) -> None:
        scale = POINTS / sheet.dpi
        bleed, (width, height) = sheet.bleed * scale, (side * scale for side in sheet.size)
        gap = max(GAP, bleed)
        # From the edge of the page to that of the bleed.
        margin = gap + MARK - bleed if marks else 0
        page = (0, 0, width + 2 * margin, height + 2 * margin)
        bleed_box = (margin, margin, margin + width, margin + height)
        trim_box = _moved_in(bleed_box, bleed)
        channels = len(inks.mode)
        space = f"[/ICCBased {PROFILE} 0 R]"
        name = _text(inks.name)

        self._object(CATALOG, f"/Type /Catalog /Pages {PAGES} 0 R /OutputIntents [{INTENT} 0 R]")
        self._object(PAGES, f"/Type /Pages /Kids [{PAGE} 0 R] /Count 1")
        self._object(
            PAGE,
            f"/Type /Page /Parent {PAGES} 0 R /Contents {CONTENT} 0 R "
            f"/MediaBox {_box(page)} /BleedBox {_box(bleed_box)} /TrimBox {_box(trim_box)} "
            f"/Resources << /XObject << /Poster {IMAGE} 0 R >> "
            f"/ColorSpace << /AllInks {INK} 0 R >> >>",
        )
        place = f"q {width:.4f} 0 0 {height:.4f} {margin:.4f} {margin:.4f} cm /Poster Do Q\n"
        drawn = _crop_marks(trim_box, gap) if marks else ""
        self._stream(CONTENT, "", (place + drawn).encode())
        self._object(
            INTENT,
            f"/Type /OutputIntent /S /GTS_PDFX /OutputConditionIdentifier {name} /Info {name} "
            f"/DestOutputProfile {PROFILE} 0 R",
        )
        self._stream(PROFILE, f"/N {channels} ", inks.profile)
        self._begin(
            IMAGE,
            f"/Type /XObject /Subtype /Image /Width {sheet.size[0]} /Height {sheet.size[1]} "
            f"/ColorSpace {space} /BitsPerComponent 8 /Length {LENGTH} 0 R /Filter /FlateDecode "
            f"/DecodeParms << /Predictor 15 /Colors {channels} /Columns {sheet.size[0]} >>",
        )
        length = self._pixels(bands)
        self._file.write(b"\nendstream\nendobj\n")
        self._write(LENGTH, str(length))
        # Crop marks are printed in all inks.
        self._write(
            INK,
            "[/Separation /All /DeviceCMYK << /FunctionType 2 /Domain [0 1] /N 1 "
            "/C0 [0 0 0 0] /C1 [1 1 1 1] >>]",
        )
        self._end()

    def _pixels(self, bands: Iterable[np.ndarray]) -> int:
        """Write compressed rows, and return how many bytes they take."""
        start, compressor, above = self._file.tell(), zlib.compressobj(LEVEL), 0
        for band in bands:
            rows = band.reshape(len(band), -1)
            filtered = np.empty((len(rows), 1 + rows.shape[1]), np.uint8)
            filtered[:, 0] = UP
            filtered[0, 1:] = rows[0] - above
            np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
            above = rows[-1].copy()
            self._file.write(compressor.compress(filtered))
        self._file.write(compressor.flush())
        return self._file.tell() - start

    def _object(self, number: int, entries: str) -> None:
        self._write(number, f"<< {entries} >>")

    def _write(self, number: int, content: str) -> None:
        self._offsets[number] = self._file.tell()
        self._file.write(f"{number} 0 obj\n{content}\nendobj\n".encode())

    def _begin(self, number: int, entries: str) -> None:
        self._offsets[number] = self._file.tell()
        self._file.write(f"{number} 0 obj\n<< {entries} >>\nstream\n".encode())

    def _stream(self, number: int, entries: str, content: bytes) -> None:
        packed = zlib.compress(content)
        self._begin(number, f"{entries}/Length {len(packed)} /Filter /FlateDecode")
        self._file.write(packed + b"\nendstream\nendobj\n")

    def _end(self) -> None:
        start, count = self._file.tell(), len(self._offsets) + 1
        table = "".join(f"{self._offsets[number]:010} 00000 n \n" for number in range(1, count))
        self._file.write(
            f"xref\n0 {count}\n0000000000 65535 f \n{table}"
            f"trailer\n<< /Size {count} /Root {CATALOG} 0 R >>\n"
            f"startxref\n{start}\n%%EOF\n".encode()
        )


def _crop_marks(trim: tuple, gap: float) -> str:
    """Draw two lines at each corner of the trimmed sheet, outside of its bleed."""
    left, bottom, right, top = trim
    lines = [f"/AllInks CS 1 SCN {LINE} w"]
    for x, away in ((left, -1), (right, 1)):
        for y in (bottom, top):
            lines.append(_line(x + away * gap, y, x + away * (gap + MARK), y))
    for y, away in ((bottom, -1), (top, 1)):
        for x in (left, right):
            lines.append(_line(x, y + away * gap, x, y + away * (gap + MARK)))
    return "\n".join(lines)


def _line(*ends: float) -> str:
    return "{:.4f} {:.4f} m {:.4f} {:.4f} l S".format(*ends)


def _moved_in(box: tuple, by: float) -> tuple:
    return box[0] + by, box[1] + by, box[2] - by, box[3] - by


def _box(box: tuple) -> str:
    return "[{:.4f} {:.4f} {:.4f} {:.4f}]".format(*box)


def _text(text: str) -> str:
    return f"<feff{text.encode('utf-16-be').hex()}>"
