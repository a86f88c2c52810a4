"""What is said while posters are worked on, and after: progress bars, and which were skipped."""

from collections.abc import Iterable, Sequence

import click

from recolor.platform.cli.printable import printable

MOST_SHOWN = 5


def progress_bar(
    total: int | None, label: str, items: Iterable | None = None, unit: str = "posters"
):
    """Make a progress bar.

    Args:
        total: How many there are; None if it is not known yet.
        label: What is being done.
        items: What to wrap, if the bar is to advance by itself.
        unit: What is counted.

    Returns:
        A `tqdm.tqdm`.
    """
    from tqdm import tqdm

    return tqdm(items, total=total, desc=label, unit=f" {unit}", dynamic_ncols=True)


def report_skipped(skipped: Sequence[tuple[str, str]], more: str = "") -> None:
    """Say on the standard error which images were skipped: the first ones, and how many.

    Args:
        skipped: Name and reason of each.
        more: What else there is to say.
    """
    for name, reason in skipped[:MOST_SHOWN]:
        click.echo(printable(f"skipped {name}: {reason}"), err=True)
    rest = f" ({len(skipped) - MOST_SHOWN} more)" if len(skipped) > MOST_SHOWN else ""
    click.echo(f"{len(skipped)} skipped{rest}" + (f", {more}" if more else ""), err=True)
