"""What a search may vary: options of `recolor train`, each with its values or its range."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial

from recolor.datasets.errors import RecolorError
from recolor.models.option import Option, options_of
from recolor.platform.search.options import LEARNING_RATE
from recolor.platform.training.settings import Settings

# Optuna's distribution of each dimension, by the name of the option.
Space = dict[str, BaseDistribution]

# Trials with other values of these could not be compared.
FIXED = ("model", "epochs", "train_fraction")
SEARCHABLE = {name: one for name, one in options_of(Settings).items() if name not in FIXED}

WAYS = "NAME=A,B,... or NAME=LOW:HIGH or NAME=LOW:HIGH:log"


class SpaceError(RecolorError):
    """A dimension of a search is invalid."""


def parse_space(texts: Iterable[str]) -> Space:
    """Read dimensions as they are typed.

    Args:
        texts: Each as ``batch_size=10,20``, ``clip=0.1:10`` or ``learning_rate=1e-6:1e-4:log``.

    Raises:
        SpaceError: If a text names no option, names one twice, or its values are none of it.

    Example:
        >>> parse_space(["batch_size=10,20"])
        {'batch_size': CategoricalDistribution(choices=(10, 20))}
    """
    space: Space = {}
    for text in texts:
        with _mistakes_in(f"--search {text}"):
            name, equals, values = text.partition("=")
            name = name.strip().replace("-", "_")
            if not (equals and values.strip()):
                raise SpaceError(f"write {WAYS}")
            if name not in SEARCHABLE:
                raise SpaceError(f"{name} is not one of {', '.join(SEARCHABLE)}")
            if name in space:
                raise SpaceError(f"{name} is searched already")
            space[name] = _distribution(SEARCHABLE[name], values)
    return space


def parse_learning_rate(text: str) -> FloatDistribution | float:
    """Read ``LOW,HIGH``, to be searched evenly in the logarithm, or a single number.

    Args:
        text: What was typed.

    Raises:
        SpaceError: If it is neither, or no learning rate.
    """
    option = SEARCHABLE[LEARNING_RATE]
    with _mistakes_in(f"--learning-rate {text}"):
        if "," not in text:
            return option.parse(text)
        return _distribution(option, f"{text.replace(',', ':')}:log")


@contextmanager
def _mistakes_in(typed: str) -> Iterator[None]:
    try:
        yield
    except RecolorError as error:
        raise SpaceError(f"{typed}: {error}") from None


def _distribution(option: Option, text: str) -> BaseDistribution:
    if ":" not in text or option.kind not in (int, float):
        choices = [option.parse(word.strip()) for word in text.split(",")]
        if len(set(choices)) < max(2, len(choices)):
            raise SpaceError("a list needs at least two values, and none of them twice")
        return CategoricalDistribution(choices)
    low, high, *scale = text.strip().split(":")
    if scale not in ([], ["log"]):
        raise SpaceError("a range is LOW:HIGH or LOW:HIGH:log")
    low, high = option.parse(low), option.parse(high)
    if not low < high:
        raise SpaceError(f"{low} is not below {high}")
    if scale and low <= 0:
        raise SpaceError(f"a logarithmic range begins above 0, not at {low}")
    kind = IntDistribution if option.kind is int else FloatDistribution
    return kind(low, high, log=bool(scale))


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
