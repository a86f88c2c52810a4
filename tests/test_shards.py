"""Records and posters in shards, against TensorFlow's own reading and writing."""

import contextlib
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from recolor.datasets.compression import CODECS
from recolor.datasets.posters import Box, Poster
from recolor.datasets.records import RecordError, RecordFile, frame, unframe
from recolor.datasets.shards import Example, parse, serialize, with_embedding

RNG = np.random.default_rng(0)
RECORDS = [RNG.bytes(length) for length in (1, 0, 5, 4096, 70_000)]


@pytest.fixture
def written_by_tensorflow(tmp_path):
    path = tmp_path / "records.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in RECORDS:
            writer.write(record)
    return path


def test_reads_what_tensorflow_writes(written_by_tensorflow):
    assert list(RecordFile(written_by_tensorflow)) == RECORDS


def test_writes_what_tensorflow_writes(written_by_tensorflow):
    framed = [frame(record) for record in RECORDS]
    assert b"".join(framed) == written_by_tensorflow.read_bytes()
    assert [unframe(one) for one in framed] == RECORDS


def test_reads_in_any_order(written_by_tensorflow):
    file = RecordFile(written_by_tensorflow)
    for number in (3, 0, 4, 3):
        assert file[number] == RECORDS[number]
    for number in (5, -1):
        with pytest.raises(IndexError):
            file[number]


def test_a_file_without_records(tmp_path):
    path = tmp_path / "empty.tfrecord"
    path.write_bytes(b"")
    assert list(RecordFile(path)) == []


def test_a_file_that_was_opened_takes_no_memory(tmp_path):
    def mapped() -> int:
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"RssFile:\s+(\d+) kB", status)[1]) << 10

    path = tmp_path / "records.tfrecord"
    path.write_bytes(b"".join([frame(bytes(8000))] * 4000))
    before = mapped()
    file = RecordFile(path)
    assert len(file) == 4000
    assert mapped() - before < 8 << 20


@pytest.mark.parametrize("kept", [1, 11, 12, 13, 4000])
def test_a_file_that_was_cut_off(written_by_tensorflow, kept):
    content = written_by_tensorflow.read_bytes()
    written_by_tensorflow.write_bytes(content[:kept])
    with pytest.raises(RecordError, match=r"records\.tfrecord is damaged"):
        RecordFile(written_by_tensorflow)


def test_every_flipped_bit_of_a_record_is_noticed(tmp_path):
    path = tmp_path / "one.tfrecord"
    framed = frame(b"poster")
    for bit in range(8 * len(framed)):
        damaged = bytearray(framed)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(RecordError, match="is damaged"):
            list(RecordFile(path))


def poster(size: int = 16) -> Poster:
    return Poster(
        sha256="ab" * 32,
        lightness=RNG.integers(0, 256, (size, size - 6), np.uint8),
        ab=RNG.integers(-128, 128, (size, size - 6, 2)).astype(np.int8),
        box=Box(0, 3, size, size - 6),
        source_size=(268, 182),
        fingerprint=RNG.integers(0, 256, 8).astype(np.uint8),
    )


@pytest.mark.parametrize("embedding", [None, RNG.random(1000, np.float32)])
def test_tensorflow_parses_a_serialized_poster(embedding):
    given = poster()
    example = tf.train.Example.FromString(serialize("folder/größe.jpg", given, embedding))
    feature = example.features.feature
    assert feature["id"].bytes_list.value[0].decode() == "folder/größe.jpg"
    assert feature["lightness"].bytes_list.value[0] == given.lightness.tobytes()
    assert feature["ab"].bytes_list.value[0] == given.ab.tobytes()
    assert list(feature["box"].int64_list.value) == [0, 3, 16, 10]
    assert list(feature["source_size"].int64_list.value) == [268, 182]
    assert ("embedding" in feature) == (embedding is not None)
    if embedding is not None:
        np.testing.assert_array_equal(feature["embedding"].float_list.value, embedding)
    # The same bytes as TensorFlow's own serialization gives.
    assert example.SerializeToString(deterministic=True) == serialize(
        "folder/größe.jpg", given, embedding
    )


@pytest.mark.parametrize("embedding", [None, RNG.random(1000, np.float32)])
def test_parse_gives_back_what_was_serialized(embedding):
    given = poster()
    found = parse(serialize("a.jpg", given, embedding), 16, 1000)
    lightness, ab = np.full((16, 16, 1), 255, np.uint8), np.zeros((16, 16, 2), np.int8)
    lightness[:, 3:13, 0], ab[:, 3:13] = given.lightness, given.ab
    np.testing.assert_array_equal(found["lightness"], lightness)
    np.testing.assert_array_equal(found["ab"], ab)
    expected = np.zeros(1000) if embedding is None else embedding
    np.testing.assert_array_equal(found["embedding"], expected)
    assert Box.of(found) == given.box
    assert tuple(found["source_size"]) == given.source_size
    assert (str(found["id"]), str(found["sha256"])) == ("a.jpg", given.sha256)


@pytest.mark.parametrize("compression", CODECS)
def test_nothing_is_lost_by_compression(compression):
    given = poster()
    # Colors that are hardly those of any picture.
    given.ab[:2] = [[-128, 127]]
    record = serialize("a.jpg", given, None, compression)
    found, plain = parse(record, 16, 0), parse(serialize("a.jpg", given, None), 16, 0)
    for name in plain:
        np.testing.assert_array_equal(found[name], plain[name])
    for place in range(0, len(record), 7):
        damaged = bytearray(record)
        damaged[place] ^= 0x55
        with contextlib.suppress(RecordError):
            parse(bytes(damaged), 16, 0)


@pytest.mark.parametrize(
    "record", [b"", b"\xff" * 20, Example().SerializeToString(), serialize("a", poster(24), None)]
)
def test_what_is_no_poster_of_the_size(record):
    with pytest.raises(RecordError, match="not a poster of 16 pixels"):
        parse(record, 16, 1000)


def test_embeddings_of_any_length():
    vector, given = RNG.random(7, np.float32), poster()
    record = serialize("a", given, vector)
    assert with_embedding(serialize("a", given, None), vector) == record
    np.testing.assert_array_equal(parse(record, 16, 7)["embedding"], vector)
    np.testing.assert_array_equal(parse(serialize("a", poster(), None), 16, 7)["embedding"], 0)
    with pytest.raises(RecordError, match="not a poster"):
        parse(record, 16, 8)
