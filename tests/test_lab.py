"""Lab in single precision and by tables, against scikit-image."""

import numpy as np
import pytest
from keras import ops
from skimage.color import lab2rgb, rgb2lab, rgb2xyz, xyz2rgb, xyz_tristimulus_values

from recolor.datasets.color import TO_RGB, TO_XYZ, linear_of_srgb, srgb_of_linear
from recolor.models.decoding.lab import lab_to_rgb, light_to_lab, rgb_to_ab, rgb_to_lightness

RNG = np.random.default_rng(4)
# All levels of gray, all corners, and colors from everywhere.
COLORS = np.concatenate(
    [
        np.arange(256, dtype=np.uint8)[:, None].repeat(3, 1),
        255 * np.indices((2, 2, 2)).reshape(3, 8).T.astype(np.uint8),
        RNG.integers(0, 256, (100_000, 3), np.uint8),
        RNG.integers(0, 20, (10_000, 3), np.uint8),
    ]
)


@pytest.mark.parametrize("xp", [np, ops], ids=["numpy", "keras"])
def test_light_is_that_of_scikit_image(xp):
    white = xyz_tristimulus_values(illuminant="D65", observer="2")
    linear = np.asarray(linear_of_srgb((COLORS / 255).astype(np.float32), xp))
    xyz = linear @ TO_XYZ.T * white
    np.testing.assert_allclose(xyz, rgb2xyz(COLORS), atol=1e-6)
    back = np.asarray(srgb_of_linear((xyz / white @ TO_RGB.T).astype(np.float32), xp))
    np.testing.assert_allclose(back, xyz2rgb(xyz), atol=1e-5)


def test_colors_are_converted_as_by_scikit_image():
    expected = rgb2lab(COLORS)
    light = linear_of_srgb(COLORS / 255).astype(np.float32)
    np.testing.assert_allclose(light_to_lab(light), expected, atol=0.002)
    np.testing.assert_allclose(rgb_to_lightness(COLORS), expected[:, :1], atol=0.002)
    np.testing.assert_allclose(rgb_to_ab(COLORS), expected[:, 1:], atol=0.02)


def test_colors_come_back_exactly():
    lab = rgb_to_lightness(COLORS), rgb_to_ab(COLORS)
    np.testing.assert_array_equal(lab_to_rgb(*lab), COLORS)


def test_colors_beyond_the_gamut_are_clipped():
    lightness = RNG.uniform(0, 100, (100_000, 1)).astype(np.float32)
    ab = RNG.uniform(-100, 100, (100_000, 2)).astype(np.float32)
    # What lies outside of what eyes can see, scikit-image takes for other colors.
    b = np.minimum(ab[:, 1], (lightness[:, 0] + 15.99) * 200 / 116)
    lab = np.stack([lightness[:, 0], ab[:, 0], b], axis=-1).astype(np.float64)
    expected = 255 * np.clip(lab2rgb(lab), 0, 1)
    found = np.asarray(lab_to_rgb(lightness, ab))
    assert np.abs(found - expected).max() < 0.56
