"""The options of decoding: those of `Decoding`, as options of a command."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from recolor.models.decoding.options import Decoding
from recolor.platform.cli.declared_options import declared_options


def decoding_options(*names: str, **other_help: str) -> Callable:
    """Give a command options of `Decoding`.

    Args:
        names: Which ones; all of them if none is named.
        other_help: Help of options that mean something else for this command, by name.

    Returns:
        A decorator of commands.
    """

    declared = [option for option in fields(Decoding) if not names or option.name in names]
    return declared_options(declared, other_help)


def typed_decoding(options: dict, library: Path | None) -> Decoding:
    """Make a decoding of the options' values.

    Args:
        options: What was typed, by name; None, or an empty one, where nothing was.
        library: The file of color schemes to find a palette in; None for recolor's own.

    Raises:
        RecolorError: If there is no such palette, or a hint is none.
    """
    given = {name: value for name, value in options.items() if value not in (None, (), "")}
    if "hint" in given:
        from recolor.datasets.hints import parse_hints

        given["hint"] = parse_hints(given["hint"])
    if text := given.get("palette"):
        from recolor.datasets.images import ImageError, open_image, to_rgb
        from recolor.datasets.palettes.library import load_library
        from recolor.datasets.palettes.palette import Palette
        from recolor.models.painter import names_palette

        schemes = load_library(library)
        if not names_palette(text, schemes):
            try:
                picture = to_rgb(open_image(Path(text).read_bytes()))
            except OSError:
                # It is no file either: the library's error says what there is.
                schemes[text]
            except ImageError as error:
                raise ImageError(f"{text}: {error}") from None
            given["palette"] = Palette.of_picture(picture, f"those of {text}")
    return Decoding(**given)
