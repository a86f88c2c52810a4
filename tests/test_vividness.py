"""The calibration of colors, against loops and known transports, and what it does to colors."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from recolor.models.decoding.vividness import (
    BANDS,
    LARGEST_TURN,
    NODES,
    SHAPE,
    STEEPNESS,
    STEP,
    calibrate,
    no_calibration,
    vivid,
    vivid_moves,
)

RNG = np.random.default_rng(2)
# Of stored lightness, the middle of a band.
BAND = 7
STORED = BAND * 256 // BANDS + 128 // BANDS


def picture(predicted: np.ndarray, true: np.ndarray, stored: int = STORED):
    return np.full(len(predicted), stored, np.uint8), predicted, np.rint(true)


def made_vivid(ab, calibration, vividness, stored: int = STORED) -> np.ndarray:
    ab = np.asarray(ab, np.float32)
    lightness = np.full((*ab.shape[:-1], 1), stored / 2.55, np.float32)
    return vivid(lightness, ab, vivid_moves(calibration, np.float32(vividness))).numpy()


def polar(ab: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.arctan2(ab[..., 1], ab[..., 0]), np.hypot(ab[..., 0], ab[..., 1])


def any_calibration() -> np.ndarray:
    shares = RNG.uniform(0, 1, (1, *SHAPE[1:]))
    return np.concatenate([shares, RNG.normal(0, 9, (2, *SHAPE[1:]))]).astype(np.float32)


def test_without_calibration_or_vividness_nothing_changes():
    ab = RNG.uniform(-100, 100, (50, 2)).astype(np.float32)
    for share in (0.0, 0.3, 1.0):
        np.testing.assert_array_equal(made_vivid(ab, no_calibration(), share), ab)
    np.testing.assert_array_equal(made_vivid(ab, any_calibration(), 0.0), ab)


def test_the_share_of_the_way_is_interpolated_between_bands_and_nodes():
    """Against SciPy, at random lightness and colors, the range's ends included."""
    calibration = any_calibration()
    stored = np.concatenate([[0, 255], RNG.integers(0, 256, 200)])
    ab = np.concatenate([[[-128, 127], [127, -128]], RNG.uniform(-128, 127, (200, 2))])
    vividness = 0.2
    odds = (vividness / ((1 - vividness) * calibration[0])) ** STEEPNESS
    places = [np.clip((stored + 0.0) / 16 - 0.5, 0, 15), *((ab.T + 128) / STEP)]
    expected = ab + np.stack(
        [
            map_coordinates(odds / (1 + odds) * way, places, order=1, mode="nearest")
            for way in calibration[1:]
        ],
        axis=-1,
    )
    lightness = (stored[:, None] / 2.55).astype(np.float32)
    moves = vivid_moves(calibration, np.float32(vividness))
    result = vivid(lightness, ab.astype(np.float32), moves).numpy()
    np.testing.assert_allclose(result, expected, atol=2e-3)


def test_shares_beyond_are_those_of_a_half_plane():
    predicted = np.rint(RNG.normal((6, -3), (15, 8), (3000, 2)))
    shares = calibrate([picture(predicted, predicted)])[0, BAND]
    for node in [(32, 32), (33, 32), (36, 30), (28, 32), (30, 35), (60, 4)]:
        color = np.array(node) * STEP - 128
        beyond = sum(a * color[0] + b * color[1] >= color @ color for a, b in predicted)
        assert shares[node] == pytest.approx(beyond / 3000, abs=1e-5)


def test_all_of_the_way_leads_to_the_true_distribution():
    """Between normal distributions of the same center it is a stretching."""
    predicted, true = RNG.normal(0, 8, (200_000, 2)), RNG.normal(0, 24, (200_000, 2))
    calibration = calibrate([picture(predicted, true)])
    some = np.array([[8.0, 0], [0, -8], [12, 12], [-16, 8], [5, -11], [-20, 0]])
    np.testing.assert_allclose(made_vivid(some, calibration, 1.0), 3 * some, rtol=0.1, atol=2)
    carried = made_vivid(np.rint(predicted), calibration, 1.0)
    for quantile in (0.5, 0.9, 0.99):
        found, wanted = (np.quantile(polar(ab)[1], quantile) for ab in (carried, true))
        assert found == pytest.approx(wanted, rel=0.06)
    # The outermost lie at the rim.
    assert polar(carried)[1].max() == pytest.approx(polar(true)[1].max(), rel=0.1)


def test_the_outermost_colors_go_all_the_way_and_those_in_the_middle_hardly_move():
    predicted = RNG.normal(0, 10, (100_000, 2))
    calibration = calibrate([picture(predicted, 2 * predicted)])
    chroma = np.array([4.0, 8, 12, 16, 20, 24, 28])
    line = np.stack([chroma, 0 * chroma], axis=-1)
    gone = (made_vivid(line, calibration, 0.05) - line)[:, 0] / chroma
    assert (np.diff(gone) > -0.03).all()
    assert gone[0] < 0.05 and gone[-1] > 0.9


def test_each_lightness_has_colors_of_its_own():
    """Dark colors are stretched, light ones are not, and those of a lightness not seen stay."""
    colors = RNG.normal(0, 10, (20_000, 2))
    dark, light, unseen = (band * 16 + 8 for band in (2, 12, 7))
    few = RNG.normal(0, 10, (100, 2))
    calibration = calibrate(
        [
            picture(colors, 2 * colors, dark),
            picture(colors, colors, light),
            picture(few, 3 * few, unseen),
        ]
    )
    color = np.array([[12.0, 8.0]])
    for stored, factor in ((dark, 2), (light, 1), (unseen, 1)):
        result = made_vivid(color, calibration, 1.0, stored)
        np.testing.assert_allclose(result, factor * color, rtol=0.12)


def test_hues_turn_little_but_for_the_very_outermost():
    """Where all truth is a quarter turn away from what was predicted."""
    predicted = np.stack([RNG.gamma(4, 6, 50_000), RNG.normal(0, 2, 50_000)], axis=-1)
    calibration = calibrate([picture(predicted, predicted[:, ::-1])])
    common = np.array([[12.0, 0], [24, 0], [32, 2]])
    turned, _ = polar(made_vivid(common, calibration, 1.0))
    assert (turned > np.radians(10)).all() and (turned < LARGEST_TURN * 1.2).all()
    outermost = np.array([[float(predicted[:, 0].max()), 0]])
    assert polar(made_vivid(outermost, calibration, 1.0))[0] > 2 * LARGEST_TURN


def test_gray_stays_gray_and_colors_of_a_gray_network_can_be_calibrated():
    colors = RNG.normal((12, 9), 10, (5000, 2))
    gray = np.zeros((5000, 2))
    for answer, truth in ((colors, colors + 20), (gray, colors), (colors, gray)):
        calibration = calibrate([picture(answer, truth)])
        assert np.isfinite(calibration).all()
        for vividness in (0.0, 0.1, 1.0):
            np.testing.assert_array_equal(made_vivid(gray[:1], calibration, vividness), gray[:1])


def test_colors_go_over_into_each_other(manifest):
    """Fitted to answers half as colorful as posters, and not of their hues."""
    from recolor.datasets.input_pipeline import Posters

    posters = Posters(manifest, "train")
    read = [posters[number] for number in range(len(posters))]
    true = [poster["ab"] for poster in read]
    answers = [0.5 * ab.astype(np.float32) for ab in true[1:] + true[:1]]
    lightness = [poster["lightness"] for poster in read]
    calibration = calibrate(zip(lightness, answers, true, strict=True))
    assert calibration.shape == (3, BANDS, NODES, NODES) and calibration.dtype == np.float32
    hues = np.linspace(-np.pi, np.pi, 721)
    ring = 12 * np.stack([np.cos(hues), np.sin(hues)], axis=-1)
    around = made_vivid(ring, calibration, 0.1)
    assert np.abs(np.diff(around, axis=0)).max() < 4
