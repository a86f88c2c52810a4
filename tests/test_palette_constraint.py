"""Decoding under a palette and carrying colors to it, against loops in double precision."""

import numpy as np
import pytest
from scipy.special import softmax

from recolor.datasets.classes import ColorClasses
from recolor.datasets.palettes.palette import palette_distance
from recolor.models.decoding.likeness import TOGETHER, Reach, evened, hinted
from recolor.models.decoding.palette_constraint import (
    SHARPENING,
    SMALLEST_SHARE,
    mean_distribution,
    palette_offsets,
)
from recolor.models.decoding.palette_transfer import NODES, move, transfer_moves
from recolor.models.paper import Classification

RNG = np.random.default_rng(7)


def offsets(logits, palette, weights=None, **options) -> np.ndarray:
    weights = np.ones(len(logits)) if weights is None else weights
    arrays = (np.float32(array)[None] for array in (logits, palette, weights))
    return np.asarray(palette_offsets(*arrays, **options))[0]


def by_loops(logits, palette, weights, rounds) -> np.ndarray:
    """The formula as it is written, pixel by pixel."""
    v = np.zeros(len(palette))
    for _ in range(rounds):
        mean = np.zeros(len(palette))
        for row, weight in zip(np.asarray(logits, float), weights, strict=True):
            exponent = row / SHARPENING + v
            shares = np.exp(exponent - exponent.max())
            mean += weight * shares / shares.sum()
        mean /= np.sum(weights)
        v += np.log(palette + SMALLEST_SHARE) - np.log(mean + SMALLEST_SHARE)
    return v


def obtained(logits, found) -> np.ndarray:
    """The mean distribution over the pixels with offsets."""
    return softmax((logits + found) / SHARPENING, axis=-1).mean(axis=0)


@pytest.mark.parametrize("rounds", [1, 5, 12])
def test_it_is_the_formula(rounds):
    logits, palette = RNG.normal(0, 3, (40, 12)), RNG.dirichlet(np.ones(12))
    weights = RNG.uniform(0, 1, 40)
    weights[::7] = 0
    expected = by_loops(logits, palette, weights, rounds)
    found = offsets(logits, palette, weights, rounds=rounds) / SHARPENING
    np.testing.assert_allclose(found - found[0], expected - expected[0], atol=1e-3)


def test_the_pictures_mean_distribution_becomes_the_palette():
    logits, palette = RNG.normal(0, 3, (500, 30)), RNG.dirichlet(np.ones(30))
    np.testing.assert_allclose(obtained(logits, offsets(logits, palette)), palette, atol=2e-3)
    exact = obtained(logits, offsets(logits, palette, rounds=300))
    np.testing.assert_allclose(exact, palette, atol=2e-5)
    assert exact.sum() == pytest.approx(1)


def test_its_own_distribution_asks_nothing_of_a_network():
    logits = RNG.normal(0, 2, (300, 20))
    own = np.asarray(mean_distribution(np.float32(logits)))
    np.testing.assert_allclose(own, softmax(logits / SHARPENING, axis=-1).mean(axis=0), rtol=1e-4)
    found = offsets(logits, own)
    np.testing.assert_allclose(found, found[0], atol=2e-3)


def test_classes_and_pixels_may_come_in_any_order():
    logits, palette = RNG.normal(0, 3, (60, 9)), RNG.dirichlet(np.ones(9))
    pixels, classes = RNG.permutation(60), RNG.permutation(9)
    found = offsets(logits, palette)
    np.testing.assert_allclose(offsets(logits[pixels], palette), found, atol=1e-3)
    again = offsets(logits[:, classes], palette[classes])
    np.testing.assert_allclose(again, found[classes], atol=1e-3)


def test_pictures_of_a_batch_have_nothing_to_do_with_each_other():
    logits, palettes = RNG.normal(0, 3, (3, 50, 8)), RNG.dirichlet(np.ones(8), 3)
    together = np.asarray(
        palette_offsets(np.float32(logits), np.float32(palettes), np.ones((3, 50), np.float32))
    )
    for number in range(3):
        alone = offsets(logits[number], palettes[number])
        np.testing.assert_allclose(together[number], alone, atol=1e-3)


@pytest.mark.parametrize("wanted", [0, 5])
def test_one_color_takes_all_pixels(wanted):
    """Also the one that the network would never give."""
    logits = RNG.normal(0, 3, (200, 6))
    logits[:, 5] = -1000
    found = offsets(logits, np.eye(6)[wanted])
    assert np.isfinite(found).all()
    # What the network rules out altogether is raised by at most some 40 / T1.
    shares = softmax((np.maximum(logits, logits.max(1, keepdims=True) - 40 * SHARPENING) + found)
                     / SHARPENING, axis=-1)  # fmt: skip
    assert shares[:, wanted].mean() > 0.99


def test_a_palette_of_classes_that_are_never_predicted_gives_finite_colors():
    classes = ColorClasses.from_counts(np.arange(1024))
    kind = Classification(classes)
    kind.head.build((None, 3))
    features = np.zeros((1, 4, 4, 3), np.float32)
    palette = np.zeros(len(classes))
    palette[[0, -1]] = 0.5
    logits = np.full((16, len(classes)), -50.0)
    logits[:, 500] = 50
    found = offsets(logits, palette)
    ab = np.asarray(kind.decode(features, 0.38, found, classes.centers))
    assert np.isfinite(ab).all() and np.abs(ab).max() <= 128


def test_colors_are_carried_to_the_palettes_distribution():
    """Between normal distributions, and back to where they were for a share of nothing."""
    ab = np.float32(RNG.normal((10, -5), 6, (4096, 2)))
    colors = np.float32(RNG.normal((-15, 20), 18, (300, 2)))
    palette = np.float32(np.full(300, 1 / 300))
    moves = np.asarray(transfer_moves(ab, palette, colors))
    assert moves.shape == (2, NODES, NODES) and np.isfinite(moves).all()
    even = np.full(len(ab), 1 / len(ab))
    apart = [
        palette_distance(palette, colors, even, np.asarray(move(ab, moves, share)))
        for share in (0.0, 0.5, 1.0)
    ]
    assert apart[2] < 0.15 * apart[0] and apart[2] < apart[1] < apart[0]
    np.testing.assert_array_equal(np.asarray(move(ab, moves, 0.0)), ab)


def test_gray_stays_gray_and_a_gray_palette_makes_all_gray():
    ab = np.float32(RNG.normal(0, 12, (1024, 2)))
    colors = np.float32([[50, 40], [0, 0]])
    moves = np.asarray(transfer_moves(ab, np.float32([0.5, 0.5]), colors))
    np.testing.assert_array_equal(
        np.asarray(move(np.zeros((1, 2), np.float32), moves, 1.0)), [[0, 0]]
    )
    moves = np.asarray(transfer_moves(ab, np.float32([0, 1]), colors))
    assert np.hypot(*np.asarray(move(ab, moves, 1.0)).T).mean() < 3


@pytest.mark.parametrize("color", [(90, 70), (-128, 127)])
def test_one_color_is_carried_to_one_color(color):
    ab = np.float32(np.full((256, 2), 40.0))
    moves = np.asarray(transfer_moves(ab, np.float32([1]), np.float32([color])))
    np.testing.assert_allclose(np.asarray(move(ab[:1], moves, 1.0))[0], color, atol=3)


def test_pixels_that_belong_together_answer_together():
    """Against loops."""
    features = RNG.normal(3, 1, (5, 4, 6))
    lightness = RNG.uniform(40, 60, (5, 4))
    places = np.int32([1, 6, 19])
    found = np.asarray(evened(np.float32(features), np.float32(lightness), places, 5.0))
    for row, column in np.ndindex(5, 4):
        strengths = []
        for at in (divmod(place, 4) for place in places.tolist()):
            one, two = features[row, column], features[at]
            cosine = one @ two / np.linalg.norm(one) / np.linalg.norm(two)
            far = np.hypot(row - at[0], column - at[1]) / 5
            lighter = lightness[row, column] - lightness[at]
            strengths.append(
                np.exp(
                    -(1 - cosine) / TOGETHER.likeness
                    - (far / TOGETHER.distance) ** 2
                    - (lighter / TOGETHER.lightness) ** 2
                )
            )
        expected = strengths @ features.reshape(-1, 6)[places] / np.sum(strengths)
        np.testing.assert_allclose(found[row, column], expected, rtol=1e-4)


def test_hints_reach_what_is_alike_near_and_as_light():
    """Against loops, for pixels of two kinds."""
    height, width, reach = 6, 4, Reach(0.2, 0.5, 25)
    features = RNG.normal(0, 1, (height, width, 5))
    lightness = RNG.uniform(0, 100, (height, width))
    hints = np.array([[0.1, 0.9, 40, -20], [0.99, 0.0, -30, 10], [1.0, 1.0, 0, 0]])
    color, counts = (
        np.asarray(array)
        for array in hinted(np.float32(features), np.float32(lightness), np.float32(hints), reach)
    )
    places = [(5, 0), (0, 3), (5, 3)]
    for row, column in np.ndindex(height, width):
        strengths = []
        for at in places:
            one, two = features[row, column], features[at]
            cosine = one @ two / np.linalg.norm(one) / np.linalg.norm(two)
            far = ((row - at[0]) ** 2 + (column - at[1]) ** 2) / height**2
            strengths.append(
                np.exp(
                    -(1 - cosine) / reach.likeness
                    - far / reach.distance**2
                    - ((lightness[row, column] - lightness[at]) / reach.lightness) ** 2
                )
            )
        expected = np.array(strengths) @ hints[:, 2:] / np.sum(strengths)
        np.testing.assert_allclose(counts[row, column, 0], 1 - np.prod(1 - np.array(strengths)),
                                   atol=1e-4)  # fmt: skip
        np.testing.assert_allclose(color[row, column], expected, atol=1e-2)
    assert counts[5, 0] == pytest.approx(1, abs=1e-4)
