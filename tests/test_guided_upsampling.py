"""Guided upsampling against loops, and on pictures whose answer is known."""

import numpy as np
import pytest
import tensorflow as tf

from recolor.models.decoding.guided_upsampling import (
    EPSILON,
    fitted_lines,
    interpolated,
    on_lines,
)

RNG = np.random.default_rng(5)


def upsampled(ab, small, large, radius) -> np.ndarray:
    ab, small, large = (
        array.astype(np.float32) for array in (ab, small[..., None], large[..., None])
    )
    lines = fitted_lines(ab, small, radius)
    for axis, count in enumerate(large.shape[:2]):
        lines = interpolated(lines, np.arange(count), count, axis)
    return on_lines(lines, large).numpy()


def mean_around(array: np.ndarray, row: int, column: int, radius: int):
    rows = slice(max(0, row - radius), row + radius + 1)
    columns = slice(max(0, column - radius), column + radius + 1)
    return array[rows, columns].mean(axis=(0, 1))


def by_loops(ab, lightness, radius) -> np.ndarray:
    """The guided filter as it is defined, at one resolution, in double precision."""
    slope, offset = np.zeros_like(ab), np.zeros_like(ab)
    places = list(np.ndindex(lightness.shape))
    for place in places:
        mean = mean_around(lightness, *place, radius)
        variance = mean_around((lightness - mean) ** 2, *place, radius)
        mean_ab = mean_around(ab, *place, radius)
        together = (lightness - mean)[..., None] * (ab - mean_ab)
        slope[place] = mean_around(together, *place, radius) / (variance + EPSILON)
        offset[place] = mean_ab - slope[place] * mean
    result = np.zeros_like(ab)
    for place in places:
        lines = [mean_around(one, *place, radius) for one in (slope, offset)]
        result[place] = lines[0] * lightness[place] + lines[1]
    return result


def test_at_one_resolution_it_is_the_guided_filter():
    lightness = RNG.uniform(0, 100, (9, 7))
    ab = RNG.uniform(-60, 60, (9, 7, 2))
    for radius in (1, 2, 4):
        expected = by_loops(ab, lightness, radius)
        result = upsampled(ab, lightness, lightness, radius)
        np.testing.assert_allclose(result, expected, atol=0.02)


@pytest.mark.parametrize("size", [(9, 7), (40, 61), (5, 4), (1, 100)])
def test_lines_are_resized_bilinearly(size):
    lines = RNG.uniform(-1, 1, (9, 7, 4)).astype(np.float32)
    expected = tf.image.resize(lines, size).numpy()
    rows, columns = map(np.arange, size)
    result = interpolated(interpolated(lines, columns, size[1], 1), rows, size[0], 0)
    np.testing.assert_allclose(result, expected, atol=1e-5)
    some = rows[1::3]
    result = interpolated(lines, some, size[0], 0)
    np.testing.assert_allclose(result, interpolated(lines, rows, size[0], 0).numpy()[some])


def test_one_color_stays_one_color():
    ab = np.full((8, 6, 2), (20.0, -7.0))
    result = upsampled(ab, RNG.uniform(0, 100, (8, 6)), RNG.uniform(0, 100, (30, 20)), 2)
    assert result.shape == (30, 20, 2)
    np.testing.assert_allclose(result, np.full((30, 20, 2), (20.0, -7.0)), atol=1e-2)


def test_color_ends_where_the_picture_has_an_edge():
    """A dark red half beside a light blue one, the edge in the middle of a small pixel."""
    large = np.where(np.arange(120) < 60, 30.0, 80.0)[None].repeat(120, 0)
    true = np.where(large[..., None] < 50, (50.0, 30.0), (-10.0, -40.0))
    small, ab = (array.reshape(15, 8, 15, 8, -1).mean((1, 3)) for array in (large, true))
    # As a network would answer: smeared by a pixel.
    ab = tf.nn.avg_pool2d(ab[None].astype(np.float32), 3, 1, "SAME")[0].numpy()
    guided = upsampled(ab, small[..., 0], large, 2)
    bilinear = tf.image.resize(ab, (120, 120)).numpy()
    near_edge = (slice(None), slice(48, 72))
    errors = [np.abs(one - true)[near_edge].mean() for one in (guided, bilinear)]
    assert errors[0] < 0.6 * errors[1]
