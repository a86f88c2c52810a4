"""What a search may vary: options of `recolor train`, each with its values or its range."""

import math
from collections.abc import Iterable
from dataclasses import Field, fields

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial

from recolor.datasets.errors import RecolorError
from recolor.platform.search.options import LEARNING_RATE
from recolor.platform.training.settings import Settings

# Optuna's distribution of each dimension, by the name of the option.
Space = dict[str, BaseDistribution]

# Trials with other values of these could not be compared.
FIXED = ("model", "epochs", "train_fraction")
SEARCHABLE = {option.name: option for option in fields(Settings) if option.name not in FIXED}

WAYS = "NAME=A,B,... or NAME=LOW:HIGH or NAME=LOW:HIGH:log"


class SpaceError(RecolorError):
    """A dimension of a search is invalid."""


def parse_space(texts: Iterable[str], model: str) -> Space:
    """Read dimensions as they are typed.

    Args:
        texts: Each as ``batch_size=10,20``, ``clip=0.1:10`` or ``learning_rate=1e-6:1e-4:log``.
        model: The model kind whose training takes the values.

    Raises:
        SpaceError: If a text names no option, names one twice, or its values are none of it.

    Example:
        >>> parse_space(["batch_size=10,20"], "regression")
        {'batch_size': CategoricalDistribution(choices=(10, 20))}
    """
    space: Space = {}
    for text in texts:
        name, equals, values = text.partition("=")
        name = name.strip().replace("-", "_")
        where = f"--search {text}"
        if not (equals and values.strip()):
            raise SpaceError(f"{where}: write {WAYS}")
        if name not in SEARCHABLE:
            raise SpaceError(f"{where}: {name} is not one of {', '.join(SEARCHABLE)}")
        if name in space:
            raise SpaceError(f"{where}: {name} is searched already")
        space[name] = _checked(where, name, values.strip(), model)
    return space


def parse_learning_rate(text: str, model: str) -> FloatDistribution | float:
    """Read ``LOW,HIGH``, to be searched evenly in the logarithm, or a single number.

    Args:
        text: What was typed.
        model: As for `parse_space`.

    Raises:
        SpaceError: If it is neither, or no learning rate.
    """
    where = f"--learning-rate {text}"
    if "," not in text:
        try:
            return _value(SEARCHABLE[LEARNING_RATE], text)
        except SpaceError as error:
            raise SpaceError(f"{where}: {error}") from None
    values = f"{text.replace(',', ':')}:log"
    return _checked(where, LEARNING_RATE, values, model)


def _checked(where: str, name: str, values: str, model: str) -> BaseDistribution:
    """Read a dimension, and try its values in settings."""
    try:
        distribution = _distribution(SEARCHABLE[name], values)
        for value in _outermost(distribution):
            Settings(model, **{name: value})
    except RecolorError as error:
        raise SpaceError(f"{where}: {error}") from None
    return distribution


def _distribution(option: Field, text: str) -> BaseDistribution:
    if ":" not in text or _kind(option) not in (int, float):
        choices = [_value(option, word.strip()) for word in text.split(",")]
        if len(set(choices)) < max(2, len(choices)):
            raise SpaceError("a list needs at least two values, and none of them twice")
        return CategoricalDistribution(choices)
    low, high, *scale = text.split(":")
    if scale not in ([], ["log"]):
        raise SpaceError("a range is LOW:HIGH or LOW:HIGH:log")
    low, high = _value(option, low), _value(option, high)
    if not low < high:
        raise SpaceError(f"{low} is not below {high}")
    if scale and low <= 0:
        raise SpaceError(f"a logarithmic range begins above 0, not at {low}")
    kind = IntDistribution if _kind(option) is int else FloatDistribution
    return kind(low, high, log=bool(scale))


def _kind(option: Field) -> type:
    about = option.metadata
    if "integers" in about:
        return int
    if "above" in about:
        return float
    return bool if about.get("flag") else str


def _value(option: Field, word: str) -> int | float | bool | str:
    kind = _kind(option)
    if kind is bool:
        if word not in ("true", "false"):
            raise SpaceError(f"{word} is neither true nor false")
        return word == "true"
    try:
        value = kind(word)
    except ValueError:
        raise SpaceError(f"{word or 'nothing'} is not a {'whole ' * (kind is int)}number") from None
    if kind is float and not math.isfinite(value):
        raise SpaceError(f"{word} is not a finite number")
    return value


def _outermost(distribution: BaseDistribution) -> Iterable:
    """Return the values to try: all of a list, the ends of a range."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    return distribution.low, distribution.high


def suggest(trial: Trial, space: Space) -> dict[str, int | float | bool | str]:
    """Let a trial choose a value in each dimension."""
    values = {}
    for name, one in space.items():
        if isinstance(one, CategoricalDistribution):
            values[name] = trial.suggest_categorical(name, one.choices)
        elif isinstance(one, IntDistribution):
            values[name] = trial.suggest_int(name, one.low, one.high, log=one.log)
        else:
            values[name] = trial.suggest_float(name, one.low, one.high, log=one.log)
    return values


def in_words(distribution: BaseDistribution) -> str:
    """Return a dimension's values as `parse_space` reads them."""
    if isinstance(distribution, CategoricalDistribution):
        words = (str(value) for value in distribution.choices)
        return ",".join({"True": "true", "False": "false"}.get(word, word) for word in words)
    return f"{distribution.low}:{distribution.high}" + ":log" * distribution.log
