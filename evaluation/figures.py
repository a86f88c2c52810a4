"""Plots: learning curves, and the distribution of color classes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from recolor.datasets.classes import GRID


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
