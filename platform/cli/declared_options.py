"""Options of commands that a dataclass declares: `Settings` or `Decoding`."""

from collections.abc import Callable, Iterable

import click

from recolor.models.option import Option
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
