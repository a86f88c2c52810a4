"""Sheets of results: before and after, and series that go together."""

import io
from collections.abc import Sequence

from PIL import Image

from recolor.datasets.color_profiles import srgb_profile
from recolor.evaluation.sheets import SWATCH_HEIGHT, contact_sheet, named_sheet

SHEET_SIDE = 320
# Of a series: twelve results a page, at a resolution for print.
SERIES_SIDE, SERIES_COLUMNS, SERIES_ROWS, SERIES_DPI = 560, 4, 3, 200

Results = Sequence[tuple[str, Image.Image]]


def small(picture: Image.Image, side: int) -> Image.Image:
    """Return a copy of a picture, its longest side at most ``side`` pixels."""
    copy = picture.copy()
    copy.thumbnail((side, side), Image.Resampling.LANCZOS)
    return copy


def before_and_after(rows: Sequence[Sequence[Image.Image]], suggestions: int) -> bytes:
    """Lay out pictures before and after, each above its swatch: a PNG file.

    Args:
        rows: Of each picture, how it was and its versions, as `with_swatch` draws them.
        suggestions: How many versions there are, where they are numbered; else 0.
    """
    labels = ["before", *(["after"] if not suggestions else map(str, range(1, suggestions + 1)))]
    # As wide as a screen.
    columns = max(1, min(8 // len(labels), len(rows)))
    return _png(contact_sheet(rows, labels, SHEET_SIDE + SWATCH_HEIGHT, columns))


def series_png(results: Results) -> bytes:
    """Lay out the results of a series: a PNG file.

    Args:
        results: Names and pictures, as `with_swatch` draws them.
    """
    return _png(_laid_out(results))


def series_pdf(results: Results) -> bytes:
    """Lay out the results of a series as `series_png` does, in pages to print: a PDF file."""
    page, file = SERIES_COLUMNS * SERIES_ROWS, io.BytesIO()
    first, *rest = (
        _laid_out(results[start : start + page]) for start in range(0, len(results), page)
    )
    first.save(file, "PDF", save_all=True, append_images=rest, resolution=SERIES_DPI, quality=95)
    return file.getvalue()


def _laid_out(results: Results) -> Image.Image:
    return named_sheet(results, SERIES_SIDE + SWATCH_HEIGHT, SERIES_COLUMNS)


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", icc_profile=srgb_profile())
    return file.getvalue()
