"""Metrics of models and baselines over a split of a data set."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from recolor.datasets.color import lab8_to_rgb
from recolor.datasets.data_set import DataSet
from recolor.datasets.input_pipeline import read_posters
from recolor.datasets.posters import Box
from recolor.evaluation import baselines
from recolor.evaluation.metrics.catalog import METRICS
from recolor.evaluation.metrics.kernel_distance import Features, KernelDistance
from recolor.evaluation.metrics.metric import Metric
from recolor.evaluation.metrics.observation import MeasurementError, Observation, Truth
from recolor.evaluation.metrics.split_metrics import SplitMetrics
from recolor.evaluation.told import Answer, Predictor, baselines_told_the_palette
from recolor.models.decoding.options import PALETTE_VIVIDNESS

BATCH_POSTERS = 8
# How many training posters the colors by lightness are counted on.
COUNTED_POSTERS = 1000
# How many true posters recolored ones are compared with by their features.
REFERENCE_POSTERS = 2000


def baseline_predictors(
    manifest: DataSet, told_palette: bool = False, vividness: float = PALETTE_VIVIDNESS
) -> dict[str, Predictor]:
    """Return the answers without a model by name.

    Args:
        manifest: The data set. All but gray are computed from its training posters.
        told_palette: Whether to add those that know each poster's own palette.
        vividness: See `told.baselines_told_the_palette`.
    """
    shape = (manifest.size, manifest.size)
    predictors: dict[str, Predictor] = {"gray": lambda poster: Answer(baselines.gray(shape))}
    if manifest.mean_ab is not None:
        predictors["mean color"] = lambda poster: Answer(
            baselines.mean_color(shape, Box(*poster["box"]), manifest.mean_ab)
        )
    if told_palette and manifest.count("train"):
        predictors |= baselines_told_the_palette(_colors_by_lightness(manifest), vividness)
    return predictors


def _colors_by_lightness(manifest: DataSet) -> baselines.ColorsByLightness:
    colors = baselines.ColorsByLightness.empty()
    for poster in itertools.islice(posters(manifest, "train"), COUNTED_POSTERS):
        inside = Box(*poster["box"]).slices
        colors.add(poster["lightness"][inside][..., 0], poster["ab"][inside])
    return colors


def with_kernel_distance(manifest: DataSet, split: str) -> dict[str, Callable[[], Metric]]:
    """Return what makes each metric, the kernel distance of a split among them.

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
        inside = Box(*poster["box"]).slices
        rgb = lab8_to_rgb(poster["lightness"][inside][..., 0], poster["ab"][inside])
        true.append(features.scaled(rgb))
    return {
        **dict(METRICS.items()),
        KernelDistance.name: partial(KernelDistance, features, features.of(true)),
    }


def score(
    manifest: DataSet,
    split: str,
    predictors: dict[str, Predictor],
    progress: Callable[[int], None] = lambda count: None,
    metrics: Mapping[str, Callable[[], Metric]] = METRICS,
    most: int | None = None,
) -> dict[str, SplitMetrics]:
    """Measure every predictor, and the truth itself, in one pass over a split.

    Args:
        manifest: The data set.
        split: Its split.
        predictors: By column name.
        progress: Called with 1 after each poster.
        metrics: What makes each metric, by name.
        most: How many posters to measure at most, the split's first ones; None for all.

    Returns:
        The measurements by column name; the last column is ``truth``.

    Raises:
        DatasetError: If the split is empty.
        MeasurementError: If a predictor's colors are not finite.
    """
    totals = {name: SplitMetrics(metrics) for name in [*predictors, "truth"]}

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
            truth = Truth(poster["lightness"][..., 0], poster["ab"], Box(*poster["box"]))
            measured = pool.map(partial(_measured, metrics, poster, truth), totals, answers)
            progress(1)
        add(measured)
    return totals


def posters(manifest: DataSet, split: str) -> Iterator[dict[str, np.ndarray]]:
    """Read a split's posters one by one."""
    for batch in read_posters(manifest, split, BATCH_POSTERS):
        for number in range(len(batch["ab"])):
            yield {name: array[number] for name, array in batch.items()}


def _measured(
    metrics: Mapping[str, Callable[[], Metric]],
    poster: dict[str, np.ndarray],
    truth: Truth,
    column: str,
    answer: Answer,
) -> SplitMetrics:
    measured = SplitMetrics(metrics)
    try:
        measured.update(
            Observation(
                truth,
                answer.ab,
                answer.asked,
                answer.suggestions,
                answer.lightness,
                answer.given,
                answer.source,
                answer.locked,
            )
        )
    except MeasurementError as error:
        raise MeasurementError(f"{column}, poster {poster['sha256']}: {error}") from None
    return measured
