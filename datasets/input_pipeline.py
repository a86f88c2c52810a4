"""From shards to batches."""

import math
from collections.abc import Iterable

import tensorflow as tf

from recolor.datasets.manifest import DatasetError, Manifest
from recolor.datasets.shards import parse

# Shards hold posters in random order already; the blocks mix neighbors anew every epoch.
SHUFFLE_BLOCK = 1024


def read_posters(manifest: Manifest, split: str) -> tf.data.Dataset:
    """Read the posters of a split one by one, in their stored order: see `shards.parse`.

    Raises:
        DatasetError: If the split is empty.
    """
    return _parsed(tf.data.TFRecordDataset(_shards(manifest, split)), manifest.size)


def validation_batches(manifest: Manifest, split: str, batch_size: int) -> tf.data.Dataset:
    """Read a split once, in batches of `network_batch`, in stored order.

    Raises:
        DatasetError: If the split is empty.
    """
    batches = read_posters(manifest, split).batch(batch_size).map(network_batch)
    number = math.ceil(manifest.count(split) / batch_size)
    return batches.apply(tf.data.experimental.assert_cardinality(number)).prefetch(tf.data.AUTOTUNE)


def training_batches(
    manifest: Manifest, batch_size: int, epochs: Iterable[int], *, seed: int, augment: bool
) -> tf.data.Dataset:
    """Read the training split epoch after epoch, in batches of `network_batch`.

    The order of an epoch, and its augmentation, depend only on the seed and the epoch's number: a
    run that is resumed at an epoch sees what an uninterrupted one would have seen.

    Args:
        manifest: The data set.
        batch_size: Posters a batch; the last one of an epoch may be smaller.
        epochs: Numbers of the epochs to read.
        seed: Seed of order and augmentation.
        augment: Mirror, turn and zoom posters at random.

    Raises:
        DatasetError: If there are no training posters.
    """
    shards = _shards(manifest, "train")

    def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        seeds = tf.stack([tf.constant(seed, tf.int64), epoch])
        # First the order of the shards, then that of posters in blocks across their borders. Both
        # stateless, so that no earlier epoch has a say; Dataset.shuffle can't be made so.
        order = tf.random.experimental.stateless_shuffle(tf.constant(shards), seeds)
        records = tf.data.TFRecordDataset(order).batch(SHUFFLE_BLOCK)
        records = records.map(lambda block: tf.random.experimental.stateless_shuffle(block, seeds))
        records = records.unbatch()
        posters = _parsed(records, manifest.size)
        if augment:
            posters = posters.enumerate().map(
                lambda number, poster: _augment(poster, seeds + [0, 1_000_003] * (number + 1)),
                num_parallel_calls=tf.data.AUTOTUNE,
            )
        return posters.batch(batch_size).map(network_batch)

    numbers = tf.data.Dataset.from_tensor_slices(tf.constant(list(epochs), tf.int64))
    return numbers.flat_map(one_epoch).prefetch(tf.data.AUTOTUNE)


def steps_per_epoch(manifest: Manifest, batch_size: int) -> int:
    """Return the number of batches in an epoch of training."""
    return math.ceil(manifest.count("train") / batch_size)


def network_batch(posters: dict[str, tf.Tensor]) -> tuple[tuple[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Pick what training needs of a batch of posters.

    Returns:
        The networks' inputs, L ``uint8 [batch, S, S, 1]`` and the embedding ``float32 [batch,
        1000]``, and the target ab ``int8 [batch, S, S, 2]``.
    """
    return (posters["lightness"], posters["embedding"]), posters["ab"]


def _shards(manifest: Manifest, split: str) -> list[str]:
    if not manifest.count(split):
        raise DatasetError(f"{manifest.folder}: the {split} split is empty")
    return [str(path) for path in manifest.shards(split)]


def _parsed(records: tf.data.Dataset, size: int) -> tf.data.Dataset:
    return records.map(lambda record: parse(record, size), num_parallel_calls=tf.data.AUTOTUNE)


def _augment(poster: dict[str, tf.Tensor], seeds: tf.Tensor) -> dict[str, tf.Tensor]:
    """Mirror half of the posters, turn by up to 5 degrees, zoom by up to 10 %; white around."""
    mirror, turn, zoom = tf.unstack(tf.random.stateless_uniform([3], seeds, -1, 1))
    angle = turn * (math.pi / 36)
    scale = 1 + zoom * 0.1
    flip = tf.where(mirror < 0, -1.0, 1.0)
    cos, sin = tf.cos(angle) * scale, tf.sin(angle) * scale
    center = (tf.cast(tf.shape(poster["ab"])[0], tf.float32) - 1) / 2
    # Output (x, y) comes from input (a x + b y + c, d x + e y + f), turned about the center.
    a, b, d, e = flip * cos, -flip * sin, sin, cos
    c, f = center - (a + b) * center, center - (d + e) * center
    transform = tf.stack([a, b, c, d, e, f, 0.0, 0.0])[None]
    # As L - 255, so that the zeros around the turned image are white.
    lab = tf.concat(
        [tf.cast(poster["lightness"], tf.float32) - 255, tf.cast(poster["ab"], tf.float32)], axis=-1
    )
    lab = tf.raw_ops.ImageProjectiveTransformV3(
        images=lab[None],
        transforms=transform,
        output_shape=tf.shape(lab)[:2],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )[0]
    lab = tf.round(lab)
    return {
        **poster,
        "lightness": tf.cast(lab[..., :1] + 255, tf.uint8),
        "ab": tf.cast(lab[..., 1:], tf.int8),
    }
