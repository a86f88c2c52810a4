"""The options of decoding: those of `Decoding`, as options of a command."""

from collections.abc import Callable
from pathlib import Path

from recolor.models.decoding.options import DEFAULT_DECODING, Decoding
from recolor.models.option import options_of
from recolor.platform.cli.declared_options import declared_options


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
