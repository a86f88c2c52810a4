"""Lengths and sizes on paper, as people type them."""

import re
from dataclasses import dataclass

from recolor.datasets.errors import RecolorError

INCHES = {"in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4}
NUMBER, UNIT = r"(\d+(?:\.\d+)?)", "(mm|cm|in)"
LENGTH = re.compile(f"{NUMBER} ?{UNIT}", re.IGNORECASE)
SIZE = re.compile(f"{NUMBER} ?x ?{NUMBER} ?{UNIT}", re.IGNORECASE)
# Of ISO 216: the sides of A0 and B0 in mm.
SERIES = {"A": (841, 1189), "B": (1000, 1414)}
NAMED = re.compile(r"([AB])(\d|10)", re.IGNORECASE)
# What a PDF can hold is 14,400 points, with bleed and marks.
SHORTEST, LONGEST = 0.5, 190.0
LONGEST_BLEED = 4.0


class LengthError(RecolorError):
    """A length or size was typed wrong."""


@dataclass(frozen=True)
class PrintSize:
    """The size of a sheet when it is trimmed.

    Attributes:
        width, height: Inches.
        either_way: Whether it may be turned, as a size that only has a name.
        name: As people write it.
    """

    width: float
    height: float
    either_way: bool = False
    name: str = ""

    def turned_as(self, width: float, height: float) -> "PrintSize":
        """Return the size as it suits a picture's shape, upright or on its side."""
        if self.either_way and (width > height) != (self.width > self.height):
            return PrintSize(self.height, self.width, True, self.name)
        return self


def print_size(text: str) -> PrintSize:
    """Read a size.

    Example:
        >>> print_size("27x40in")
        PrintSize(width=27.0, height=40.0, either_way=False, name='27x40 in')
        >>> round(print_size("A2").width * 25.4)
        420

    Raises:
        LengthError: If it can't be read, or a side is under 0.5 or over 190 inches.
    """
    if named := NAMED.fullmatch(text.strip()):
        series, halvings = named[1].upper(), int(named[2])
        width, height = SERIES[series]
        for _ in range(halvings):
            width, height = height // 2, width
        return PrintSize(width / 25.4, height / 25.4, True, f"{series}{halvings}")
    if not (typed := SIZE.fullmatch(text.strip())):
        raise LengthError(
            f"{text!r} is not a size: 27x40in, 70x100cm, 420x594mm or A2, as examples"
        )
    unit = typed[3].lower()
    width, height = (float(number) * INCHES[unit] for number in typed.group(1, 2))
    if not all(SHORTEST <= side <= LONGEST for side in (width, height)):
        raise LengthError(f"{text!r}: sides are {SHORTEST:g} to {LONGEST:g} in")
    return PrintSize(width, height, name=f"{typed[1]}x{typed[2]} {unit}")


def length(text: str) -> float:
    """Read a length, in inches: ``3mm``, ``0.125in``.

    Raises:
        LengthError: If it can't be read, or is over four inches.
    """
    if not (typed := LENGTH.fullmatch(text.strip())):
        raise LengthError(f"{text!r} is not a length: 3mm, 0.3cm or 0.125in, as examples")
    inches = float(typed[1]) * INCHES[typed[2].lower()]
    if inches > LONGEST_BLEED:
        raise LengthError(f"{text!r}: {LONGEST_BLEED:g} in at most")
    return inches
