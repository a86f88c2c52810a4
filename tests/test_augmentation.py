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
from recolor.datasets.augmentation.changes import crop, gamma, portrait
from recolor.datasets.classes import ColorClasses
from recolor.datasets.input_pipeline import Posters, training_batches
from recolor.models.catalog import MODELS


def noise(side: int = 24) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {
        "id": np.array("a.jpg"),
        "lightness": generator.integers(0, 256, (side, side, 1), np.uint8),
        "ab": generator.integers(-128, 128, (side, side, 2)).astype(np.int8),
        "embedding": np.ones(3, np.float32),
        "box": np.array([0, side // 4, side, side // 2]),
    }


@pytest.fixture
def classes_of_all() -> ColorClasses:
    return ColorClasses.from_counts(np.ones(1024, int))


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
            assert changed[array].shape == kept[array].shape  # too small for a portrait
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
    with pytest.raises(AugmentationError, match="is not one of mirror, crop, gamma") as caught:
        augmentation(recipe)
    assert repr(recipe) in str(caught.value) and "\n" not in str(caught.value)


def test_the_command_line_refuses_an_unknown_name(recolor, tmp_path):
    result = recolor("train", "--model", "regression", "--augment", "mirror+plaid", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: augmentation 'mirror+plaid': 'plaid' is not one of")
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


def test_a_portrait_loses_its_padding():
    poster = noise(96)
    poster["box"] = np.array([0, 15, 96, 65])
    for seed in range(10):
        cut = portrait(poster, np.random.default_rng(seed))
        assert cut["lightness"].shape == (96, 64, 1) and cut["ab"].shape == (96, 64, 2)
        starts = [s for s in (15, 16) if np.array_equal(cut["ab"], poster["ab"][:, s : s + 64])]
        assert len(starts) == 1
        np.testing.assert_array_equal(
            cut["lightness"], poster["lightness"][:, starts[0] : starts[0] + 64]
        )


@pytest.mark.parametrize(
    ("box", "first", "last"),
    [
        ([0, 0, 128, 128], 0, 32),  # a square: any part
        ([0, 1, 128, 127], 1, 32),
        ([0, 54, 128, 20], 0, 32),  # a narrow one: wherever it is seen whole
        ([40, 0, 20, 128], 0, 32),
    ],
)
def test_of_other_shapes_a_portrait_takes_a_part_as_wide(box, first, last):
    poster = noise(128)
    poster["box"] = np.array(box)
    poster["ab"][:] = np.arange(128)[None, :, None] - 60
    starts = {
        int(portrait(poster, np.random.default_rng(seed))["ab"][0, 0, 0]) + 60
        for seed in range(300)
    }
    assert (min(starts), max(starts)) == (first, last)


def test_too_small_squares_stay_as_they_are():
    poster = noise(40)
    assert_equal(portrait(poster, np.random.default_rng(0)), poster)


@pytest.mark.parametrize("model", ["regression", "unet"])
def test_networks_have_losses_of_portraits(model, classes_of_all):
    kind = MODELS[model](classes_of_all)
    network = kind.build(None)
    posters = [portrait({**noise(64), "embedding": np.zeros(1000)}, np.random.default_rng(0))] * 2
    examples = [kind.example(poster, np.random.default_rng(1))[0] for poster in posters]
    given = tuple(map(np.stack, zip(*examples, strict=True)))
    ab = np.stack([poster["ab"] for poster in posters])
    assert ab.shape == (2, 64, 32, 2)
    losses = kind.loss(ab, network(given))
    assert losses.shape == (2,) and np.isfinite(losses).all()
