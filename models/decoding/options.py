"""How a model's answer becomes a picture's colors: the options, declared once.

The command line takes names, ranges and explanations from here, and the served model its
parameters; the MLflow project uses the same names. Nothing heavy is imported.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from recolor.datasets.errors import RecolorError
from recolor.models.option import STRICT, one_line_errors

if TYPE_CHECKING:
    from recolor.datasets.assignments import Assignment
    from recolor.datasets.hints import Hint
    from recolor.datasets.palettes.palette import Palette
else:
    # Not checked here, since they would import NumPy.
    Assignment = Hint = Palette = Any

# Palettes that depend on the picture, and the answer without any.
SOURCE, AUTO, FREE = "source", "auto", "none"
# What `restore` is in words: all that is found, or nothing.
RESTORE_WORDS = {"auto": None, "none": 0.0}
Restore = Annotated[
    Annotated[float, Field(ge=0, le=1)] | Literal["auto", "none"] | None,
    AfterValidator(lambda share: RESTORE_WORDS.get(share, share)),
]
# The share of the way to a palette's own distribution. With all of it, posters recolored under
# their own palettes are about as colorful as in truth.
PALETTE_VIVIDNESS = 1.0
# Above the restored poster's own colors, which are what it is to have.
SOURCE_VIVIDNESS = 0.0


class DecodingError(RecolorError):
    """An option of decoding is out of range, or the model does not support it."""


class UnsupportedError(DecodingError):
    """The model takes no palettes or no hints, and is given some."""


@one_line_errors(DecodingError)
@dataclass(frozen=True, config=STRICT)
class Decoding:
    """How an answer becomes colors.

    Attributes:
        restore: The share of the ageing found that is undone first, 0 to 1; None for all of it
            where the picture has colors to tell it by and one would see it.
        palette: A `Palette`, or ``source``, ``auto`` or ``none``; None for ``source`` where the
            picture has color, if only that of one ink, ``auto`` where it has none, and ``none``
            where the model takes no palette. Under ``source`` the restored colors stay in place.
        strength: From the restored poster's own colors, 0, to the palette's, 1; from the network's
            own answer, 0, where the picture has no color.
        temperature: T of the annealed mean (eq. 4); None for the model's own.
        vividness: Share of the way from the colors as they are decoded to the distribution of the
            palette, or, without one, of posters. None for 1 under a palette, and for the model's
            own without. Under ``source`` the share of the way to the chroma of modern posters, and
            None for none of it.
        crop: ``auto`` cuts off a scan's margin.
        neutrals: Least share of white, gray and black in typed colors; None to estimate it.
        hint: Colors wanted at points. Where the picture has color, the whole swatch there takes it.
        assign: Colors wanted for swatches.
        lock: What stays as it is restored: colors as ``#rrggbb``; ``neutrals``, paper and white
            letters; ``skin``, faces and the skin that belongs to them, which in a gray picture gets
            skin's colors; ``none``. Without such a word, neutrals and skin stay where the picture
            has color.

    Raises:
        DecodingError: If a value is out of range.

    Example:
        >>> Decoding(palette="auto", strength=0.5).describe()["strength"]
        0.5
    """

    restore: Restore = Field(
        None,
        title="auto|none|0..1",
        description="How much of the ageing that is found to undo first: auto, none, or a share "
        "from 0 to 1.  [default: auto, which is all of it, or nothing where it is hardly seen]",
    )
    palette: str | Palette | None = Field(
        None,
        title="source|auto|none|NAME|FILE|COLORS",
        description="Colors: source (the restored poster's own, where they are), auto (the best-"
        "fitting scheme), none, a scheme's name or number (see `recolor palettes`), the path of "
        "another picture or of a folder of them, or colors as #0b3c5d,orange:3.  [default: source "
        "where the picture has color, else auto]",
    )
    strength: float = Field(
        1.0,
        ge=0,
        le=1,
        description="0 is the poster's own colors (of a gray one, the network's own answer), 1 the "
        "palette's.  [default: 1]",
    )
    temperature: float | None = Field(
        None,
        ge=0.001,
        le=100,
        description="T of the annealed mean; lower is bolder.  [default: the model's own]",
    )
    vividness: float | None = Field(
        None,
        ge=0,
        le=1,
        description="0 leaves colors as decoded; 1 gives them the palette's full range or, without "
        "a palette, that of real posters.  [default: 1 under a palette, 0 for the source's own "
        "colors, else the model's own]",
    )
    crop: Literal["none", "auto"] = Field(
        "none",
        description="Cut off the gray margin of a scan; none leaves it as it is.  [default: none]",
    )
    neutrals: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Least share of white, gray and black in typed colors.  [default: the poster's "
        "own; of a gray one, estimated from the lightness]",
    )
    hint: tuple[Hint, ...] = Field(
        (),
        strict=False,
        title="X,Y=COLOR",
        description="A color wanted at a point: X,Y=#rrggbb, or X,Y=neutral; X and Y in pixels, or "
        "per cent as 50%. What has the same color takes it, too. May be repeated.",
    )
    assign: tuple[Assignment, ...] = Field(
        (),
        strict=False,
        title="COLOR=COLOR",
        description="Give the poster's swatch nearest to the first color the second one, as "
        "#8a1c1c=#0b4f5c. May be repeated.",
    )
    lock: tuple[str, ...] = Field(
        (),
        strict=False,
        title="COLOR|skin|neutrals|none",
        description="Keep a color of the poster as it is restored; or neutrals, that is paper and "
        "white letters; or the skin of faces; or nothing. May be repeated.  "
        "[default: neutrals and skin where the picture has color]",
    )

    def describe(self) -> dict[str, object]:
        """Return the values as plain ones, to be logged."""
        palette = getattr(self.palette, "name", self.palette)
        plain = {option.name: getattr(self, option.name) for option in fields(self)}
        return {**plain, "palette": palette, "hint": len(self.hint), "assign": len(self.assign)}


# Every option as it is where none is given.
DEFAULT_DECODING = Decoding()
