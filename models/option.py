"""The options that a pydantic dataclass declares as its fields, as `Decoding` does.

The type of a field and the limits of its `pydantic.Field` say what values the option takes;
``description`` is its help, and ``title`` what the help calls a value. The command line, a server's
query, a search and a served model's signature are made of `options_of`.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache, wraps
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from recolor.datasets.catalog import names_near
from recolor.datasets.errors import RecolorError

Declared = TypeVar("Declared", bound=type)
Saved = TypeVar("Saved")

FINITE = ConfigDict(allow_inf_nan=False)
# In Python, neither a text nor True is a number.
STRICT = ConfigDict(FINITE, strict=True, extra="forbid")
KINDS = {bool: "true or false", int: "a whole number", float: "a number", tuple: "a sequence"}
LIMITS = {"ge": "of at least", "gt": "above", "le": "at most", "lt": "below"}


@dataclass(frozen=True)
class OneOf:
    """Says that a text is one of some names, where `Literal` can't: a catalog may get new ones.

    Args:
        names: The names; it may hold more than it lists.
    """

    names: Collection[str]

    def __get_pydantic_core_schema__(self, source, handler):
        return AfterValidator(self._known).__get_pydantic_core_schema__(source, handler)

    def _known(self, name: str) -> str:
        if name not in self.names:
            raise ValueError
        return name


class Option:
    """An option.

    Args:
        name: The field's name.
        field: The field.

    Attributes:
        type: Its type, with what limits it.
        default: Its default.
        help: What it is for.
        metavar: What the help calls a value; None for the usual word.
        kind: ``bool``, ``int``, ``float``, ``str``, or ``tuple`` for several texts.
        limits: Of a number: ``ge``, ``gt``, ``le`` and ``lt``, where it has them.
        low, high: The limits, whether they are allowed values or not; None where it has none.
        choices: Names to choose from; of a number, words that may stand for one.
    """

    def __init__(self, name: str, field: FieldInfo):
        self.name, self.type, self.default = name, field.rebuild_annotation(), field.default
        self.help, self.metavar = field.description, field.title
        parts = list(_parts(self.type))
        kinds = [get_origin(part) or part for part in parts]
        self.kind = next((kind for kind in KINDS if kind in kinds), str)
        self.limits = {
            name: getattr(part, name) for part in parts for name in LIMITS if hasattr(part, name)
        }
        self.low = self.limits.get("ge", self.limits.get("gt"))
        self.high = self.limits.get("le", self.limits.get("lt"))
        choices = [get_args(part) for part in parts if get_origin(part) is Literal]
        choices += [part.names for part in parts if isinstance(part, OneOf)]
        self.choices: Collection[str] = choices[0] if choices else ()

    def parse(self, text: str) -> Any:
        """Return the value that a text stands for.

        Raises:
            RecolorError: If it stands for none.
        """
        try:
            return TypeAdapter(self.type, config=FINITE).validate_strings(text)
        except ValidationError as found:
            raise self.mistake(found, RecolorError) from None

    def mistake(self, found: ValidationError, error: type[RecolorError]) -> RecolorError:
        """Say what is wrong with a value: as the given error, or as the one of a validator."""
        first = found.errors()[0]
        cause, value = first.get("ctx", {}).get("error"), first["input"]
        if isinstance(cause, RecolorError):
            return cause
        return error(f"{self.name} must be {self._wanted(str(value))}, not {value!r}", self.name)

    def _wanted(self, wrong: str) -> str:
        names = ", ".join(names_near(self.choices, wrong))
        if self.kind is str:
            return f"one of {names}" if names else "a text"
        limits = " and ".join(f"{LIMITS[name]} {limit}" for name, limit in self.limits.items())
        if {"ge", "le"} <= self.limits.keys():
            limits = f"from {self.limits['ge']} to {self.limits['le']}"
        return f"{names} or " * bool(names) + f"{KINDS[self.kind]} {limits}".rstrip()


def _parts(annotation: Any) -> Iterator:
    """Take a type apart: into those of a union, and into what annotates them."""
    if get_origin(annotation) in (Annotated, Union, UnionType):
        for part in get_args(annotation):
            yield from _parts(part)
    elif isinstance(annotation, FieldInfo):
        yield from annotation.metadata
    else:
        yield annotation


@cache
def options_of(declared: type) -> dict[str, Option]:
    """Return the options of a pydantic dataclass by name."""
    return {name: Option(name, field) for name, field in declared.__pydantic_fields__.items()}


def of_saved(declared: type[Saved], saved: dict) -> Saved:
    """Make options of what a training has kept.

    Raises:
        RecolorError: If there is an option that this version does not know, or a value that it does
            not take.
    """
    try:
        return declared(**saved)
    except TypeError:
        raise RecolorError("the training's options are another version's") from None


def one_line_errors(error: type[RecolorError]) -> Callable[[Declared], Declared]:
    """Let a pydantic dataclass say in one line which value it does not take.

    Args:
        error: What it raises then. It raises TypeError for a name, as functions do.
    """

    def decorate(declared: Declared) -> Declared:
        make = declared.__init__

        @wraps(make)
        def init(self, *args, **values):
            try:
                make(self, *args, **values)
            except ValidationError as found:
                first = found.errors()[0]
                option = options_of(declared).get(first["loc"][0])
                if option is None or first["type"] == "missing":
                    raise TypeError(f"{first['msg']}: {first['loc'][0]}") from None
                raise option.mistake(found, error) from None

        declared.__init__ = init
        return declared

    return decorate
