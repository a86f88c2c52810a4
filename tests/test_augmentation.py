"""Augmentations: each by itself, and recipes of them."""

import itertools

import numpy as np
import pytest

from recolor.datasets.augmentation.catalog import (
    AUGMENTATIONS,
    AugmentationError,
    augmentation,
    names_of,
)
from recolor.datasets.augmentation.crop import crop
from recolor.datasets.augmentation.gamma import gamma
from recolor.datasets.input_pipeline import Posters, training_batches


def noise(side: int = 24) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {
        "id": np.array("a.jpg"),
        "lightness": generator.integers(0, 256, (side, side, 1), np.uint8),
        "ab": generator.integers(-128, 128, (side, side, 2)).astype(np.int8),
        "embedding": np.ones(3, np.float32),
    }


def assert_equal(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert set(one) == set(other)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_shapes_and_types_stay_and_nothing_is_written_to_the_original(name):
    poster, kept = noise(), noise()
    for seed in range(8):
        changed = AUGMENTATIONS[name](poster, np.random.default_rng(seed))
        again = AUGMENTATIONS[name](poster, np.random.default_rng(seed))
        assert_equal(changed, again)
        assert_equal(poster, kept)
        for array in kept:
            assert changed[array].shape == kept[array].shape
            assert changed[array].dtype == kept[array].dtype
        assert changed["id"] == kept["id"]


@pytest.mark.parametrize(
    ("recipe", "names"),
    [
        ("none", ()),
        ("mirror", ("mirror",)),
        ("full", ("full",)),
        ("crop", ("mirror", "crop", "gamma")),
        ("mirror+crop+gamma", ("mirror", "crop", "gamma")),
        ("gamma+mirror", ("gamma", "mirror")),
        ("gamma+crop", ("gamma", "crop")),
    ],
)
def test_recipes_do_one_after_another_with_one_generator(recipe, names):
    assert names_of(recipe) == names
    expected, generator = noise(), np.random.default_rng(5)
    for name in names:
        expected = AUGMENTATIONS[name](expected, generator)
    assert_equal(augmentation(recipe)(noise(), np.random.default_rng(5)), expected)


@pytest.mark.parametrize("recipe", ["", "plaid", "mirror+", "mirror+none", "mirror + crop", "Crop"])
def test_an_unknown_name_is_refused_in_one_line_that_names_the_choices(recipe):
    with pytest.raises(AugmentationError, match="is none of mirror, crop, gamma, full") as caught:
        augmentation(recipe)
    assert repr(recipe) in str(caught.value) and "\n" not in str(caught.value)


def test_the_command_line_refuses_an_unknown_name(recolor, tmp_path):
    result = recolor("train", "--model", "regression", "--augment", "mirror+plaid", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: augmentation 'mirror+plaid': 'plaid' is none of mirror")
    assert len(result.stderr.splitlines()) == 1


def test_an_augmentation_of_ones_own(manifest):
    def negative(poster, generator):
        return {**poster, "lightness": 255 - poster["lightness"]}

    AUGMENTATIONS.register("negative", negative)
    try:
        batches = training_batches(manifest, 20, seed=1, augment="mirror+negative")
        ((lightness, _), _), *_ = itertools.islice(batches, 1)
    finally:
        AUGMENTATIONS.unregister("negative")
    seen = {picture.tobytes() for picture in lightness}
    for poster in Posters(manifest, "train"):
        picture = 255 - poster["lightness"]
        assert seen & {picture.tobytes(), picture[:, ::-1].tobytes()}


def test_cropping_shows_a_part_at_another_gamma():
    """Of a ramp of lightness and a ramp of color, a part in the same direction."""
    side = 40
    row, column, _ = np.indices((side, side, 2))
    poster = {
        "lightness": (column[..., :1] * 255 // (side - 1)).astype(np.uint8),
        "ab": (row - 20).astype(np.int8),
    }
    parts = [augmentation("crop")(poster, np.random.default_rng(seed)) for seed in range(40)]
    shown = [np.ptp(part["ab"][:, 0, 0].astype(int)) / (side - 1) for part in parts]
    assert min(shown) > 0.55 and max(shown) <= 1 and np.std(shown) > 0.08
    for part in parts:
        assert part["lightness"].dtype == np.uint8 and part["ab"].dtype == np.int8
        # What falls in the original still falls: nothing is turned upside down.
        assert (np.diff(part["ab"][:, 0, 0].astype(int)) >= 0).all()
        steps = np.diff(part["lightness"][0, :, 0].astype(int))
        assert (steps >= 0).all() or (steps <= 0).all()
    rising = [part["lightness"][0, -1, 0] > part["lightness"][0, 0, 0] for part in parts]
    assert 0.2 < np.mean(rising) < 0.8


def test_a_gamma_keeps_black_and_white():
    lightness = np.full((16, 16, 1), 128, np.uint8)
    lightness[:8], lightness[8:, 8:] = 0, 255
    poster = {"lightness": lightness, "ab": np.zeros((16, 16, 2), np.int8)}
    seen = np.unique(gamma(poster, np.random.default_rng(2))["lightness"])
    assert {0, 255} <= {*seen.tolist()} and 128 not in seen


def test_a_crop_keeps_what_is_even():
    poster = {**noise(), "ab": np.full((24, 24, 2), -7, np.int8)}
    assert (crop(poster, np.random.default_rng(3))["ab"] == -7).all()
