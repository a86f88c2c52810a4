"""What a user says of a picture's swatches: which color one is to have, and what is to stay."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from recolor.datasets.color import hex_color, rgb_to_lab8
from recolor.datasets.errors import RecolorError
from recolor.datasets.palettes.palette import PaletteError, parse_color

# What can be locked beside colors: paper and white letters, the skin of faces, or nothing.
NEUTRALS, SKIN, NOTHING = "neutrals", "skin", "none"
LOCKS = (NEUTRALS, SKIN, NOTHING)
# Of one picture.
MOST = 100


class AssignmentError(RecolorError):
    """An assignment can't be understood."""

    option = "assign"


class LockError(RecolorError):
    """A lock can't be understood."""

    option = "lock"


@dataclass(frozen=True)
class Assignment:
    """A color for a swatch.

    Attributes:
        swatch: A color like that of the swatch, sRGB.
        color: The (a, b) that it is to have.
        text: What was typed.

    Example:
        >>> Assignment.parse("#8a1c1c=#0b4f5c")
        Assignment(swatch=(138, 28, 28), color=(-15, -15))
    """

    swatch: tuple[int, int, int]
    color: tuple[int, int]
    text: str = field(default="", compare=False, repr=False)

    @classmethod
    def parse(cls, text: str) -> "Assignment":
        """Parse ``COLOR=COLOR``, each as ``#rrggbb`` or by a name.

        Raises:
            AssignmentError: If the text has another form, or a color is unknown.
        """
        swatch, separator, color = text.partition("=")
        if not separator:
            raise AssignmentError(
                f"{text!r} is not an assignment: type COLOR=COLOR, as #8a1c1c=#0b4f5c"
            )
        try:
            rgb, new = parse_color(swatch), parse_color(color)
        except PaletteError as error:
            raise AssignmentError(f"assign {text!r}: {error}") from None
        return cls(tuple(rgb.tolist()), tuple(rgb_to_lab8(new)[1].tolist()), text.strip())


def parse_assignments(texts: Iterable[str]) -> tuple[Assignment, ...]:
    """Parse assignments.

    Raises:
        AssignmentError: If one is invalid, or there are more than 100.
    """
    return tuple(map(Assignment.parse, _few(texts, "assignments", AssignmentError)))


def parse_locks(texts: Iterable[str]) -> tuple[str, ...]:
    """Parse locks: the words of `LOCKS`, or colors, which become ``#rrggbb``.

    Raises:
        LockError: If one is invalid, or there are more than 100.
    """
    locks = []
    for text in _few(texts, "locks", LockError):
        word = text.strip().lower()
        try:
            locks.append(word if word in LOCKS else hex_color(parse_color(word)))
        except PaletteError as error:
            raise LockError(f"lock {error}, or one of {', '.join(LOCKS)}") from None
    return tuple(locks)


def _few(texts: Iterable[str], what: str, error: type[RecolorError]) -> list[str]:
    texts = list(texts)
    if len(texts) > MOST:
        raise error(f"{len(texts)} {what} are too many for a picture: at most {MOST}")
    return texts
