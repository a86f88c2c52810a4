"""The calibration of chroma, against sorting, and what it does to colors."""

import numpy as np
import pytest

from recolor.datasets.input_pipeline import Posters
from recolor.platform.vividness import HUES, LEVELS, STEP, calibrate, no_calibration, vivid

RNG = np.random.default_rng(2)


def polar(ab: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.arctan2(ab[..., 1], ab[..., 0]), np.hypot(ab[..., 0], ab[..., 1])


def of_hue(chroma: np.ndarray, hue: float) -> np.ndarray:
    return np.stack([chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1)


def test_no_calibration_changes_nothing():
    ab = RNG.uniform(-100, 100, (50, 2)).astype(np.float32)
    for share in (0.0, 0.3, 1.0):
        np.testing.assert_allclose(vivid(ab, no_calibration(), share), ab, atol=1e-3)


def test_no_vividness_changes_nothing():
    calibration = no_calibration()
    calibration[0] = np.linspace(1, 0, LEVELS)
    calibration[1] *= 2
    ab = RNG.uniform(-60, 60, (50, 2)).astype(np.float32)
    np.testing.assert_allclose(vivid(ab, calibration, 0.0), ab, atol=1e-3)


def test_all_of_it_gives_each_color_the_true_chroma_of_its_rank():
    """Within a hue, the sorted chroma of the answers is that of the truth."""
    hue = 0.4
    true = np.sort(RNG.gamma(3, 12, 40_000).clip(0, 130))
    predicted = np.sort(RNG.gamma(2, 3, 40_000).clip(0, 60))
    calibration = calibrate([(of_hue(predicted, hue), of_hue(true, hue))])
    result = vivid(of_hue(predicted, hue).astype(np.float32), calibration, 1.0).numpy()
    hues, chroma = polar(result)
    np.testing.assert_allclose(hues[predicted > 0.1], hue, atol=1e-3)
    # Ranks in the middle; below are but few levels, and at the end single pixels.
    middle = slice(4000, 39_000)
    np.testing.assert_allclose(chroma[middle], true[middle], rtol=0.06, atol=1)


def test_the_share_of_the_way_grows_with_chroma():
    calibration = no_calibration()
    levels = np.arange(LEVELS) * STEP
    calibration[0] = np.clip(1 - levels / 50, 0, 1)
    calibration[1] = 2 * levels
    chroma = np.array([5.0, 25.0, 45.0, 50.0])
    _, result = polar(vivid(of_hue(chroma, 1.0).astype(np.float32), calibration, 0.2).numpy())
    above = 1 - chroma / 50
    share = 0.2 / (0.2 + 0.8 * above)
    np.testing.assert_allclose(result, chroma * (1 + share), rtol=1e-2)


def test_a_hue_that_is_hardly_there_stays_as_it_is():
    hue, other = 0.5, 0.5 - np.pi
    colors = [of_hue(RNG.uniform(0, most, 10_000), hue) for most in (20, 80)]
    calibration = calibrate([tuple(colors)])
    color = of_hue(np.array([10.0]), other).astype(np.float32)
    np.testing.assert_allclose(vivid(color, calibration, 1.0), color, atol=1e-3)
    color = of_hue(np.array([10.0]), hue).astype(np.float32)
    assert polar(vivid(color, calibration, 1.0).numpy())[1] == pytest.approx(40, rel=0.1)


def test_chroma_rises_with_chroma_and_hues_go_over_into_each_other(manifest):
    """Fitted to answers half as colorful as posters, and not of their hues."""
    posters = Posters(manifest, "train")
    true = [posters[number]["ab"] for number in range(len(posters))]
    answers = [0.5 * ab.astype(np.float32) for ab in true[1:] + true[:1]]
    calibration = calibrate(zip(answers, true, strict=True))
    assert calibration.shape == (2, HUES, LEVELS)
    assert (np.diff(calibration[0]) <= 0).all() and (np.diff(calibration[1]) >= 0).all()
    hues = np.linspace(-np.pi, np.pi, 721)
    grid = of_hue(np.full(721, 12.0), hues).astype(np.float32)
    around = polar(vivid(grid, calibration, 0.7).numpy())[1]
    assert np.abs(np.diff(around)).max() < 3
    line = of_hue(np.linspace(0, 60, 200), 0.8).astype(np.float32)
    along = polar(vivid(line, calibration, 0.7).numpy())[1]
    assert (np.diff(along) > -1e-3).all()
    gray = np.zeros((1, 2), np.float32)
    np.testing.assert_array_equal(vivid(gray, calibration, 1.0), gray)
