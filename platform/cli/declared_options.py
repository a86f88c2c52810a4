"""Options of commands that a dataclass declares: `Settings` or `Decoding`."""

from collections.abc import Callable, Iterable
from pathlib import Path

import click

from recolor.models.decoding.options import DEFAULT_DECODING, Decoding
from recolor.models.option import Option, options_of
from recolor.platform.cli.options import TEXT, Finite, Name, Repeated


def declared_options(declared: Iterable[Option], other_help: dict[str, str] | None = None):
    """Give a command the options that are declared.

    An option that is not typed is None, whatever its default.

    Args:
        declared: The options.
        other_help: Help of those that mean something else for this command, by name.

    Returns:
        A decorator of commands.
    """
    options = [_option(one, (other_help or {}).get(one.name)) for one in declared]

    def decorate(command):
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def decoding_options(*names: str, **other_help: str) -> Callable:
    """Give a command options of `Decoding`.

    Args:
        names: Which ones; all of them if none is named.
        other_help: Help of options that mean something else for this command, by name.

    Returns:
        A decorator of commands.
    """
    options = options_of(Decoding)
    return declared_options([options[name] for name in names or options], other_help)


def decoding_of_options(
    options: dict, library: Path | None, beside: Decoding = DEFAULT_DECODING
) -> Decoding:
    """Make a decoding of the options' values.

    Args:
        options: What was typed, by name; None, or an empty one, where nothing was.
        library: The file of color schemes to find a palette in; None for recolor's own.
        beside: What holds where nothing was typed.

    Raises:
        RecolorError: If there is no such palette, or a hint is invalid.
    """
    from recolor.datasets.palettes.library import load_library
    from recolor.models.decoding.typed import decoding_here

    return decoding_here(options, load_library(library), beside)


def _option(declared: Option, help: str | None) -> Callable:
    name, limits = declared.name.replace("_", "-"), declared.limits
    more = {"help": help or _with_default(declared), "metavar": declared.metavar}
    if declared.kind is bool:
        return click.option(f"--{name}/--no-{name}", default=None, **more)
    if declared.kind is tuple:
        return click.option(f"--{name}", cls=Repeated, **more)
    kind = TEXT
    if declared.kind in (int, float) and not declared.choices:
        in_range = click.IntRange if declared.kind is int else Finite
        kind = in_range(declared.low, declared.high, "gt" in limits, "lt" in limits)
    elif declared.kind is str and declared.choices:
        kind = Name(declared.choices)
    return click.option(f"--{name}", type=kind, **more)


def _with_default(declared: Option) -> str:
    known = isinstance(declared.default, (str, int, float)) and "[default: " not in declared.help
    return f"{declared.help}  [default: {declared.default}]" if known else declared.help
