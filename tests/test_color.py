"""CIELAB and its eight-bit form, against scikit-image in double precision and plain arithmetic."""

import itertools
import math
import warnings
import zlib

import numpy as np
import pytest
from skimage.color import rgb2lab

from recolor.datasets.color import FEW, lab8_table, lab8_to_rgb, rgb_to_lab8, round_ab

CORNERS = np.array(list(itertools.product((0, 255), repeat=3)), np.uint8)
RANDOM = np.random.default_rng(0).integers(0, 256, (20_000, 3), np.uint8)
COLORS = np.concatenate([CORNERS, RANDOM])

XYZ_FROM_RGB = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
WHITE = (0.95047, 1.0, 1.08883)


def lab_of_pixel(rgb: list[int]) -> tuple[float, float, float]:
    """CIELAB of one sRGB color at D65 from the definitions, in plain double arithmetic."""
    linear = [
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in rgb)
    ]
    fx, fy, fz = (
        t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116
        for t in (
            sum(m * v for m, v in zip(row, linear, strict=True)) / w
            for row, w in zip(XYZ_FROM_RGB, WHITE, strict=True)
        )
    )
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def rgb_of_pixel(lightness: float, a: float, b: float) -> list[float]:
    """sRGB from 0 to 255 of one color of CIELAB, with values beyond that left as they are."""
    fy = (lightness + 16) / 116
    # As in scikit-image, a negative Z (which no color has) counts as zero.
    f = (fy + a / 500, fy, max(0, fy - b / 200))
    xyz = [
        (t**3 if t > 0.2068966 else (t - 16 / 116) / 7.787) * w
        for t, w in zip(f, WHITE, strict=True)
    ]
    linear = np.linalg.solve(XYZ_FROM_RGB, xyz).tolist()
    return [255 * (12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055) for v in linear]


def stored(rgb: np.ndarray) -> np.ndarray:
    """L, a and b as stored, in one array of ints."""
    lightness, ab = rgb_to_lab8(rgb)
    return np.concatenate([lightness[..., None].astype(int), ab], axis=-1)


def test_stored_values_are_those_of_double_precision():
    exact = rgb2lab(COLORS.astype(np.float64) / 255) * (2.55, 1, 1)
    assert len(COLORS) > FEW
    assert np.array_equal(stored(COLORS), np.rint(exact))


def test_few_colors_give_what_many_give():
    """Few are computed and many are looked up."""
    few = [stored(part) for part in np.split(COLORS[:10_000], 100)]
    assert np.array_equal(np.concatenate(few), stored(COLORS[:10_000]))


def test_float_input_gives_what_bytes_give():
    assert np.array_equal(stored(COLORS / 255), stored(COLORS))


def test_every_color_is_that_of_its_definition_and_none_lies_between_two():
    """All 16.7 million, by the definition in double precision.

    None is so near to the middle of two integers that another order of summation, or another
    machine's power function, could round it the other way.
    """
    level = np.arange(256) / 255
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    # From the order of blue, green and red to that of red, green and blue.
    table = lab8_table().view(np.uint8).reshape(256, 256, 256, 4)[..., :3].transpose(2, 1, 0, 3)
    nearest = 1.0
    for red in range(256):
        rgb = np.stack(np.meshgrid(linear[red], linear, linear, indexing="ij"), axis=-1)
        t = rgb[0] @ np.transpose(XYZ_FROM_RGB) / WHITE
        f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
        fx, fy, fz = np.moveaxis(f, -1, 0)
        exact = np.stack([2.55 * (116 * fy - 16), 500 * (fx - fy), 200 * (fy - fz)], axis=-1)
        nearest = min(nearest, np.abs(exact - np.floor(exact) - 0.5).min())
        lightness, ab = table[red, ..., :1], table[red, ..., 1:].view(np.int8)
        assert np.array_equal(np.concatenate([lightness, ab], axis=-1, dtype=int), np.rint(exact))
    assert nearest > 1e-9


def test_the_table_is_the_same_everywhere():
    assert zlib.crc32(lab8_table()) == 0x65E40059


@pytest.mark.parametrize("rgb", [*CORNERS.tolist(), *RANDOM[:60].tolist()], ids=str)
def test_stored_values_follow_from_the_definition(rgb):
    lightness, a, b = lab_of_pixel(rgb)
    stored_lightness, stored_ab = rgb_to_lab8(np.array(rgb, np.uint8))

    assert stored_lightness == math.floor(lightness * 255 / 100 + 0.5)
    assert stored_ab.tolist() == [math.floor(a + 0.5), math.floor(b + 0.5)]


def test_grays_are_exactly_neutral_and_ascend_from_0_to_255():
    lightness, ab = rgb_to_lab8(np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1))
    assert not ab.any()
    assert (lightness[0], lightness[255]) == (0, 255)
    assert (np.diff(lightness.astype(int)) >= 0).all()


def test_gray_survives_the_round_trip_within_the_step_of_stored_lightness():
    gray = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    back = lab8_to_rgb(*rgb_to_lab8(gray))
    assert np.abs(back.astype(int) - gray).max() <= 1
    assert np.ptp(back, axis=1).max() <= 1
    assert back[0].tolist() == [0, 0, 0]
    assert back[255].tolist() == [255, 255, 255]


def test_colors_survive_the_round_trip_nearly():
    back = lab8_to_rgb(*rgb_to_lab8(COLORS))
    difference = np.abs(back.astype(int) - COLORS)
    assert difference.mean() < 1
    assert np.percentile(difference, 99) <= 6
    lab, lab_back = (rgb2lab(rgb.astype(np.float64) / 255) for rgb in (COLORS, back))
    assert np.abs(lab - lab_back).max() < 1.5


@pytest.mark.parametrize("shape", [(), (7,), (5, 6), (2, 3, 4)])
def test_shapes_and_types(shape):
    rgb = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    lightness, ab = rgb_to_lab8(rgb)
    assert (lightness.shape, lightness.dtype) == (shape, np.uint8)
    assert (ab.shape, ab.dtype) == ((*shape, 2), np.int8)
    back = lab8_to_rgb(lightness, ab)
    assert (back.shape, back.dtype) == ((*shape, 3), np.uint8)


def test_input_is_left_unchanged():
    rgb = COLORS[:100].copy()
    lightness, ab = rgb_to_lab8(rgb)
    kept = lightness.copy(), ab.copy()
    lab8_to_rgb(lightness, ab)
    assert np.array_equal(rgb, COLORS[:100])
    assert np.array_equal(lightness, kept[0])
    assert np.array_equal(ab, kept[1])


def test_no_color_is_warned_of():
    """Some of these can't be seen: scikit-image warns of them."""
    grid = np.meshgrid(np.arange(256, dtype=np.uint8), [-128, 0, 127], np.linspace(-128, 300, 99))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lab8_to_rgb(grid[0], np.stack(grid[1:], axis=-1))


def test_colors_out_of_the_gamut_are_clipped_channel_by_channel():
    rng = np.random.default_rng(2)
    lightness = rng.integers(0, 256, 400, np.uint8)
    ab = rng.integers(-128, 128, (400, 2)).astype(np.int8)
    rgb = lab8_to_rgb(lightness, ab)

    clipped = 0
    for stored, (a, b), actual in zip(lightness.tolist(), ab.tolist(), rgb.tolist(), strict=True):
        exact = rgb_of_pixel(stored / 2.55, a, b)
        clipped += min(exact) < 0 or max(exact) > 255
        expected = [min(max(value, 0), 255) for value in exact]
        assert actual == pytest.approx(expected, abs=0.51), (stored, a, b)
    assert clipped > 200


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float32, np.float64])
def test_ab_of_any_real_type_gives_the_same_rgb(dtype):
    lightness, ab = rgb_to_lab8(RANDOM[:500])
    assert np.array_equal(lab8_to_rgb(lightness, ab.astype(dtype)), lab8_to_rgb(lightness, ab))


def test_fractions_of_ab_are_not_dropped():
    lightness = np.full(1, 128, np.uint8)
    low, middle, high = (
        lab8_to_rgb(lightness, np.array([[a, 0.0]]))[0].astype(int) for a in (40, 40.5, 41)
    )
    assert low[0] < middle[0] <= high[0]


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        *((-0.0025, 0), (0.0047, 0), (0.4999, 0), (0.51, 1), (-0.51, -1), (3.7, 4), (-3.7, -4)),
        *((126.9, 127), (127.4, 127), (127.6, 127), (400, 127), (-128.4, -128), (-400, -128)),
        *((np.inf, 127), (-np.inf, -128)),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_round_ab(value, rounded, dtype):
    result = round_ab(np.full((2, 2), value, dtype))
    assert result.dtype == np.int8
    assert (result == rounded).all()


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64, np.float16])
def test_round_ab_keeps_integers(dtype):
    values = np.arange(-128, 128)
    assert np.array_equal(round_ab(values.astype(dtype)), values)
