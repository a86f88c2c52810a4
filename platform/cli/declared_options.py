"""Options of commands that are declared as fields of a dataclass: of `Settings` and `Decoding`.

A field's metadata holds its ``help`` and which values it takes: ``integers`` or a ``range``, from
the lowest to the highest; ``words``, which may be typed instead of a number of a range; ``above``,
which numbers must exceed, and ``most``, which they must not; ``choices``, names; ``flag``, for a
yes or no; ``repeated``, for any number of texts. ``metavar`` is how `--help` calls a value.
"""

from collections.abc import Callable, Iterable
from dataclasses import Field

import click

from recolor.platform.cli.options import TEXT, Finite, Name, Repeated


def declared_options(declared: Iterable[Field], other_help: dict[str, str] | None = None):
    """Give a command an option for each field.

    An option that is not typed is None, whatever its field's default.

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
    kind = TEXT
    if "integers" in about:
        kind = click.IntRange(*about["integers"])
    elif "range" in about and "words" not in about:
        kind = Finite(*about["range"])
    elif "above" in about:
        kind = Finite(about["above"], about.get("most"), min_open=True)
    elif "choices" in about:
        kind = Name(about["choices"])
    return click.option(f"--{name}", type=kind, **more)


def _with_default(help: str, default) -> str:
    known = isinstance(default, (str, int, float)) and "[default: " not in help
    return f"{help}  [default: {default}]" if known else help
