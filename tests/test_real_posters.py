"""Checks on a folder of real posters, named by RECOLOR_POSTERS."""

import os
from pathlib import Path

import pytest

from recolor.datasets.images import find_images
from recolor.datasets.preparation import prepare
from recolor.models.catalog import PAPER

FOLDER = os.environ.get("RECOLOR_POSTERS")
pytestmark = pytest.mark.skipif(
    not FOLDER, reason="RECOLOR_POSTERS does not name a folder of real posters"
)


@pytest.fixture(scope="module")
def files() -> list[Path]:
    return [path for _, path in find_images([Path(FOLDER)])]


@pytest.mark.parametrize("model", PAPER)
def test_networks_overfit_eight_posters(model, files, learn_by_heart):
    """L2ab under a fifth of gray's, on posters that the network has seen often enough."""
    error, gray = learn_by_heart(model, files, size=64, epochs=400)
    print(f"{model}: l2_ab {error:.1f}, gray {gray:.1f}")
    assert error < gray / 5


def test_the_mean_color_beats_gray(files, tmp_path):
    """Posters are warm on average; a data set where they are not was read wrongly."""
    dataset, _ = prepare(
        files[:400], tmp_path / "data", size=32, split=(400, 0, 0), embedding="none", seed=0,
        workers=2,
    )  # fmt: skip
    a, b = dataset.mean_ab
    assert 2 < a < 9 and 3 < b < 12
    assert 250 < len(dataset.classes) < 420
