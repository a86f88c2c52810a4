"""Metrics of recolored sources, against loops over tiny pictures."""

import itertools
import math
import statistics
import time

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000

from recolor.datasets.color import lab8_to_rgb, rgb_to_lab8
from recolor.datasets.palettes.palette import Palette
from recolor.datasets.posters import Box
from recolor.evaluation.metrics.observation import (
    GRID,
    Answer,
    Colors,
    MeasurementError,
    Observation,
    PixelPairs,
)
from recolor.evaluation.metrics.recoloring import (
    evenness,
    lock_leak,
    measure_recoloring,
    merged,
    paper_tint,
)
from recolor.evaluation.scoring import SplitMetrics

SIDE = 16
BOXES = [Box(1, 2, 14, 9), Box(0, 0, 16, 16), Box(5, 0, 6, 16)]
NAMES = ("evenness", "merged", "paper_tint", "lock_leak")


def picture(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A square of few colors with a little noise: some paper, some pixels alike, some different."""
    rng = np.random.default_rng(seed)
    colors = np.array([[240, 1, -2], [120, 30, 20], [120, -20, -30], [60, 5, 40]])
    lab = colors[rng.integers(4, size=(SIDE, SIDE))] + rng.integers(-2, 3, (SIDE, SIDE, 3))
    return lab[..., 0].astype(np.uint8), lab[..., 1:].astype(np.int8)


def case(seed: int):
    """A source, an answer of two inks that follow nothing, and locks."""
    rng = np.random.default_rng(100 + seed)
    lightness, ab = picture(seed)
    inks = np.array([[0, 0], [40, -10]])[rng.integers(2, size=(SIDE, SIDE))]
    answer = (inks + rng.normal(0, 3, ab.shape)).round().astype(np.int8)
    box = BOXES[seed]
    return lightness, ab, answer, box, rng.random((box.height, box.width))


def observed(lightness, ab, answer, box, locked=None) -> Observation:
    true, source = Colors(lightness, np.zeros_like(ab), box), Colors(lightness, ab, box)
    return Observation(true, Answer(answer, source=source, locked=locked))


def result_of(*cases) -> dict[str, float | None]:
    metrics = SplitMetrics()
    for each in cases:
        metrics.update(observed(*each))
    return {name: metrics.result()[name] for name in NAMES}


def by_loops(lightness, ab, answer, box, locked) -> dict[str, float | None]:
    """All four by their definitions, pixel by pixel and pair by pair."""
    pixels = [
        (row, column)
        for row in range(box.top, box.top + box.height)
        for column in range(box.left, box.left + box.width)
    ]
    lab = {pixel: [lightness[pixel] / 2.55, *ab[pixel].tolist()] for pixel in pixels}
    out = {pixel: answer[pixel].tolist() for pixel in pixels}
    alike, different = [], []
    for one, other in itertools.combinations(pixels, 2):
        after = math.dist(out[one], out[other])
        if math.dist(lab[one], lab[other]) < 4 and math.dist(one, other) <= box.height / 5:
            alike.append(after)
        if math.dist(lab[one][1:], lab[other][1:]) > 25:
            different.append(100.0 if after < 5 else 0.0)
    paper = [
        math.hypot(*out[pixel])
        for pixel in pixels
        if lab[pixel][0] > 85 and math.hypot(*lab[pixel][1:]) < 5
    ]
    changes = [
        float(deltaE_ciede2000(np.array(lab[pixel]), np.array([lab[pixel][0], *out[pixel]])))
        for pixel in pixels
        if locked[pixel[0] - box.top, pixel[1] - box.left] > 0.5
    ]
    assert len(alike) > 20 and len(different) > 50 and len(paper) > 5 and len(changes) > 20
    return {
        "evenness": statistics.mean(alike),
        "merged": statistics.mean(different),
        "paper_tint": statistics.mean(paper),
        "lock_leak": float(np.percentile(changes, 95)),
    }


CASES = [case(seed) for seed in range(3)]


@pytest.mark.parametrize("each", CASES)
def test_they_are_what_loops_find(each):
    expected = by_loops(*each)
    assert 0 < expected["merged"] < 100
    assert result_of(each) == pytest.approx(expected, rel=1e-4)


def test_they_are_means_over_posters():
    expected = [by_loops(*each) for each in CASES]
    assert result_of(*CASES) == pytest.approx(
        {name: statistics.mean(one[name] for one in expected) for name in NAMES}, rel=1e-4
    )


def test_parts_are_merged():
    total = SplitMetrics()
    for each in (CASES[:1], CASES[1:]):
        part = SplitMetrics()
        for one in each:
            part.update(observed(*one))
        total.merge(part)
    found = {name: total.result()[name] for name in NAMES}
    assert found == pytest.approx(result_of(*CASES), rel=1e-12)


def test_without_a_source_they_are_undefined():
    lightness, ab, answer, box, _ = CASES[0]
    metrics = SplitMetrics()
    metrics.update(Observation(Colors(lightness, ab, box), Answer(answer)))
    assert [metrics.result()[name] for name in NAMES] == [None] * 4


def test_each_is_undefined_where_there_is_nothing_to_measure():
    """One color that is not paper: no pixel differs from another one, and nothing is locked."""
    lightness, ab = np.full((10, 10), 100, np.uint8), np.full((10, 10, 2), 30, np.int8)
    flat = PixelPairs(np.dstack([lightness / 2.55, ab]).astype(np.float32))
    assert merged(flat, ab) is None and evenness(flat, ab) == 0
    # Two pixels, one of them black.
    lab = np.array([[[0, 0, 0], [90, 0, 0]]], np.float32)
    assert evenness(PixelPairs(lab), lab[..., 1:]) is None
    one = PixelPairs(lab[:, :1])
    assert evenness(one, lab[:, :1, 1:]) is None and merged(one, lab[:, :1, 1:]) is None
    locked = np.full((10, 10), 0.5)
    lab = np.dstack([lightness / 2.55, ab])
    assert lock_leak(lab, lab, locked) is None
    assert result_of((lightness, ab, ab, Box(0, 0, 10, 10)))["lock_leak"] is None


def test_paper_counts_from_half_a_percent_on():
    lab = np.zeros((20, 20, 3))
    ab = np.full((20, 20, 2), (3, 4))
    lab[0, 0, 0] = 90
    assert paper_tint(lab, ab) is None
    lab[0, 1, 0] = 90
    assert paper_tint(lab, ab) == 5
    # Neither too dark nor too colorful counts.
    lab[0, 1] = 85, 0, 0
    lab[0, 2] = 90, 3, 4
    assert paper_tint(lab, ab) is None


def test_large_pictures_are_measured_on_a_grid_from_edge_to_edge():
    """With the same result as that grid's pixels alone, and in a short time."""
    rng = np.random.default_rng(0)
    large = rng.normal(50, 3, (300, 200, 3)).astype(np.float32)
    answer = rng.normal(0, 20, (300, 200, 2))
    rows, columns = (np.rint(np.linspace(0, side - 1, n)) for side, n in ((300, GRID), (200, 21)))
    chosen = np.ix_(rows.astype(int), columns.astype(int))
    places = [(row, column) for row in rows for column in columns]
    lab, out = large[chosen].reshape(-1, 3), answer[chosen].reshape(-1, 2)
    apart = [
        math.dist(out[one], out[other])
        for one, other in itertools.combinations(range(len(places)), 2)
        if math.dist(places[one], places[other]) <= 60 and math.dist(lab[one], lab[other]) < 4
    ]
    best = math.inf
    for _ in range(5):
        started = time.perf_counter()
        found = evenness(PixelPairs(large), answer)
        best = min(best, time.perf_counter() - started)
    assert found == pytest.approx(statistics.mean(apart))
    assert best < 0.1


class TestPicturesWithoutTruth:
    def test_they_are_measured_as_posters_are(self):
        lightness, ab, answer, _, _ = CASES[1]
        source, after = (lab8_to_rgb(lightness, colors) for colors in (ab, answer))
        wanted = Palette.of_colors("#0f4c5c,#f28c28")
        locked = np.eye(SIDE)
        found = measure_recoloring(source, after, wanted, locked)
        (light, before), (_, colors) = rgb_to_lab8(source), rgb_to_lab8(after)
        expected = result_of((light, before, colors, Box(0, 0, SIDE, SIDE), locked))
        # The answer has a lightness of its own, which differs by rounding.
        leak, expected_leak = found.pop("lock_leak"), expected.pop("lock_leak")
        assert leak == pytest.approx(expected_leak, abs=0.5)
        obtained = Palette.of_pixels(light, colors, "obtained")
        assert found == expected | {"palette_distance": wanted.distance(obtained)}

    def test_what_is_not_known_is_undefined(self):
        found = measure_recoloring(*[np.zeros((5, 6, 3), np.uint8)] * 2)
        assert found == dict.fromkeys(("merged", "paper_tint", "lock_leak", "palette_distance")) | {
            "evenness": 0.0
        }

    def test_other_sizes_are_an_error(self):
        source = np.zeros((4, 6, 3), np.uint8)
        with pytest.raises(MeasurementError, match=r"^the source is 6x4 pixels.* 4x6$"):
            measure_recoloring(source, np.zeros((6, 4, 3), np.uint8))
        with pytest.raises(MeasurementError, match=r"locks? .*6x5"):
            measure_recoloring(source, source, locked=np.zeros((5, 6)))
