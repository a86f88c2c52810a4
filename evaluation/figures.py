"""Pictures: learning curves, the distribution of color classes, and sheets of posters."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageDraw, ImageFont, ImageOps

from recolor.datasets.classes import GRID
from recolor.datasets.palettes.palette import Palette

PAPER_WHITE = (255, 255, 255)
INK = (40, 40, 40)
MARGIN = 8
SWATCH_HEIGHT = 18


def learning_curve(history: Sequence[dict[str, float]], title: str) -> Figure:
    """Plot losses by epoch (paper, Fig. 4), with a mark at the lowest.

    Args:
        history: For each epoch its ``loss`` and, where there was a validation, its ``val_loss``.
        title: Title of the figure.
    """
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel="epoch", ylabel="loss")
    epochs = range(1, len(history) + 1)
    for name, label in (("loss", "training"), ("val_loss", "validation")):
        if history and name in history[0]:
            values = [epoch[name] for epoch in history]
            few = len(history) < 30
            axes.plot(epochs, values, marker="o" if few else None, markersize=3, label=label)
            best = int(np.argmin(values))
            if name == "val_loss":
                axes.axvline(best + 1, color="0.6", linestyle=":", label=f"best epoch, {best + 1}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3, which="both")
    axes.legend(frameon=False)
    return figure


def dots(measured: dict[str, dict[str, list[float]]]) -> Figure:
    """Draw measurements as dots: a panel for each quantity, in it a row for each thing measured.

    Args:
        measured: By quantity, the measurements of each thing by its name; all quantities have the
            same things, but a thing may have no measurement.
    """
    names = list(next(iter(measured.values())))
    figure = Figure(figsize=(2 + 2.4 * len(measured), 1 + 0.3 * len(names)), layout="constrained")
    panels = figure.subplots(1, len(measured), sharey=True, squeeze=False)[0]
    for axes, (title, values) in zip(panels, measured.items(), strict=True):
        for row, name in enumerate(names):
            several = values[name]
            axes.plot(several, [row] * len(several), "o", color="C0", alpha=0.7)
        # A line through the first, which the others are variants of.
        if first := values[names[0]]:
            axes.axvline(sum(first) / len(first), color="0.6", linestyle=":")
        axes.set_title(title, fontsize=9)
        axes.grid(alpha=0.3, axis="x")
    panels[0].set_yticks(range(len(names)), names)
    panels[0].invert_yaxis()
    return figure


def class_distribution(cell_counts: dict[str, np.ndarray]) -> Figure:
    """Draw the logarithm of each color class's share in the ab plane (paper, Fig. 2, left).

    Args:
        cell_counts: Pixels in each cell of the grid, ``int [1024]``, of each panel by its title.
    """
    panels = len(cell_counts)
    figure = Figure(figsize=(1 + 4.6 * panels, 4.8), layout="constrained")
    # One scale for all panels, so that they can be compared.
    norm = LogNorm(1e-8, 1)
    for number, (title, counts) in enumerate(cell_counts.items(), 1):
        share = counts.reshape(GRID, GRID) / max(1, counts.sum())
        classes = int(np.count_nonzero(share))
        axes = figure.add_subplot(
            1, panels, number, title=f"{title}: {classes} color classes", xlabel="b", ylabel="a"
        )
        image = axes.imshow(
            np.ma.masked_equal(share, 0),
            norm=norm,
            origin="lower",
            extent=(-128, 128, -128, 128),
            cmap="viridis",
        )
        axes.set_facecolor("0.93")
    figure.colorbar(image, ax=figure.axes, label="share of pixels")
    return figure


def swatch(palette: Palette, width: int, height: int) -> Image.Image:
    """Draw a palette as a strip, each color as wide as the root of its share."""
    strip = Image.new("RGB", (width, height), PAPER_WHITE)
    draw = ImageDraw.Draw(strip)
    # By root, since the neutrals would leave the others no room.
    roots = np.sqrt([share for _, share in palette.swatch])
    edges = np.rint(np.concatenate([[0], np.cumsum(roots) / roots.sum()]) * width)
    for (color, _), left, right in zip(palette.swatch, edges, edges[1:], strict=False):
        draw.rectangle((left, 0, right, height), fill=color)
    return strip


def with_swatch(picture: Image.Image, palette: Palette | None, side: int) -> Image.Image:
    """Put a palette's swatch below a picture that fits a square; none leaves the place white."""
    framed = Image.new("RGB", (side, side + SWATCH_HEIGHT), PAPER_WHITE)
    framed.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    if palette is not None:
        left = (side - picture.width) // 2
        top = (side + picture.height) // 2 + 4
        framed.paste(swatch(palette, picture.width, SWATCH_HEIGHT - 6), (left, top))
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
        chart.paste(swatch(palette, width, line - MARGIN), (left, top))
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
