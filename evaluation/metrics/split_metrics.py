"""Every metric of a split, gathered poster by poster."""

from collections.abc import Callable, Mapping

from recolor.evaluation.metrics.catalog import METRICS
from recolor.evaluation.metrics.metric import Metric
from recolor.evaluation.metrics.observation import Observation


class SplitMetrics:
    """All metrics, as far as posters were added.

    Args:
        metrics: What makes each metric, by name.

    Attributes:
        posters: How many were added.
        metrics: The metrics by name.
    """

    def __init__(self, metrics: Mapping[str, Callable[[], Metric]] = METRICS):
        self.posters = 0
        self.metrics = {name: metric() for name, metric in metrics.items()}

    def update(self, poster: Observation) -> None:
        """Add a poster."""
        self.posters += 1
        for metric in self.metrics.values():
            metric.update(poster)

    def merge(self, other: "SplitMetrics") -> None:
        """Add all posters of another part of the split."""
        self.posters += other.posters
        for name, metric in self.metrics.items():
            metric.merge(other.metrics[name])

    def result(self) -> dict[str, float | None]:
        """Return the value of every metric; None where it is undefined.

        Raises:
            ValueError: If no poster was added.
        """
        if not self.posters:
            raise ValueError("no posters were added")
        return {name: metric.result() for name, metric in self.metrics.items()}
