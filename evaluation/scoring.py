"""Metrics of models and baselines over a split of a data set."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from recolor.datasets.dataset_info import DatasetInfo
from recolor.datasets.input_pipeline import read_posters
from recolor.evaluation.answers import Column
from recolor.evaluation.metrics.catalog import METRICS
from recolor.evaluation.metrics.kernel_distance import Features, KernelDistance
from recolor.evaluation.metrics.metric import Metric
from recolor.evaluation.metrics.observation import (
    Answer,
    Colors,
    MeasurementError,
    Observation,
    Predictor,
)

BATCH_POSTERS = 8
# How many true posters recolored ones are compared with by their features.
REFERENCE_POSTERS = 2000


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


def with_kernel_distance(manifest: DatasetInfo, split: str) -> dict[str, Callable[[], Metric]]:
    """Return all metrics for `score`, with what the kernel distance of a split needs.

    Args:
        manifest: The data set.
        split: The split that is measured. The true posters that it is compared with are training
            posters, or validation posters where the training posters are measured.

    Raises:
        DatasetError: If there are no others.
    """
    others = posters(manifest, "validation" if split == "train" else "train")
    features = Features()
    true = []
    for poster in itertools.islice(others, REFERENCE_POSTERS):
        true.append(features.scaled(Colors.of(poster).rgb))
    return {
        **dict(METRICS.items()),
        KernelDistance.name: partial(KernelDistance, features, features.of(true)),
    }


def score(
    manifest: DatasetInfo,
    split: str,
    predictors: Mapping[Column | str, Predictor],
    progress: Callable[[int], None] = lambda count: None,
    metrics: Mapping[str, Callable[[], Metric]] = METRICS,
    most: int | None = None,
) -> dict[Column | str, SplitMetrics]:
    """Measure every predictor, and the truth itself, in one pass over a split.

    Args:
        manifest: The data set.
        split: Its split.
        predictors: By column.
        progress: Called with 1 after each poster.
        metrics: What makes each metric, by name.
        most: How many posters to measure at most, the split's first ones; None for all.

    Returns:
        The measurements by column; the last one is ``truth``.

    Raises:
        DatasetError: If the split is empty.
        MeasurementError: If a predictor's colors are not finite.
    """
    totals = {column: SplitMetrics(metrics) for column in [*predictors, "truth"]}

    def add(parts) -> None:
        for total, part in zip(totals.values(), parts, strict=True):
            total.merge(part)

    with ThreadPoolExecutor() as pool:
        measured = None
        for poster in itertools.islice(posters(manifest, split), most):
            answers = [*(predict(poster) for predict in predictors.values()), Answer(poster["ab"])]
            # A poster is measured while the next one is predicted. Results are added in order, so
            # the sums don't depend on the threads.
            if measured is not None:
                add(measured)
            true = Colors.of(poster)
            measured = pool.map(partial(_measured, metrics, poster, true), totals, answers)
            progress(1)
        add(measured)
    return totals


def posters(manifest: DatasetInfo, split: str) -> Iterator[dict[str, np.ndarray]]:
    """Read a split's posters one by one."""
    for batch in read_posters(manifest, split, BATCH_POSTERS):
        for number in range(len(batch["ab"])):
            yield {name: array[number] for name, array in batch.items()}


def _measured(
    metrics: Mapping[str, Callable[[], Metric]],
    poster: dict[str, np.ndarray],
    true: Colors,
    column: Column | str,
    answer: Answer,
) -> SplitMetrics:
    measured = SplitMetrics(metrics)
    try:
        measured.update(Observation(true, answer))
    except MeasurementError as error:
        raise MeasurementError(f"{column}, poster {poster['sha256']}: {error}") from None
    return measured
