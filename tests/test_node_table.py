"""Interpolation at the nodes of a grid, against SciPy."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from recolor.models.decoding.node_table import at_places

RNG = np.random.default_rng(6)


@pytest.mark.parametrize("sides", [(9,), (5, 7), (3, 4, 6), (2, 2, 2)])
def test_tables_are_interpolated_linearly_along_all_axes(sides):
    table = RNG.normal(size=(2, *sides)).astype(np.float32)
    # On nodes, between them, and beyond the outer ones.
    places = [RNG.uniform(-2, side + 1, (20, 30)).astype(np.float32) for side in sides]
    nodes = [RNG.integers(0, side, (20, 30)).astype(np.float32) for side in sides]
    for where in (places, nodes):
        expected = [map_coordinates(one, where, order=1, mode="nearest") for one in table]
        np.testing.assert_allclose(at_places(table, where), np.stack(expected, -1), atol=1e-5)
