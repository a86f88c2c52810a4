"""What a shard's record holds: one ``tf.train.Example`` a poster.

The message is declared here for the protobuf library, so that shards are written and read where
TensorFlow is not installed.
"""

import numpy as np
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from recolor.datasets.compression import CODECS
from recolor.datasets.posters import Box, Poster
from recolor.datasets.records import RecordError


def _declare_example() -> type:
    """Declare ``tensorflow.Example`` and return its class."""
    file = FileDescriptorProto(name="example.proto", package="tensorflow", syntax="proto3")

    def message(name: str, parent=None):
        added = (parent.nested_type if parent else file.message_type).add()
        added.name = name
        return added

    def field(owner, name: str, number: int, kind: str, repeated: bool = False, **options) -> None:
        label = "LABEL_REPEATED" if repeated else "LABEL_OPTIONAL"
        owner.field.add(name=name, number=number, label=label, **options).type = getattr(
            FieldDescriptorProto, f"TYPE_{kind}"
        )

    for name, kind in (("BytesList", "BYTES"), ("FloatList", "FLOAT"), ("Int64List", "INT64")):
        field(message(name), "value", 1, kind, repeated=True)
    feature = message("Feature")
    feature.oneof_decl.add(name="kind")
    for number, name in enumerate(("BytesList", "FloatList", "Int64List"), 1):
        lower = name.lower().replace("list", "_list")
        of = f".tensorflow.{name}"
        field(feature, lower, number, "MESSAGE", type_name=of, oneof_index=0)
    features = message("Features")
    entry = message("FeatureEntry", features)
    entry.options.map_entry = True
    field(entry, "key", 1, "STRING")
    field(entry, "value", 2, "MESSAGE", type_name=".tensorflow.Feature")
    of = ".tensorflow.Features.FeatureEntry"
    field(features, "feature", 1, "MESSAGE", repeated=True, type_name=of)
    field(message("Example"), "features", 1, "MESSAGE", type_name=".tensorflow.Features")
    # A pool of its own: TensorFlow declares the same names in the common one.
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))


Example = _declare_example()


def serialize(
    name: str, poster: Poster, embedding: np.ndarray | None, compression: str = "none"
) -> bytes:
    """Serialize a poster; the same poster always gives the same bytes.

    Args:
        name: The poster's id: its path inside the folder it was found in.
        poster: The poster.
        embedding: ``float32 [n]``, or None, which stands for zeros.
        compression: One of `CODECS`.
    """
    example = Example()
    feature = example.features.feature
    for key, value in {
        "id": name.encode(errors="surrogateescape"),
        "sha256": poster.sha256.encode(),
        "fingerprint": poster.fingerprint.tobytes(),
        **CODECS[compression].encode(poster.lightness, poster.ab),
    }.items():
        feature[key].bytes_list.value.append(value)
    box = poster.box
    feature["box"].int64_list.value.extend([box.top, box.left, box.height, box.width])
    feature["source_size"].int64_list.value.extend(poster.source_size)
    if embedding is not None:
        feature["embedding"].float_list.value.extend(embedding.tolist())
    return example.SerializeToString(deterministic=True)


def with_embedding(record: bytes, embedding: np.ndarray) -> bytes:
    """Return a serialized poster with an embedding, ``float32 [n]``."""
    example = Example.FromString(record)
    example.features.feature["embedding"].float_list.value.extend(embedding.tolist())
    return example.SerializeToString(deterministic=True)


def identity(record: bytes) -> tuple[str, str, str]:
    """Return a serialized poster's id, and its sha256 and fingerprint in hex."""
    feature = Example.FromString(record).features.feature
    return (
        _bytes(feature["id"]).decode(errors="surrogateescape"),
        _bytes(feature["sha256"]).decode(),
        _bytes(feature["fingerprint"]).hex(),
    )


def parse(record: bytes, size: int, embedding_size: int) -> dict[str, np.ndarray]:
    """Parse a serialized poster.

    Returns:
        ``lightness uint8 [size, size, 1]`` and ``ab int8 [size, size, 2]``, with white padding,
        ``embedding float32 [embedding_size]`` (zeros where none is stored), ``box int64 [4]`` (top,
        left, height, width), ``source_size int64 [2]`` (height, width), and the strings ``id`` and
        ``sha256``.

    Raises:
        RecordError: If the record is not a poster of these sizes.
    """
    try:
        feature = Example.FromString(record).features.feature
        if "embedding" in feature:
            embedding = np.array(feature["embedding"].float_list.value, np.float32)
        else:
            embedding = np.zeros(embedding_size, np.float32)
        box = np.array(feature["box"].int64_list.value, np.int64).reshape(4)
        lightness = np.full((size, size, 1), 255, np.uint8)
        ab = np.zeros((size, size, 2), np.int8)
        inside = Box(*box).slices
        lightness[inside][..., 0], ab[inside] = _pixels(feature, tuple(box[2:].tolist()))
        return {
            "id": np.array(_bytes(feature["id"]).decode(errors="surrogateescape")),
            "sha256": np.array(_bytes(feature["sha256"]).decode()),
            "lightness": lightness,
            "ab": ab,
            "embedding": embedding.reshape(embedding_size),
            "box": box,
            "source_size": np.array(feature["source_size"].int64_list.value, np.int64).reshape(2),
        }
    except (DecodeError, IndexError, ValueError) as error:
        raise RecordError(f"a record is not a poster of {size} pixels: {error}") from None


def _pixels(feature, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return what is stored of a poster: L ``[h, w]`` and ab ``[h, w, 2]``."""
    for codec in CODECS.values():
        if all(name in feature for name in codec.names):
            return codec.decode({name: _bytes(feature[name]) for name in codec.names}, shape)
    raise ValueError("it has no pixels")


def _bytes(feature) -> bytes:
    return feature.bytes_list.value[0]
