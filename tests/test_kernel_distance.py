"""The kernel distance: against a computation term by term, and what it says of posters."""

import numpy as np
import pytest

from recolor.datasets.posters import Box
from recolor.evaluation.metrics.kernel_distance import Features, KernelDistance, kernel_distance
from recolor.evaluation.metrics.observation import Answer, Colors, Observation
from recolor.evaluation.scoring import score, with_kernel_distance

RNG = np.random.default_rng(3)


def test_it_is_the_unbiased_discrepancy_term_by_term():
    one, other = RNG.normal(size=(4, 5)), RNG.normal(0.5, 1, (3, 5))

    def kernel(x, y):
        return (sum(a * b for a, b in zip(x, y, strict=True)) / 5 + 1) ** 3

    def within(rows):
        pairs = [(i, j) for i in range(len(rows)) for j in range(len(rows)) if i != j]
        return sum(kernel(rows[i], rows[j]) for i, j in pairs) / len(pairs)

    between = sum(kernel(x, y) for x in one for y in other) / 12
    expected = 1000 * (within(one) + within(other) - 2 * between)
    assert kernel_distance(one, other) == pytest.approx(expected)
    assert kernel_distance(one, other) == pytest.approx(kernel_distance(other, one))


def test_it_is_about_zero_between_samples_of_one_distribution():
    samples = RNG.normal(size=(40, 200, 8))
    values = [kernel_distance(one, other) for one, other in zip(samples[::2], samples[1::2])]  # noqa: B905
    assert min(values) < 0 < max(values)
    shifted = kernel_distance(samples[0], samples[1] + 0.5)
    assert abs(np.mean(values)) < 0.1 * shifted


@pytest.mark.parametrize(("one", "other"), [(1, 3), (3, 1), (0, 0)])
def test_less_than_two_pictures_have_none(one, other):
    assert kernel_distance(np.ones((one, 4)), np.ones((other, 4))) is None


@pytest.fixture(scope="module")
def features() -> Features:
    return Features()


def observation(ab: np.ndarray) -> Observation:
    true = Colors(RNG.integers(0, 256, ab.shape[:2]).astype(np.uint8), ab, Box(0, 4, 32, 24))
    return Observation(true, Answer(ab))


def test_parts_are_merged_in_any_number(features):
    seen = [observation(RNG.integers(-60, 60, (32, 32, 2)).astype(np.int8)) for _ in range(19)]
    reference = features.of([Features.scaled(one.predicted.rgb) for one in seen[:3]])
    total = KernelDistance(features, reference)
    for one in seen:
        part = KernelDistance(features, reference)
        part.update(one)
        total.merge(part)
    pictures = [Features.scaled(one.predicted.rgb) for one in seen]
    assert total.result() == pytest.approx(
        kernel_distance(features.of(pictures), reference), rel=1e-4
    )


def test_without_a_reference_it_has_no_value_and_costs_nothing():
    metric = KernelDistance()
    metric.update(observation(np.zeros((32, 32, 2), np.int8)))
    assert metric.result() is None


def test_gray_posters_are_further_from_true_ones_than_true_ones_are(manifest):
    gray = np.zeros((manifest.size, manifest.size, 2), np.int8)
    predictors = {"gray": lambda poster: Answer(gray)}
    metrics = with_kernel_distance(manifest, "test")
    columns = score(manifest, "test", predictors, metrics=metrics)
    found = {name: column.result()["kernel_distance_lite0"] for name, column in columns.items()}
    assert found["gray"] > found["truth"] + 1
