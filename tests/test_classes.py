"""Color classes against brute force: cells, soft encoding and rebalancing weights."""

import math

import numpy as np
import pytest

from recolor.datasets.classes import (
    GRID,
    ColorClasses,
    cell_centers,
    cell_index,
    cell_of,
    color_index,
    count_cells,
)

ALL_COLORS = [(a, b) for a in range(-128, 128) for b in range(-128, 128)]


def classes_of(cells: list[int], pixels: list[int] | None = None) -> ColorClasses:
    counts = np.zeros(GRID * GRID, np.int64)
    counts[cells] = pixels if pixels else 1
    return ColorClasses.from_counts(counts)


def center_of(cell: int) -> tuple[float, float]:
    return 8 * (cell // 32) - 124.5, 8 * (cell % 32) - 124.5


def encode_by_brute_force(a: int, b: int, cells: list[int]) -> tuple[list[int], list[float]]:
    """The five nearest classes (the lower number first at equal distance) and their weights."""
    squares = []
    for number, cell in enumerate(cells):
        center_a, center_b = center_of(cell)
        squares.append(((center_a - a) ** 2 + (center_b - b) ** 2, number))
    nearest = sorted(squares)[:5]
    weights = [math.exp((nearest[0][0] - square) / (2 * 5**2)) for square, _ in nearest]
    return [number for _, number in nearest], [weight / sum(weights) for weight in weights]


def random_cells(number: int, seed: int, within: int = 1024) -> list[int]:
    return sorted(np.random.default_rng(seed).choice(within, number, replace=False).tolist())


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        *((-128, 0), (-121, 0), (-120, 1), (-9, 14), (-8, 15), (-1, 15)),
        *((0, 16), (7, 16), (8, 17), (119, 30), (120, 31), (127, 31)),
    ],
)
@pytest.mark.parametrize("dtype", [np.int8, np.int64])
def test_cells_at_their_edges(value, cell, dtype):
    ab = np.array([[value, 0], [0, value], [value, value]], dtype)
    assert cell_of(ab).tolist() == [[cell, 16], [16, cell], [cell, cell]]
    assert cell_index(ab).tolist() == [32 * cell + 16, 32 * 16 + cell, 33 * cell]


def test_every_color_has_its_own_row_in_order_and_64_share_a_cell():
    ab = np.array(ALL_COLORS, np.int8)
    assert np.array_equal(color_index(ab), np.arange(65_536))
    assert np.array_equal(np.bincount(cell_index(ab)), np.full(1024, 64))


def test_a_center_is_the_mean_of_its_cells_colors():
    ab = np.array(ALL_COLORS, np.int8)
    centers = cell_centers(np.arange(1024))
    assert centers.shape == (1024, 2)
    assert centers.dtype == np.float32
    for cell in (0, 31, 32, 528, 992, 1023):
        mean = ab[cell_index(ab) == cell].astype(float).mean(axis=0)
        assert centers[cell].tolist() == mean.tolist() == list(center_of(cell))


@pytest.mark.parametrize("shape", [(17,), (9, 11), (2, 5, 7)])
def test_count_cells_counts_as_a_loop_does(shape):
    ab = np.random.default_rng(0).integers(-128, 128, (*shape, 2)).astype(np.int8)
    expected = [0] * 1024
    for a, b in ab.reshape(-1, 2).tolist():
        expected[32 * math.floor((a + 128) / 8) + math.floor((b + 128) / 8)] += 1
    assert count_cells(ab).tolist() == expected


def test_classes_are_the_populated_cells_with_their_shares():
    cells = [3, 40, 528, 529, 1023]
    classes = classes_of(cells, [1, 2, 4, 8, 5])
    assert len(classes) == 5
    assert classes.cells.tolist() == cells
    assert classes.frequency.tolist() == [0.05, 0.1, 0.2, 0.4, 0.25]
    assert classes.centers.tolist() == [list(center_of(cell)) for cell in cells]


@pytest.mark.parametrize(
    "cells",
    [
        pytest.param([16 * 32 + 16, 0, 5, 900, 1023], id="just five"),
        pytest.param(list(range(1024)), id="all"),
        pytest.param(random_cells(389, 0), id="random"),
        pytest.param(random_cells(12, 1), id="few"),
        pytest.param(random_cells(40, 2, within=200), id="all far from half the plane"),
    ],
)
def test_soft_encoding_is_that_of_brute_force(cells):
    cells = sorted(cells)
    index, weight = classes_of(cells).soft_encoding
    rng = np.random.default_rng(3)
    corners = [(-128, -128), (-128, 127), (127, -128), (127, 127), (0, 0), (-1, -1), (3, -4)]
    for a, b in corners + rng.integers(-128, 128, (120, 2)).tolist():
        row = (a + 128) * 256 + b + 128
        numbers, weights = encode_by_brute_force(a, b, cells)
        assert index[row].tolist() == numbers, (a, b)
        assert weight[row].tolist() == pytest.approx(weights, rel=1e-5, abs=1e-12), (a, b)


def test_ties_go_to_the_lower_class_number():
    """On the diagonal, cells mirrored at it are at equal distance."""
    cells = sorted(32 * i + j for i in range(12, 20) for j in range(12, 20))
    index, weight = classes_of(cells).soft_encoding
    ties = 0
    for v in range(-20, 20):
        row = (v + 128) * 257
        numbers, weights = encode_by_brute_force(v, v, cells)
        assert index[row].tolist() == numbers
        ties += len(set(weights)) < 5
        equal = np.diff(weight[row]) == 0
        assert (np.diff(index[row])[equal] > 0).all()
    assert ties == 40


def test_a_tie_across_the_fifth_place_is_broken_too():
    """Three cells near a color and then four at one distance: the lower two of those are taken."""
    a = b = 82
    distance = {cell: math.dist((a, b), center_of(cell)) for cell in range(1024)}
    rings = {}
    for cell, far in distance.items():
        rings.setdefault(far, []).append(cell)
    ring = max(rings.values(), key=len)
    assert len(ring) == 4
    cells = sorted([*sorted(distance, key=distance.get)[:3], *ring])
    numbers = [cells.index(cell) for cell in sorted(ring)[:2]]

    index, _ = classes_of(cells).soft_encoding
    assert index[(a + 128) * 256 + b + 128, 3:].tolist() == numbers


def test_soft_encoding_holds_for_every_color():
    """Weights sum to one, descend and stay finite, however far away the classes are."""
    for cells in (random_cells(300, 4), [0, 1, 2, 32, 33]):
        index, weight = classes_of(cells).soft_encoding
        assert (index.shape, index.dtype) == ((65_536, 5), np.int32)
        assert (weight.shape, weight.dtype) == ((65_536, 5), np.float32)
        assert np.isfinite(weight).all()
        assert weight.sum(axis=1) == pytest.approx(1, abs=1e-6)
        assert (np.diff(weight, axis=1) <= 0).all()
        assert (weight[:, 0] >= 0.2 - 1e-6).all()
        assert (index >= 0).all()
        assert (index < len(cells)).all()
        assert (np.diff(np.sort(index, axis=1), axis=1) > 0).all()


def test_weights_of_a_case_computed_by_hand():
    """f = .5 .2 .1 .1 .1 and 1/Q = .2 give 1/(f + 1/Q) = 10/7, 5/2, and three times 10/3.

    Their mean under f is 5/7 + 1/2 + 1 = 31/14, by which they are divided.
    """
    classes = classes_of([0, 1, 2, 3, 4], [5, 2, 1, 1, 1])
    assert classes.weights.tolist() == pytest.approx([20 / 31, 35 / 31, *[140 / 93] * 3])


@pytest.mark.parametrize("seed", range(3))
def test_weights_average_to_one_and_rare_classes_weigh_more(seed):
    rng = np.random.default_rng(seed)
    cells = random_cells(50, seed)
    classes = classes_of(cells, (1 + rng.integers(0, 10**6, 50) ** 2).tolist())
    assert np.sum(classes.frequency * classes.weights) == pytest.approx(1)
    order = np.argsort(classes.frequency)
    assert (np.diff(classes.weights[order]) <= 0).all()
    ratio = classes.weights * (classes.frequency + 1 / 50)
    assert ratio == pytest.approx(ratio[0])


def test_a_colors_weight_is_that_of_its_strongest_class():
    cells = random_cells(100, 5)
    pixels = np.random.default_rng(5).integers(1, 1000, 100).tolist()
    classes = classes_of(cells, pixels)
    raw = [1 / (count / sum(pixels) + 1 / 100) for count in pixels]
    mean = sum(count / sum(pixels) * weight for count, weight in zip(pixels, raw, strict=True))
    assert (classes.color_weights.shape, classes.color_weights.dtype) == ((65_536,), np.float32)
    for a, b in np.random.default_rng(6).integers(-128, 128, (200, 2)).tolist():
        strongest = encode_by_brute_force(a, b, cells)[0][0]
        expected = raw[strongest] / mean
        assert classes.color_weights[(a + 128) * 256 + b + 128] == pytest.approx(expected, 1e-6)


@pytest.mark.parametrize("shape", [(0,), (1023,), (1025,), (32, 32)])
def test_counts_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match="must be 1024 numbers"):
        ColorClasses.from_counts(np.ones(shape, int))


@pytest.mark.parametrize("populated", [0, 1, 4])
def test_too_few_populated_cells_are_refused(populated):
    counts = np.zeros(1024, int)
    counts[:populated] = 10
    with pytest.raises(ValueError, match=f"populate {populated} color classes.* at least 5"):
        ColorClasses.from_counts(counts)
