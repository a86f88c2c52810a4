"""Random maps of the ab plane, and colors brought into sRGB."""

import math

import numpy as np
import pytest
from skimage.color import lab2rgb

from recolor.datasets.color import lab8_to_rgb, rgb_to_lab8
from recolor.datasets.color_maps import CREASE, LARGEST_BEND, LIPSCHITZ, STRETCHES, ColorMap
from recolor.datasets.demo_posters import draw_poster
from recolor.datasets.gamut import in_gamut, largest_chroma

MAPS = [ColorMap.drawn(np.random.default_rng(seed)) for seed in range(40)]
PLANE = np.stack(np.meshgrid(*[np.arange(-128.0, 128.0, 2)] * 2, indexing="ij"), axis=-1)


def test_a_map_is_the_formula():
    """Written out with plain numbers, for one map that folds and one that does not."""
    folds = [bool(each.fold.any()) for each in MAPS]
    assert 10 < sum(folds) < 30
    for each in (MAPS[folds.index(True)], MAPS[folds.index(False)]):
        for a, b in ((0.0, 0.0), (60.0, 30.0), (-20.0, 90.0), (4.0, -100.0)):
            u = each.fold.tolist()
            t = u[0] * a + u[1] * b
            bent = [a, b]
            if any(u):
                by = math.sqrt(t * t + CREASE * CREASE) - CREASE - t
                bent = [a + by * u[0], b + by * u[1]]
            x, y = bent
            for w, p, g in zip(each.frequencies, each.phases, each.amplitudes, strict=True):
                wave = math.sin(w[0] * x + w[1] * y + p) - math.sin(p)
                bent = [bent[0] + wave * g[0], bent[1] + wave * g[1]]
            expected = [row[0] * bent[0] + row[1] * bent[1] for row in each.linear]
            np.testing.assert_allclose(each(np.array([a, b])), expected, atol=1e-4)


def test_alike_seeds_draw_alike():
    again = ColorMap.drawn(np.random.default_rng(3))
    np.testing.assert_array_equal(again(PLANE), MAPS[3](PLANE))
    assert np.abs(MAPS[4](PLANE) - MAPS[3](PLANE)).mean() > 5


@pytest.mark.parametrize("each", MAPS[:12])
def test_a_map_is_smooth(each):
    """The slopes between all neighbors of a grid, and that without a fold none is lost."""
    mapped = each(PLANE).astype(np.float64)
    slopes = np.concatenate(
        [np.linalg.norm(np.diff(mapped, axis=axis), axis=-1).ravel() / 2 for axis in (0, 1)]
    )
    assert slopes.max() < LIPSCHITZ + 1e-4
    if not each.fold.any():
        assert slopes.min() > (1 - LARGEST_BEND) * STRETCHES[0] - 1e-4


def test_a_fold_brings_two_colors_onto_one():
    only = ColorMap(
        np.array([0.6, 0.8]), np.zeros((0, 2)), np.zeros(0), np.zeros((0, 2)), np.eye(2)
    )
    color = np.array([60.0, -5.0])
    mirrored = color - 2 * (color @ only.fold) * only.fold
    np.testing.assert_allclose(only(color), only(mirrored), atol=1e-4)
    assert np.linalg.norm(only(color) - color) <= CREASE


def test_neutral_stays_neutral_and_little_else_becomes_so():
    near = PLANE[np.hypot(*np.moveaxis(PLANE, -1, 0)) < 3]
    vivid = PLANE[np.hypot(*np.moveaxis(PLANE, -1, 0)) > 30]
    for each in MAPS:
        np.testing.assert_allclose(each(np.zeros(2)), 0, atol=1e-5)
        assert np.linalg.norm(each(near), axis=-1).max() < 3 * LIPSCHITZ
        assert np.linalg.norm(each(vivid), axis=-1).min() > 4


def test_the_identity_changes_nothing():
    lightness, ab = rgb_to_lab8(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    lightness[0, 0], ab[0, 0] = rgb_to_lab8(np.array([255, 255, 0], np.uint8))
    same = ColorMap.identity().applied(lightness, ab)
    assert same.dtype == np.int8
    np.testing.assert_array_equal(same, ab)


@pytest.mark.parametrize("each", MAPS[:5])
def test_a_poster_under_a_map_is_a_picture(each):
    """It can be written in 8-bit sRGB and read again, and has its old lightness."""
    lightness, ab = rgb_to_lab8(np.asarray(draw_poster(0, 1, "modern")[1].resize((60, 90))))
    mapped = each.applied(lightness, ab)
    assert (mapped.shape, mapped.dtype) == (ab.shape, np.int8)
    read_lightness, read = rgb_to_lab8(lab8_to_rgb(lightness, mapped))
    assert np.abs(read_lightness.astype(int) - lightness).max() <= 1
    assert np.abs(read.astype(int) - mapped).max() <= 2
    # Where sRGB has the color, it is that of the map.
    whole = each(ab)
    fits = (np.linalg.norm(whole, axis=-1) < 10) & (lightness > 30) & (lightness < 220)
    assert fits.any()
    np.testing.assert_array_equal(mapped[fits], np.rint(whole[fits]))


def test_colors_outside_of_srgb_lose_chroma_alone():
    """Against a search of scikit-image's sRGB in small steps."""
    rng = np.random.default_rng(1)
    lightness = rng.integers(20, 230, 30).astype(np.uint8)
    angle = rng.uniform(0, 2 * np.pi, 30)
    far = 150 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    found = in_gamut(lightness, far)
    np.testing.assert_allclose(np.arctan2(*found.T), np.arctan2(*far.T), atol=1e-4)
    for level, direction, color in zip(lightness, far / 150, found, strict=True):
        chroma = np.arange(0, 150, 0.25)
        lab = np.array([[level / 2.55, *(step * direction)] for step in chroma])
        lab[:, 2] = np.minimum(lab[:, 2], (lab[:, 0] + 16) * 1.72)
        rgb = lab2rgb(lab)
        back = np.abs(rgb_to_lab8(rgb)[1] - chroma[:, None] * direction).max(axis=-1) < 1
        assert np.linalg.norm(color) == pytest.approx(chroma[np.argmin(back)], abs=4)
    inside = np.array([[3.0, -4.0]])
    np.testing.assert_array_equal(in_gamut(np.array([128], np.uint8), inside), inside)


def test_black_and_white_have_no_chroma():
    assert largest_chroma()[[0, 255]].max() < 4
