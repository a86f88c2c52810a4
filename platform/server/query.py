"""The options of decoding as parameters of a request, checked and described."""

from dataclasses import fields
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from recolor.models.decoding.options import Decoding

FORMATS = ("source", "png", "jpeg", "webp")
SMALLEST_SIDE, LARGEST_SIDE = 16, 4096
LONGEST_TEXT = 4000
MOST_HINTS = 200

# An empty value stands for none, as in a form that was left blank.
_Blank = BeforeValidator(lambda value: None if value == "" else value)
_Text = Annotated[str, Field(max_length=LONGEST_TEXT)]


def _parameter(option) -> tuple:
    """Return a parameter's type and default for an option."""
    about = option.metadata
    if about.get("repeated"):
        kind = Annotated[list[_Text], Field(max_length=MOST_HINTS, description=about["help"])]
        return kind, []
    if "range" in about:
        low, high = about["range"]
        limits = Field(ge=low, le=high, allow_inf_nan=False, description=about["help"])
        return Annotated[Annotated[float, limits] | None, _Blank], None
    kind = Literal[about["choices"]] if "choices" in about else _Text
    return Annotated[kind | None, _Blank, Field(description=about["help"])], None


# The options of decoding, those that are not given None.
Options: type[BaseModel] = create_model(
    "Options",
    __config__=ConfigDict(extra="forbid"),
    **{option.name: _parameter(option) for option in fields(Decoding)},
)


class Recoloring(Options):
    """How a picture is to be recolored, and which format the answer has."""

    format: Annotated[
        Literal[FORMATS] | None,
        _Blank,
        Field(description="Of the answer: by default what Accept asks for, or the source's."),
    ] = None

    @property
    def typed(self) -> dict:
        """The options of decoding by name."""
        return {option.name: getattr(self, option.name) for option in fields(Decoding)}


_Side = Annotated[
    Annotated[int, Field(ge=SMALLEST_SIDE, le=LARGEST_SIDE)] | None,
    _Blank,
    Field(description="Longest side of the answer in pixels at most: a preview."),
]


class Preview(Recoloring):
    """As `Recoloring`, of a size to choose."""

    side: _Side = None


class Original(BaseModel):
    """How the source is to be shown."""

    model_config = ConfigDict(extra="forbid")
    side: _Side = None
    format: Annotated[Literal[FORMATS] | None, _Blank] = None
