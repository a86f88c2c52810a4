"""What a metric is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from recolor.evaluation.metrics.observation import Observation

# Directions: which values are better.
LOWER, HIGHER = "lower", "higher"


class Metric(ABC):
    """One number about a model's answers, gathered poster by poster.

    A split is measured in parts that are merged, so a metric keeps sums and counts, and its memory
    does not grow with the number of posters. A class is a metric; its instances hold the posters
    that were added to them, and begin without any.

    Attributes:
        name: Its name in commands, files and MLflow.
        label: What it is, in the words of a table's row.
        direction: `LOWER` or `HIGHER`, whichever is better; None where it ranks no models, because
            the truth's value is the aim or because it only describes.
        validated: Whether validation measures it: only then can it rank versions, or be what a
            search looks for.
        digits: How many decimals a table shows.

    Example:
        >>> class Brightness(PosterMean):
        ...     name, label, direction, digits = "brightness", "mean of RGB", None, 1
        ...     def value(self, poster):
        ...         return float(poster.predicted.rgb.mean())
        >>> METRICS.register(Brightness.name, Brightness)  # doctest: +SKIP
    """

    name: ClassVar[str]
    label: ClassVar[str]
    direction: ClassVar[str | None] = None
    validated: ClassVar[bool] = True
    digits: ClassVar[int] = 1

    @abstractmethod
    def update(self, poster: Observation) -> None:
        """Add a poster."""

    @abstractmethod
    def merge(self, other: Metric) -> None:
        """Add all posters that were added to another instance of this metric."""

    @abstractmethod
    def result(self) -> float | int | None:
        """Return the value over all posters; None where it is undefined."""

    @classmethod
    def is_better(cls, value: float, than: float) -> bool:
        """Whether a value is better than another one, by the metric's direction."""
        return value < than if cls.direction == LOWER else value > than


class PosterMean(Metric):
    """A metric that is the mean of a value of each poster; a subclass computes the value."""

    def __init__(self):
        self.total = 0.0
        self.posters = 0

    @abstractmethod
    def value(self, poster: Observation) -> float | None:
        """Return a poster's value; None where it has none, and does not count."""

    def update(self, poster: Observation) -> None:
        """Add a poster."""
        value = self.value(poster)
        if value is not None:
            self.total += value
            self.posters += 1

    def merge(self, other: PosterMean) -> None:
        """Add all posters of another instance."""
        self.total += other.total
        self.posters += other.posters

    def result(self) -> float | None:
        """Return the mean over the posters that have a value."""
        return self.total / self.posters if self.posters else None
