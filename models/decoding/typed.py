"""A decoding of what people type: on the command line, or in a request to the served model."""

from collections.abc import Callable, Mapping

from recolor.datasets.assignments import parse_assignments, parse_locks
from recolor.datasets.hints import parse_hints
from recolor.datasets.palettes.library import PaletteLibrary
from recolor.datasets.palettes.palette import Palette, PaletteError, is_colors
from recolor.models.decoding.options import (
    AUTO,
    FREE,
    RESTORE_WORDS,
    SOURCE,
    Decoding,
    DecodingError,
)

# What parses the options that may be repeated.
REPEATED = {"hint": parse_hints, "assign": parse_assignments, "lock": parse_locks}


def typed_decoding(
    typed: Mapping, library: PaletteLibrary, palette_of: Callable[[str], Palette | None]
) -> Decoding:
    """Make a decoding of what was typed.

    Args:
        typed: The options' values by name, those that may be repeated as sequences of texts; None,
            or an empty one, where nothing was typed.
        library: The color schemes to find a palette in.
        palette_of: Returns the palette of the picture that a text stands for; None if it stands for
            none.

    Raises:
        RecolorError: If there is no such palette, or a value can't be used.
    """
    given = {name: value for name, value in typed.items() if value not in (None, "", (), [])}
    if isinstance(given.get("restore"), str):
        given["restore"] = parse_restore(given["restore"])
    for name, parse in REPEATED.items():
        if name in given:
            given[name] = parse(given[name])
    text = given.get("palette")
    if text and not _names_palette(text, library):
        # The library's error says what there is.
        given["palette"] = palette_of(text) or library[text]
    return Decoding(**given)


def parse_restore(text: str) -> float | None:
    """Parse ``auto``, ``none`` or a number.

    Raises:
        DecodingError: If it is neither a word nor a number.
    """
    word = text.strip().lower()
    if word in RESTORE_WORDS:
        return RESTORE_WORDS[word]
    try:
        return float(word)
    except ValueError:
        raise DecodingError(
            f"restore must be auto, none or a number from 0 to 1, not {text!r}", "restore"
        ) from None


def is_typed_colors(text: str, library: PaletteLibrary) -> bool:
    """Whether a text is one of colors; a scheme's name may look like one."""
    return text.strip().lower() not in library.names and is_colors(text)


def _names_palette(text: str, library: PaletteLibrary) -> bool:
    """Whether a text is a word for a palette or colors, rather than a picture's path or content.

    Raises:
        PaletteError: If it is colors that are typed wrong.
    """
    if text.startswith("data:"):
        return False
    if is_typed_colors(text, library):
        Palette.of_colors(text)
        return True
    try:
        return text in (SOURCE, AUTO, FREE) or bool(library[text])
    except PaletteError:
        return False
