"""Batches: every poster once an epoch, in an order that follows from seed and epoch alone."""

import itertools
import json
import os
import shutil
from functools import reduce
from operator import getitem
from pathlib import Path

import numpy as np
import pytest

from recolor.datasets.input_pipeline import (
    Posters,
    Share,
    steps_per_epoch,
    training_batches,
    validation_batches,
)
from recolor.datasets.manifest import FILE_NAME, DatasetError, Manifest, digest
from recolor.datasets.records import RecordError, RecordFile, frame

OPTIONS = {"seed": 4, "augment": "none"}


def one_pass(manifest, batch_size, batches):
    return list(itertools.islice(batches, steps_per_epoch(manifest, "train", batch_size)))


def epoch(manifest, number, **options):
    """One epoch's L, and ab, poster by poster."""
    batches = one_pass(manifest, 6, training_batches(manifest, 6, number, **{**OPTIONS, **options}))
    lightness = np.concatenate([inputs[0] for inputs, _ in batches])
    return lightness, np.concatenate([ab for _, ab in batches])


def keys(images):
    return [image.tobytes() for image in images]


def test_an_epoch_has_every_training_poster_once(manifest):
    stored = [poster["lightness"] for poster in Posters(manifest, "train")]
    lightness, ab = epoch(manifest, 0)
    assert sorted(keys(lightness)) == sorted(keys(stored))
    assert lightness.dtype == np.uint8 and ab.dtype == np.int8
    assert lightness.shape == (20, 32, 32, 1) and ab.shape == (20, 32, 32, 2)


def test_lightness_and_colors_stay_together(manifest):
    pairs = {
        poster["lightness"].tobytes(): poster["ab"].tobytes()
        for poster in Posters(manifest, "train")
    }
    for lightness, ab in zip(*epoch(manifest, 5), strict=True):
        assert pairs[lightness.tobytes()] == ab.tobytes()


@pytest.mark.parametrize("augment", ["none", "full", "mirror+gamma", "crop"])
def test_a_resumed_run_sees_what_an_uninterrupted_one_sees(manifest, augment):
    steps = steps_per_epoch(manifest, "train", 6)
    batches = training_batches(manifest, 6, seed=4, augment=augment)
    whole = list(itertools.islice(batches, 3 * steps))
    resumed = one_pass(manifest, 6, training_batches(manifest, 6, 2, seed=4, augment=augment))
    for (inputs, ab), (resumed_inputs, resumed_ab) in zip(whole[2 * steps :], resumed, strict=True):
        np.testing.assert_array_equal(inputs[0], resumed_inputs[0])
        np.testing.assert_array_equal(ab, resumed_ab)


def test_epochs_and_seeds_differ_in_order(manifest):
    first = keys(epoch(manifest, 0)[0])
    assert first != keys(epoch(manifest, 1)[0])
    assert first != keys(epoch(manifest, 0, seed=5)[0])


def test_steps_count_the_last_smaller_batch(manifest):
    assert [steps_per_epoch(manifest, "train", size) for size in (6, 20, 50)] == [4, 1, 1]


@pytest.mark.parametrize(("fraction", "count"), [(0.5, 10), (0.01, 1)])
def test_a_share_of_the_posters_is_always_the_same_one(manifest, fraction, count):
    stored = [Posters(manifest, "train")[number]["lightness"] for number in range(count)]
    steps = steps_per_epoch(manifest, "train", 6, fraction=fraction)
    assert steps == -(-count // 6)
    for seed in (4, 5):
        batches = training_batches(manifest, 6, seed=seed, augment="none", fraction=fraction)
        read = [image for (inputs, _) in itertools.islice(batches, steps) for image in inputs[0]]
        assert sorted(keys(read)) == sorted(keys(stored))


def test_validation_keeps_its_order(manifest):
    once, again = (list(validation_batches(manifest, "validation", 4)) for _ in range(2))
    assert [len(ab) for _, ab in once] == [4, 2]
    for (inputs, _), (inputs_again, _) in zip(once, again, strict=True):
        np.testing.assert_array_equal(inputs[0], inputs_again[0])


def test_mirroring_mirrors_about_half_of_the_posters_and_changes_nothing_else(manifest):
    # In the same order, since that depends on seed and epoch alone.
    plain, plain_ab = epoch(manifest, 0)
    mirrored, mirrored_ab = epoch(manifest, 0, augment="mirror")
    turned = [not np.array_equal(*pair) for pair in zip(plain, mirrored, strict=True)]
    assert 0.2 < np.mean(turned) < 0.8
    for original, changed in ((plain, mirrored), (plain_ab, mirrored_ab)):
        for one, other, was_turned in zip(original, changed, turned, strict=True):
            np.testing.assert_array_equal(other, one[:, ::-1] if was_turned else one)


def test_augmentation_changes_pictures_differently_each_epoch_and_keeps_white_around(manifest):
    plain = set(keys(epoch(manifest, 0)[0]))
    first, ab = epoch(manifest, 0, augment="full")
    second, _ = epoch(manifest, 1, augment="full")
    assert not plain & set(keys(first))
    assert not set(keys(first)) & set(keys(second))
    # Mean lightness and color of the whole epoch hardly change when pictures are turned a little.
    plain_lightness, plain_ab = epoch(manifest, 0)
    assert abs(first.mean() - plain_lightness.mean()) < 12
    assert np.abs(ab.mean((0, 1, 2)) - plain_ab.mean((0, 1, 2))).max() < 3
    corners = first[:, [0, 0, -1, -1], [0, -1, 0, -1], 0]
    assert (corners == 255).mean() > 0.5


@pytest.mark.parametrize("augment", ["none", "full", "mirror+gamma", "crop"])
def test_workers_see_together_what_one_would_have_seen(manifest, augment):
    """Batches of 6, 6, 6 and 2 posters, for two workers with one and two devices."""
    whole = one_pass(manifest, 6, training_batches(manifest, 6, 1, seed=4, augment=augment))
    shares = Share(3, 0, 1), Share(3, 1, 2)
    parts = [
        list(
            itertools.islice(
                training_batches(manifest, 6, 1, seed=4, augment=augment, share=share),
                steps_per_epoch(manifest, "train", 6, share),
            )
        )
        for share in shares
    ]
    # The last two posters can't be shared by three devices.
    assert [len(part) for part in parts] == [3, 3]
    for (inputs, ab), *pieces in zip(whole[:3], *parts, strict=True):
        assert [len(piece_ab) for _, piece_ab in pieces] == [2, 4]
        joined = np.concatenate([piece_inputs[0] for piece_inputs, _ in pieces])
        np.testing.assert_array_equal(inputs[0], joined)
        np.testing.assert_array_equal(ab, np.concatenate([piece_ab for _, piece_ab in pieces]))


def test_reading_ahead_does_not_hide_a_damaged_shard(manifest, tmp_path):
    copy = shutil.copytree(manifest.folder, tmp_path / "copy")
    shard = next(copy.glob("train-*"))
    batches = training_batches(Manifest.load(copy), 6, seed=0, augment="none")
    content = bytearray(shard.read_bytes())
    with shard.open("r+b") as file:
        file.seek(-100, os.SEEK_END)
        file.write(bytes([content[-100] ^ 1]))
    with pytest.raises(RecordError, match=f"{shard.name} is damaged"):
        one_pass(manifest, 6, batches)


def swapped_files(folder: Path) -> None:
    validation, test = (next(folder.glob(f"{split}-*")) for split in ("validation", "test"))
    validation.rename(folder / "other")
    test.rename(validation)
    (folder / "other").rename(test)


def swapped_entries(folder: Path) -> None:
    """As `swapped_files`, with a manifest that agrees."""
    content = json.loads((folder / FILE_NAME).read_text())
    splits = content["splits"]
    one, other = splits["validation"], splits["test"]
    one["shards"], other["shards"] = other["shards"], one["shards"]
    write_manifest(folder, content)


def changed_pixel(folder: Path) -> None:
    """Another record, with the right checksums of its own."""
    shard = next(folder.glob("validation-*"))
    records = [bytearray(record) for record in RecordFile(shard)]
    records[0][-1] ^= 1
    shard.write_bytes(b"".join(frame(bytes(record)) for record in records))


def write_manifest(folder: Path, content: dict) -> None:
    content["digest"] = digest(content)
    (folder / FILE_NAME).write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (swapped_files, r"validation-.* is not the file that was prepared: `recolor verify"),
        (changed_pixel, r"validation-.* is not the file that was prepared: `recolor verify"),
        (swapped_entries, "the validation shards of .* hold other posters than the split has"),
    ],
)
def test_whole_shards_that_are_the_wrong_ones_are_refused(manifest, tmp_path, change, words):
    copy = Path(shutil.copytree(manifest.folder, tmp_path / "copy"))
    assert len(Posters(Manifest.load(copy), "validation")) == manifest.count("validation")
    change(copy)
    with pytest.raises(DatasetError, match=words):
        Posters(Manifest.load(copy), "validation")
    # What is not read is not looked at.
    Posters(Manifest.load(copy), "train")


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("splits", None, "splits: "),
        ("settings", None, "settings: "),
        ("listing", {}, "listing.name: Field required"),
        ("posters", [], "posters: "),
        ("splits.train", 5, "splits.train: "),
        ("splits.train.count", -1, "splits.train.count: "),
        ("splits.train.cells", {"left": 1}, "splits.train.cells.left"),
        ("splits.train.shards", ["a"], "splits.train.shards.0: "),
        ("splits.test.shards", [{"name": "../x", "count": 1, "sha256": "0" * 64}], "shards.0.name"),
        ("splits.test.ab_sum", [1], "splits.test.ab_sum: "),
        ("settings.size", 100_000, "settings.size: "),
        ("settings.size", "32", "settings.size: "),
        ("settings.compression", "rar", "settings.compression: "),
        ("settings.embedding.size", 10**9, "settings.embedding.size: "),
        ("settings.embedding.name", None, "settings.embedding.name: "),
    ],
)
def test_a_manifest_of_another_form_is_refused(manifest, tmp_path, place, value, words):
    """Also with a digest that is right."""
    copy = Path(shutil.copytree(manifest.folder, tmp_path / "copy"))
    for removed in (False, True):
        content = json.loads((manifest.folder / FILE_NAME).read_text())
        *way, name = place.split(".")
        inner = reduce(getitem, way, content)
        inner[name] = value
        if removed:
            del inner[name]
        write_manifest(copy, content)
        with pytest.raises(DatasetError, match=rf"{FILE_NAME} is not valid \(.*\)") as raised:
            Manifest.load(copy)
        assert removed or words in str(raised.value)
        assert "\n" not in str(raised.value)


def test_a_shard_that_was_cut_between_records_is_noticed(manifest, tmp_path):
    copy = shutil.copytree(manifest.folder, tmp_path / "copy")
    shard = next(copy.glob("train-*"))
    content = shard.read_bytes()
    shard.write_bytes(content[: -len(frame(RecordFile(shard)[19]))])
    with pytest.raises(DatasetError, match=f"{shard.name} is not the file that was prepared"):
        training_batches(Manifest.load(copy), 6, seed=0, augment="none")
