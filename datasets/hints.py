"""Hints: colors that a user wants at points of a picture."""

import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from recolor.datasets.color import rgb_to_lab8
from recolor.datasets.errors import RecolorError, reason_of
from recolor.datasets.palettes.palette import PaletteError, parse_color

NEUTRAL = "neutral"
# Of one picture. Each takes memory for every pixel that the network sees.
MOST_HINTS = 100
PLACE = re.compile(r"(-?\d+(?:\.\d+)?)(%?)")


class HintError(RecolorError):
    """A hint can't be understood, or lies outside of the picture."""

    option = "hint"


@dataclass(frozen=True)
class Hint:
    """A point and the color it should have.

    Attributes:
        x, y: The point, in pixels from the picture's left and top, or in per cent of its width
            and height.
        in_percent: Whether x and y are per cent, one by one.
        color: (a, b); (0, 0) to keep the place neutral.
        text: What was typed, if it was.
    """

    x: float
    y: float
    in_percent: tuple[bool, bool]
    color: tuple[int, int]
    text: str = field(default="", compare=False, repr=False)

    @classmethod
    def parse(cls, text: str) -> "Hint":
        """Parse ``X,Y=#rrggbb``, or ``X,Y=neutral``; X and Y are pixels, or per cent as ``50%``.

        Raises:
            HintError: If the text is not a hint.

        Example:
            >>> Hint.parse("50%,120=#c1121f").position(400, 600)
            (0.5, 0.2)
        """
        place, separator, color = text.strip().partition("=")
        matches = [PLACE.fullmatch(part.strip()) for part in place.split(",")]
        if not separator or len(matches) != 2 or None in matches:
            raise HintError(f"{text!r} is not a hint: type X,Y=#rrggbb, as 120,80=#c1121f")
        if color.strip().lower() == NEUTRAL:
            ab = (0, 0)
        else:
            try:
                rgb = parse_color(color)
            except PaletteError as error:
                raise HintError(f"hint {text!r}: {error}, or as {NEUTRAL}") from None
            ab = tuple(rgb_to_lab8(rgb)[1].tolist())
        x, y = (float(match[1]) for match in matches)
        in_percent = tuple(bool(match[2]) for match in matches)
        shares = [value for value, percent in zip((x, y), in_percent, strict=True) if percent]
        if min(x, y) < 0 or max(shares, default=0) > 100:
            raise HintError(f"hint {text!r} lies outside of any picture")
        return cls(x, y, in_percent, ab, text.strip())

    def position(self, width: int, height: int) -> tuple[float, float]:
        """Return the point as shares of a picture's width and height.

        Raises:
            HintError: If it lies outside.
        """
        places = zip((self.x, self.y), self.in_percent, (width, height), strict=True)
        shares = [value / 100 if percent else value / side for value, percent, side in places]
        if not all(0 <= share <= 1 for share in shares):
            typed = ",".join(
                f"{value:g}{'%' * percent}"
                for value, percent in zip((self.x, self.y), self.in_percent, strict=True)
            )
            raise HintError(
                f"the hint at {typed} lies outside of the picture of {width}x{height} pixels"
            )
        return shares[0], shares[1]

    def in_shares(self, width: int, height: int) -> "Hint":
        """Return the hint in per cent of a picture's size: for copies of it in other sizes.

        Raises:
            HintError: If it lies outside.
        """
        x, y = self.position(width, height)
        return replace(self, x=100 * x, y=100 * y, in_percent=(True, True))


def parse_hints(texts: Iterable[str]) -> tuple[Hint, ...]:
    """Parse hints.

    Raises:
        HintError: If one is invalid, or there are more than 100.
    """
    hints = tuple(map(Hint.parse, texts))
    if len(hints) > MOST_HINTS:
        raise HintError(f"{len(hints)} hints are too many for a picture: at most {MOST_HINTS}")
    return hints


def hint_array(hints: tuple[Hint, ...], width: int, height: int) -> np.ndarray:
    """Return hints for a picture as x, y (shares of its width and height), a, b: ``[n, 4]``."""
    rows = [(*hint.position(width, height), *hint.color) for hint in hints]
    return np.array(rows, np.float32).reshape(-1, 4)


def load_hints(file: Path) -> dict[str, tuple[Hint, ...]]:
    """Read hints for many pictures: JSON, ``{"poster.jpg": ["120,80=#c1121f", ...], ...}``.

    A picture in a folder is named by its path inside of the folder, as ``year/poster.jpg``.

    Raises:
        HintError: If the file can't be read, or is not of this form.
    """
    try:
        content = json.loads(Path(file).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise HintError(f"{file} can't be read: {reason_of(error)}") from None
    except ValueError:
        raise HintError(f"{file} is not a JSON file") from None
    if not isinstance(content, dict) or not all(
        isinstance(hints, list) and all(isinstance(hint, str) for hint in hints)
        for hints in content.values()
    ):
        raise HintError(f'{file} must be of the form {{"poster.jpg": ["120,80=#c1121f"]}}')
    found = {}
    for name, hints in content.items():
        try:
            found[unicodedata.normalize("NFC", name)] = parse_hints(hints)
        except HintError as error:
            raise HintError(f"{file}, {name}: {error}") from None
    return found
