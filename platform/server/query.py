"""The options of decoding as parameters of a request, checked and described."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from recolor.models.decoding.options import Decoding
from recolor.models.option import FINITE, Option, options_of
from recolor.platform.printing.inks import INTENTS

FORMATS = ("source", "png", "jpeg", "webp")
SMALLEST_SIDE, LARGEST_SIDE = 16, 4096
# What means something else here than on the command line.
HELP = {
    "palette": "Colors: source (the restored poster's own, where they are), auto (the best-"
    "fitting scheme), none, a scheme's name or number, colors as #0b3c5d,orange:3, or the id of "
    "another picture that is kept.  [default: source where the picture has color, else auto]",
}
# All together fit into the 64 kB that the head of a request may have.
LONGEST_TEXT, LONGEST_HINT, MOST_HINTS = 4000, 60, 200
LONGEST_NAME, MOST_CELLS = 255, 200


def _or_blank(kind: Any) -> Any:
    """Return the type of a parameter that may be left out, or blank as in a form."""
    blank = BeforeValidator(
        lambda value: None if value == "" else value,
        json_schema_input_type=kind | Literal[""] | None,
    )
    return Annotated[kind | None, blank]


def _parameter(option: Option) -> tuple:
    """Return a parameter's type and default for an option."""
    help = Field(description=HELP.get(option.name, option.help))
    if option.kind is tuple:
        text = Annotated[str, Field(max_length=LONGEST_HINT)]
        return Annotated[list[text], Field(max_length=MOST_HINTS), help], []
    free = option.kind is str and not option.choices
    kind = Annotated[str, Field(max_length=LONGEST_TEXT)] if free else option.type
    return Annotated[_or_blank(kind), help], None


# The options of decoding, those that are not given None.
Options: type[BaseModel] = create_model(
    "Options",
    __config__=ConfigDict(FINITE, extra="forbid"),
    **{name: _parameter(option) for name, option in options_of(Decoding).items()},
)
_Format = Annotated[
    _or_blank(Literal[FORMATS]),
    Field(description="Of the answer: by default what Accept asks for, or the source's."),
]
_Side = Annotated[
    _or_blank(Annotated[int, Field(ge=SMALLEST_SIDE, le=LARGEST_SIDE)]),
    Field(description="Longest side of the answer in pixels at most: a preview."),
]


class Recoloring(Options):
    """How a picture is to be recolored, and which format the answer has."""

    format: _Format = None

    @property
    def typed(self) -> dict:
        """The options of decoding by name."""
        return {name: getattr(self, name) for name in options_of(Decoding)}


class Preview(Recoloring):
    """As `Recoloring`, of a size to choose."""

    side: _Side = None


class Shown(Preview):
    """As `Preview`, and whether it is to look as it will be printed."""

    proof: Annotated[
        _or_blank(Annotated[str, Field(max_length=LONGEST_TEXT)]),
        Field(description="Show a preview as it will be printed: a name of GET /model's profiles."),
    ] = None
    intent: Annotated[
        _or_blank(Literal[tuple(INTENTS)]),
        Field(description="Of the proof, as of `recolor print`.  [default: relative]"),
    ] = None
    black_point: Annotated[
        _or_blank(bool), Field(description="Of the proof, as of `recolor print`.  [default: true]")
    ] = None
    marks: Annotated[
        _or_blank(bool), Field(description="Mark what can't be printed.  [default: false]")
    ] = None


class Cell(Recoloring):
    """How a picture is to be recolored, and its name on a contact sheet."""

    name: Annotated[str, Field(max_length=LONGEST_NAME, description="Is written above it.")]


class Sheet(BaseModel):
    """What is to be on a contact sheet."""

    model_config = ConfigDict(extra="forbid")
    cell: Annotated[
        list[Annotated[str, Field(max_length=LONGEST_TEXT)]],
        Field(min_length=1, max_length=MOST_CELLS, description="Ids of cells, in their order."),
    ]
    format: Annotated[Literal["png", "pdf"], Field(description="Of the answer.")] = "png"


class Original(BaseModel):
    """How the source is to be shown."""

    model_config = ConfigDict(extra="forbid")
    side: _Side = None
    format: _Format = None
