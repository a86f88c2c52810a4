"""Types of options, and options that several commands share."""

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import Field
from pathlib import Path

import click

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
        names: The names, or a function that returns them.
    """

    def __init__(self, names: Collection[str] | Callable[[], Collection[str]]):
        self.names = names
        self.case_sensitive = True

    @property
    def choices(self) -> tuple[str, ...]:
        """All names."""
        return tuple(self.names() if callable(self.names) else self.names)


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


def declared_options(declared: Iterable[Field], other_help: dict[str, str] | None = None):
    """Make options of a command of fields of `Settings` or `Decoding`.

    An option that is not given is None, whatever its field's default.

    Args:
        declared: The fields.
        other_help: Help of those that mean something else for this command, by name.

    Returns:
        A decorator of commands.
    """
    options = [_option(field, (other_help or {}).get(field.name)) for field in declared]

    def decorate(command):
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _option(declared: Field, help: str | None) -> Callable:
    about = declared.metadata
    name = declared.name.replace("_", "-")
    more = {"help": help or _with_default(about["help"], declared.default)}
    if "metavar" in about:
        more["metavar"] = about["metavar"]
    if about.get("flag"):
        return click.option(f"--{name}/--no-{name}", default=None, **more)
    if about.get("repeated"):
        return click.option(f"--{name}", cls=Repeated, **more)
    kind = str
    if "integers" in about:
        kind = click.IntRange(*about["integers"])
    elif "range" in about:
        kind = Finite(*about["range"])
    elif "above" in about:
        kind = Finite(about["above"], min_open=True)
    elif "choices" in about:
        kind = Name(about["choices"])
    return click.option(f"--{name}", type=kind, **more)


def _with_default(help: str, default) -> str:
    known = isinstance(default, (str, int, float)) and "[default: " not in help
    return f"{help}  [default: {default}]" if known else help
