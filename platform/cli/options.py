"""Types of options, and options that several commands share."""

import math
from collections.abc import Collection
from pathlib import Path

import click

from recolor.platform.search.options import DEFAULT_STORAGE

# What is read, and what is written.
INPUT = click.Path(path_type=Path)
INPUT_FILE = click.Path(path_type=Path, dir_okay=False)
OUTPUT = click.Path(path_type=Path, writable=True)
OUTPUT_FILE = click.Path(path_type=Path, dir_okay=False, writable=True)
COUNT = click.IntRange(1)
SEED = click.IntRange(0, 2**32 - 1)


class Finite(click.FloatRange):
    """A FloatRange that rejects nan and infinity."""

    def convert(self, value, param, ctx):
        """Convert a text to a number in the range."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


class Name(click.Choice):
    """A Choice whose names are asked for each time: a catalog may get new ones.

    Args:
        names: The names.
    """

    def __init__(self, names: Collection[str]):
        self.names = names
        self.case_sensitive = True

    @property
    def choices(self) -> tuple[str, ...]:
        """All names."""
        return tuple(self.names)


class Repeated(click.Option):
    """An option that may be repeated. An environment variable holds its values one a line."""

    def __init__(self, *declarations, **options):
        super().__init__(*declarations, multiple=True, **options)

    def value_from_envvar(self, ctx):
        """Return the lines of the environment variable; None if there is none."""
        text = self.resolve_envvar_value(ctx)
        return None if text is None else [line for line in text.split("\n") if line]


DATA = click.option(
    "--data", type=INPUT, default="data", show_default=True, help="Prepared data set."
)
LIBRARY = click.option(
    "--library",
    type=INPUT_FILE,
    help="Color schemes to choose from, made by `recolor palettes --make`, instead of recolor's.",
)
STORAGE = click.option(
    "--storage",
    metavar="URL",
    type=str,
    envvar=["RECOLOR_TUNE_STORAGE", "RECOLOR_STUDIES_STORAGE", "RECOLOR_OPTUNA_STORAGE"],
    help="Database of the studies; RECOLOR_OPTUNA_STORAGE names another one for good.  "
    f"[default: {DEFAULT_STORAGE}]",
)
