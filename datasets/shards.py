"""TFRecord shards: one ``tf.train.Example`` a poster."""

import numpy as np
import tensorflow as tf

from recolor.datasets.embeddings import EMBEDDING_SIZE
from recolor.datasets.posters import Poster

# What the TFRecord format puts around each record: its length, and two checksums.
FRAMING_BYTES = 16

# A data set without embeddings stores none, and reads as zeros.
FEATURES = {
    "id": tf.io.FixedLenFeature([], tf.string),
    "sha256": tf.io.FixedLenFeature([], tf.string),
    "lightness": tf.io.FixedLenFeature([], tf.string),
    "ab": tf.io.FixedLenFeature([], tf.string),
    "embedding": tf.io.FixedLenFeature([EMBEDDING_SIZE], tf.float32, [0.0] * EMBEDDING_SIZE),
    "box": tf.io.FixedLenFeature([4], tf.int64),
    "source_size": tf.io.FixedLenFeature([2], tf.int64),
    "fingerprint": tf.io.FixedLenFeature([], tf.string),
}


def serialize(name: str, poster: Poster, embedding: np.ndarray | None) -> bytes:
    """Serialize a poster; the same poster always gives the same bytes.

    Args:
        name: The poster's id: its path inside the folder it was found in.
        poster: The poster.
        embedding: ``float32 [1000]``, or None.
    """
    box = poster.box
    features = {
        "id": _bytes(name.encode(errors="surrogateescape")),
        "sha256": _bytes(poster.sha256.encode()),
        "lightness": _bytes(poster.lightness.tobytes()),
        "ab": _bytes(poster.ab.tobytes()),
        "box": _ints([box.top, box.left, box.height, box.width]),
        "source_size": _ints(poster.source_size),
        "fingerprint": _bytes(poster.fingerprint.tobytes()),
    }
    if embedding is not None:
        features["embedding"] = tf.train.Feature(
            float_list=tf.train.FloatList(value=embedding.tolist())
        )
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def parse(record: tf.Tensor, size: int) -> dict[str, tf.Tensor]:
    """Parse a serialized poster in a TensorFlow graph.

    Returns:
        ``lightness uint8 [size, size, 1]``, ``ab int8 [size, size, 2]``, ``embedding float32
        [1000]``, ``box int64 [4]`` (top, left, height, width), ``source_size int64 [2]`` (height,
        width), and the strings ``id``, ``sha256`` and ``fingerprint``.
    """
    example = tf.io.parse_single_example(record, FEATURES)
    lightness = tf.io.decode_raw(example["lightness"], tf.uint8)
    ab = tf.io.decode_raw(example["ab"], tf.int8)
    return {
        **example,
        "lightness": tf.reshape(lightness, [size, size, 1]),
        "ab": tf.reshape(ab, [size, size, 2]),
    }


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _ints(values) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
