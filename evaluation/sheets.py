"""Sheets of pictures and of posters, and palettes as strips of color.

They are drawn by `recolor apply` and `recolor prepare`, too, so nothing heavy is imported.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from recolor.datasets.color import lab8_to_rgb
from recolor.datasets.palettes.palette import Palette
from recolor.datasets.posters import Box
from recolor.datasets.swatches import Swatch

if TYPE_CHECKING:
    from recolor.evaluation.answers import Column
    from recolor.evaluation.metrics.observation import Predictor

PAPER_WHITE = (255, 255, 255)
INK = (40, 40, 40)
MARGIN = 8
SWATCH_HEIGHT = 26
SHEET_POSTERS = 12


def swatch(
    colors: Sequence[tuple[str, float]], width: int, height: int, after: Sequence[str] = ()
) -> Image.Image:
    """Draw colors as a strip, each as wide as the root of its share.

    Args:
        colors: Each color, ``#rrggbb``, with its share.
        width, height: Of the strip, in pixels.
        after: What each color became, to be drawn below it.
    """
    strip = Image.new("RGB", (width, height), PAPER_WHITE)
    draw = ImageDraw.Draw(strip)
    # By root, since the neutrals would leave the others no room.
    roots = np.sqrt([share for _, share in colors])
    edges = np.rint(np.concatenate([[0], np.cumsum(roots) / roots.sum()]) * width)
    for (color, _), left, right in zip(colors, edges, edges[1:], strict=False):
        draw.rectangle((left, 0, right, height), fill=color)
    for color, left, right in zip(after, edges, edges[1:], strict=False):
        draw.rectangle((left, height // 2, right, height), fill=color)
    return strip


def with_swatch(
    picture: Image.Image,
    side: int,
    palette: Palette | None = None,
    changes: Sequence[tuple[Swatch, Swatch]] = (),
) -> Image.Image:
    """Put colors below a picture that fits a square.

    Args:
        picture: RGB.
        side: Of the square, in pixels.
        palette: Its palette; None leaves the place white.
        changes: The swatches that it had, and what each became, to be shown instead.
    """
    framed = Image.new("RGB", (side, side + SWATCH_HEIGHT), PAPER_WHITE)
    framed.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    colors = palette.swatch if palette else ()
    if changes:
        colors = [(before.color, before.share) for before, _ in changes]
    if colors:
        after = [swatch.color for _, swatch in changes]
        left = (side - picture.width) // 2
        top = (side + picture.height) // 2 + 4
        framed.paste(swatch(colors, picture.width, SWATCH_HEIGHT - 6, after), (left, top))
    return framed


def palette_chart(palettes: Sequence[Palette], commonness: Sequence[float]) -> Image.Image:
    """Draw a library's palettes, numbered from 1, each with its name and how common it is."""
    font = ImageFont.load_default(15)
    line, width, left = 34, 320, 44
    chart = Image.new("RGB", (left + width + 330, line * len(palettes) + MARGIN), PAPER_WHITE)
    draw = ImageDraw.Draw(chart)
    for number, (palette, share) in enumerate(zip(palettes, commonness, strict=True), 1):
        top = (number - 1) * line + MARGIN
        middle = top + (line - MARGIN) // 2
        draw.text((left - 10, middle), str(number), INK, font, anchor="rm")
        chart.paste(swatch(palette.swatch, width, line - MARGIN), (left, top))
        words = f"{palette.name}, {100 * share:.0f} %"
        draw.text((left + width + 12, middle), words, INK, font, anchor="lm")
    return chart


def contact_sheet(
    rows: Sequence[Sequence[Image.Image]], labels: Sequence[str], side: int = 256, columns: int = 1
) -> Image.Image:
    """Lay out rows of pictures below their labels.

    Args:
        rows: For each row its pictures, as many as there are labels. They are scaled to fit.
        labels: Heading of each picture in a row.
        side: Side of the square that a picture has, in pixels.
        columns: How many rows stand side by side.
    """
    font = ImageFont.load_default(14)
    header = 26
    cell = side + MARGIN
    block = cell * len(labels) + MARGIN
    height = header + -(-len(rows) // columns) * cell + MARGIN
    columns = min(columns, len(rows))
    sheet = Image.new("RGB", (block * columns, height), PAPER_WHITE)
    draw = ImageDraw.Draw(sheet)
    for column in range(columns):
        for number, label in enumerate(labels):
            center = column * block + MARGIN + number * cell + side // 2
            draw.text((center, header // 2), label, INK, font, anchor="mm")
    for number, row in enumerate(rows):
        top = header + (number // columns) * cell
        left = (number % columns) * block + MARGIN
        for picture in row:
            picture = ImageOps.contain(picture, (side, side), Image.Resampling.LANCZOS)
            offset = (left + (side - picture.width) // 2, top + (side - picture.height) // 2)
            sheet.paste(picture, offset)
            left += cell
    return sheet


def named_sheet(
    pictures: Sequence[tuple[str, Image.Image]], side: int, columns: int
) -> Image.Image:
    """Lay out pictures, each below its name.

    Args:
        pictures: Each with its name. They are scaled to fit.
        side: Side of the square that a picture has, in pixels.
        columns: How many stand side by side.
    """
    strips = []
    for first in range(0, len(pictures), columns):
        names, row = zip(*pictures[first : first + columns], strict=True)
        strips.append(contact_sheet([row], names, side))
    sheet = Image.new("RGB", (strips[0].width, sum(one.height for one in strips)), PAPER_WHITE)
    for number, strip in enumerate(strips):
        sheet.paste(strip, (0, number * strip.height))
    return sheet


def comparison_sheet(
    posters: Iterable[Mapping[str, np.ndarray]], predictors: Mapping[Column | str, Predictor]
) -> Image.Image:
    """Draw posters, the first 12: what was given, each prediction, and the truth.

    Args:
        posters: As of `recolor.datasets.shards.parse`.
        predictors: By column.
    """
    rows = []
    for poster in itertools.islice(posters, SHEET_POSTERS):
        answers = [predict(poster) for predict in predictors.values()]
        given = [one.given or one.source for one in answers]
        first = {one.name: Image.fromarray(one.rgb) for one in given if one}
        if not all(given) or not answers:
            first = {"gray": _drawn(poster, 0 * poster["ab"]), **first}
        predicted = [_drawn(poster, one.ab, one.lightness) for one in answers]
        rows.append([*first.values(), *predicted, _drawn(poster, poster["ab"])])
    return contact_sheet(rows, [*first, *map(str, predictors), "true"], columns=2)


def _drawn(
    poster: Mapping[str, np.ndarray], ab: np.ndarray, lightness: np.ndarray | None = None
) -> Image.Image:
    """Draw a poster in other colors, and with another lightness if one is given."""
    inside = Box.of(poster).slices
    lightness = poster["lightness"][..., 0] if lightness is None else lightness
    return Image.fromarray(lab8_to_rgb(lightness[inside], ab[inside]))
