"""Options of decoding as people type them: on the command line, in Python or in a request."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

from recolor.datasets.assignments import parse_assignments, parse_locks
from recolor.datasets.hints import parse_hints
from recolor.datasets.images import as_picture, find_images
from recolor.datasets.palettes.library import PaletteLibrary
from recolor.datasets.palettes.palette import Palette, PaletteError, is_colors
from recolor.models.decoding.options import (
    AUTO,
    DEFAULT_DECODING,
    FREE,
    SOURCE,
    Decoding,
    DecodingError,
)

# What parses the options that may be repeated.
REPEATED = {"hint": parse_hints, "assign": parse_assignments, "lock": parse_locks}


def typed_decoding(
    typed: Mapping,
    library: PaletteLibrary,
    palette_of: Callable[[str], Palette | None],
    beside: Decoding = DEFAULT_DECODING,
) -> Decoding:
    """Make a decoding of what was typed.

    Args:
        typed: The options' values by name, those that may be repeated as sequences of texts, or as
            a single one; None, or an empty one, where nothing was typed. The palette may be a
            scheme's number or a `Path`, too.
        library: The color schemes to find a palette in.
        palette_of: Returns the palette of the picture that a text stands for; None if it stands for
            none.
        beside: What holds where nothing was typed.

    Raises:
        RecolorError: If there is no such option or palette, or a value can't be used.
    """
    names = [option.name for option in fields(Decoding)]
    if unknown := set(typed) - set(names):
        raise DecodingError(f"there is no option {min(unknown)}: choose from {', '.join(names)}")
    given = {name: value for name, value in typed.items() if value not in (None, "", (), [])}
    if isinstance(given.get("restore"), str):
        given["restore"] = parse_restore(given["restore"])
    for name, parse in REPEATED.items():
        if name in given:
            given[name] = parse(_texts(name, given[name]))
    text = given.get("palette")
    if isinstance(text, int):
        # A scheme's number.
        text = given["palette"] = str(text)
    if text and not isinstance(text, (str, Path, Palette)):
        raise DecodingError(f"palette must be a text, not {text!r}", "palette")
    if isinstance(text, Path) or (isinstance(text, str) and not _names_palette(text, library)):
        # The library's error says what there is.
        given["palette"] = palette_of(str(text)) or library[str(text)]
    return replace(beside, **given)


def _texts(name: str, value: object) -> list[str]:
    texts = value if isinstance(value, (list, tuple)) else [value]
    if not all(isinstance(text, str) for text in texts):
        raise DecodingError(f"{name} must be texts, not {value!r}", name)
    return list(texts)


def decoding_here(
    typed: Mapping, library: PaletteLibrary, beside: Decoding = DEFAULT_DECODING
) -> Decoding:
    """Make a decoding as `typed_decoding` does, of what was typed on this machine.

    A palette may be a picture's path, or that of a folder of pictures. It is one, and not colors,
    if there is such a file: names of files may hold commas.
    """
    text = typed.get("palette")
    if isinstance(text, str) and is_typed_colors(text, library):
        # Colors may be too long for a path.
        with suppress(OSError):
            typed = {**typed, "palette": Path(text) if Path(text).is_file() else text}
    return typed_decoding(typed, library, palette_of_files, beside)


def palette_of_files(path: str) -> Palette | None:
    """Return the palette of the picture in a file, or of all in a folder; None if there is neither.

    Recipes name it, so it is not named by the path.

    Raises:
        ImageError: If it is not a picture, or a folder holds none, or one that can't be used.
    """
    try:
        if not Path(path).exists():
            return None
        folder = Path(path).is_dir()
    except OSError:
        # Too long for a path.
        return None
    if not folder:
        return Palette.of_picture(as_picture(path), "those of another picture")
    files = [file for _, file in find_images([Path(path)])]
    return Palette.of_pictures(map(as_picture, files), f"those of {len(files)} pictures")


def parse_restore(text: str) -> float | str:
    """Return the number that a text stands for, or the text as a word: `Decoding` checks it."""
    try:
        return float(text)
    except ValueError:
        return text.strip().lower()


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
