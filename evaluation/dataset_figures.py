"""Pictures of what posters are like: hues, lightness and chroma, color schemes."""

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter
from PIL import Image, ImageDraw, ImageFont

from recolor.datasets.atomic_file import atomic_write
from recolor.datasets.color import lab8_to_rgb
from recolor.datasets.palettes.library import PaletteLibrary
from recolor.evaluation.dataset_statistics import (
    CHROMA_STEP,
    LIGHTNESS_STEP,
    ColorStatistics,
    DatasetStatistics,
    SharedSchemes,
)
from recolor.evaluation.figures import class_distribution
from recolor.evaluation.sheets import INK, MARGIN, PAPER_WHITE, palette_chart, swatch

HUE_STEP = 10
# In which lightness (stored L) and chroma hues are drawn.
HUE_LIGHTNESS, HUE_CHROMA = 165, 50
HEADER, LINE = 30, 34
# Up to so many lines have colors that are easily told apart.
FEW_LINES = 4


def draw(
    sets: dict[str, DatasetStatistics], shared: SharedSchemes | None, folder: Path
) -> dict[str, str]:
    """Draw all pictures, as PNG files in a folder.

    Args:
        sets: The data sets by name.
        shared: Color schemes of all of them; None for a single data set.
        folder: Where to write to.

    Returns:
        The files' names by their titles.
    """
    # Two dollar signs would make a formula of what is between them.
    groups = {name.replace("$", r"\$"): colors for name, colors in _groups(sets).items()}
    classes = {
        name.replace("$", r"\$"): one.colors.cells[:, 0] / one.colors.posters
        for name, one in sets.items()
    }
    pictures = {
        "Color classes": ("color-classes.png", class_distribution(classes)),
        "Hues": ("hues.png", hue_figure(groups)),
        "Lightness and chroma": ("lightness-and-chroma.png", lightness_and_chroma_figure(groups)),
        "The commonest color schemes": (
            "color-schemes.png",
            scheme_figure({name: one.schemes for name, one in sets.items()}),
        ),
    }
    if shared:
        figure = shared_scheme_figure(shared)
        pictures["Color schemes of all together"] = ("shared-color-schemes.png", figure)
    for file, picture in pictures.values():
        with atomic_write(folder / file) as temporary:
            if isinstance(picture, Figure):
                picture.savefig(temporary, dpi=90, format="png")
            else:
                picture.save(temporary, "PNG")
    return {title: file for title, (file, _) in pictures.items()}


def hue_figure(groups: dict[str, ColorStatistics]) -> Figure:
    """Draw which hues the pixels have that are not neutral: a row for each group of posters."""
    figure = Figure(figsize=(7.5, 1.0 + 1.1 * len(groups)), layout="constrained")
    rows = figure.subplots(len(groups), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    degrees = np.arange(0, 360, HUE_STEP)
    angle = np.radians(degrees + HUE_STEP / 2)
    ab = HUE_CHROMA * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    bars = lab8_to_rgb(np.full(len(degrees), HUE_LIGHTNESS), ab) / 255
    for axes, (name, colors) in zip(rows, groups.items(), strict=True):
        hues = colors.hues.reshape(-1, HUE_STEP).sum(axis=1)
        # A group may be gray all over.
        hues = hues / max(hues.sum(), 1e-12)
        axes.bar(degrees, hues, HUE_STEP, align="edge", color=bars)
        axes.set_title(f"{name}, {colors.posters} posters", loc="left", fontsize=10)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.grid(axis="y", alpha=0.3)
        axes.set_axisbelow(True)
    rows[-1].set(xlim=(0, 360), xticks=range(0, 361, 60), xlabel="hue in CIELAB, degrees")
    figure.suptitle(f"Share of colored pixels for each {HUE_STEP} degrees of hue", fontsize=11)
    return figure


def lightness_and_chroma_figure(groups: dict[str, ColorStatistics]) -> Figure:
    """Draw how pixels are distributed over lightness and chroma: a line for each group."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    lightness, chroma = figure.subplots(1, 2)
    few = len(groups) <= FEW_LINES
    lines = colormaps["tab10"].colors if few else colormaps["viridis"](
        np.linspace(0, 0.95, len(groups))
    )  # fmt: skip
    for (name, colors), line in zip(groups.items(), lines, strict=False):
        for axes, shares, step in (
            (lightness, colors.lightness, LIGHTNESS_STEP / 255 * 100),
            (chroma, colors.chroma, CHROMA_STEP),
        ):
            edges = np.arange(len(shares) + 1) * step
            axes.stairs(shares / colors.posters / step, edges, color=line, label=name, lw=1.5)
    lightness.set(xlabel="L in CIELAB", ylabel="share of pixels, for each step of 1", xlim=(0, 100))
    populated = max(np.flatnonzero(colors.chroma)[-1] for colors in groups.values()) + 1
    chroma.set(xlabel="chroma in CIELAB", yscale="log", xlim=(0, CHROMA_STEP * populated))
    for axes in (lightness, chroma):
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}%"))
        axes.grid(alpha=0.3)
    lightness.legend(frameon=False)
    return figure


def scheme_figure(schemes: dict[str, PaletteLibrary]) -> Image.Image:
    """Draw the commonest color schemes of data sets side by side, each with its share."""
    font = ImageFont.load_default(17)
    charts = [palette_chart(library.palettes, library.commonness) for library in schemes.values()]
    width = sum(chart.width for chart in charts)
    picture = Image.new("RGB", (width, HEADER + max(c.height for c in charts)), PAPER_WHITE)
    draw = ImageDraw.Draw(picture)
    left = 0
    for name, chart in zip(schemes, charts, strict=True):
        draw.text((left + MARGIN, HEADER // 2), name, INK, font, anchor="lm")
        picture.paste(chart, (left, HEADER))
        left += chart.width
    return picture


def shared_scheme_figure(schemes: SharedSchemes) -> Image.Image:
    """Draw color schemes, and beside each how common it is in every data set."""
    font = ImageFont.load_default(15)
    strip, words, bar = 320, 230, 200
    largest = max(shares.max() for shares in schemes.shares.values())
    width = MARGIN + strip + words + len(schemes.shares) * bar
    picture = Image.new("RGB", (width, HEADER + LINE * len(schemes.palettes)), PAPER_WHITE)
    draw = ImageDraw.Draw(picture)
    for column, (name, shares) in enumerate(schemes.shares.items()):
        left = MARGIN + strip + words + column * bar
        draw.text((left, HEADER // 2), name, INK, font, anchor="lm")
        for row, (palette, share) in enumerate(zip(schemes.palettes, shares, strict=True)):
            top = HEADER + row * LINE
            picture.paste(swatch(palette.swatch, strip, LINE - MARGIN), (MARGIN, top))
            middle = top + (LINE - MARGIN) // 2
            draw.text((2 * MARGIN + strip, middle), palette.name, INK, font, anchor="lm")
            length = round((bar - 70) * share / largest)
            draw.rectangle((left, top + 5, left + length, top + LINE - MARGIN - 5), fill=INK)
            end = (left + length + MARGIN, middle)
            draw.text(end, f"{100 * share:.1f} %", INK, font, anchor="lm")
    return picture


def _groups(sets: dict[str, DatasetStatistics]) -> dict[str, ColorStatistics]:
    """Return what pictures compare: the data sets, or the decades of a single one."""
    if len(sets) == 1:
        (only,) = sets.values()
        known = {f"{key}s": colors for key, colors in only.decades.items() if key is not None}
        if known:
            return known
    return {name: one.colors for name, one in sets.items()}
