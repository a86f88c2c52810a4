"""Batches: every poster once an epoch, in an order that follows from seed and epoch alone."""

import numpy as np
import pytest

from recolor.datasets.input_pipeline import (
    read_posters,
    steps_per_epoch,
    training_batches,
    validation_batches,
)

OPTIONS = {"seed": 4, "augment": False}


def epoch(manifest, number, **options):
    """One epoch's L, and ab, poster by poster."""
    batches = list(training_batches(manifest, 6, [number], **{**OPTIONS, **options}))
    lightness = np.concatenate([inputs[0] for inputs, _ in batches])
    return lightness, np.concatenate([ab for _, ab in batches])


def keys(images):
    return [image.tobytes() for image in images]


def test_an_epoch_has_every_training_poster_once(manifest):
    stored = [poster["lightness"] for poster in read_posters(manifest, "train").as_numpy_iterator()]
    lightness, ab = epoch(manifest, 0)
    assert sorted(keys(lightness)) == sorted(keys(stored))
    assert lightness.dtype == np.uint8 and ab.dtype == np.int8
    assert lightness.shape == (20, 32, 32, 1) and ab.shape == (20, 32, 32, 2)


def test_lightness_and_colors_stay_together(manifest):
    pairs = {
        poster["lightness"].tobytes(): poster["ab"].tobytes()
        for poster in read_posters(manifest, "train").as_numpy_iterator()
    }
    for lightness, ab in zip(*epoch(manifest, 5), strict=True):
        assert pairs[lightness.tobytes()] == ab.tobytes()


@pytest.mark.parametrize("augment", [False, True])
def test_a_resumed_run_sees_what_an_uninterrupted_one_sees(manifest, augment):
    whole = list(training_batches(manifest, 6, range(3), seed=4, augment=augment))
    steps = steps_per_epoch(manifest, 6)
    assert len(whole) == 3 * steps
    resumed = list(training_batches(manifest, 6, range(2, 3), seed=4, augment=augment))
    for (inputs, ab), (resumed_inputs, resumed_ab) in zip(whole[2 * steps :], resumed, strict=True):
        np.testing.assert_array_equal(inputs[0], resumed_inputs[0])
        np.testing.assert_array_equal(ab, resumed_ab)


def test_epochs_and_seeds_differ_in_order(manifest):
    first = keys(epoch(manifest, 0)[0])
    assert first != keys(epoch(manifest, 1)[0])
    assert first != keys(epoch(manifest, 0, seed=5)[0])


def test_steps_count_the_last_smaller_batch(manifest):
    assert [steps_per_epoch(manifest, size) for size in (6, 20, 50)] == [4, 1, 1]


def test_validation_keeps_its_order(manifest):
    once, again = (list(validation_batches(manifest, "validation", 4)) for _ in range(2))
    assert [len(ab) for _, ab in once] == [4, 2]
    for (inputs, _), (inputs_again, _) in zip(once, again, strict=True):
        np.testing.assert_array_equal(inputs[0], inputs_again[0])


def test_augmentation_changes_pictures_differently_each_epoch_and_keeps_white_around(manifest):
    plain = set(keys(epoch(manifest, 0)[0]))
    first, ab = epoch(manifest, 0, augment=True)
    second, _ = epoch(manifest, 1, augment=True)
    assert not plain & set(keys(first))
    assert not set(keys(first)) & set(keys(second))
    # Mean lightness and color of the whole epoch hardly change when pictures are turned a little.
    plain_lightness, plain_ab = epoch(manifest, 0)
    assert abs(first.mean() - plain_lightness.mean()) < 12
    assert np.abs(ab.mean((0, 1, 2)) - plain_ab.mean((0, 1, 2))).max() < 3
    corners = first[:, [0, 0, -1, -1], [0, -1, 0, -1], 0]
    assert (corners == 255).mean() > 0.5
