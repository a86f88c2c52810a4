"""TIFF files that Pillow reads wrong: they are read right, or refused by name."""

import struct

import numpy as np
import pytest

from recolor.datasets.images import ImageError, open_image, to_rgb

GRAY = np.arange(0, 240, dtype=np.uint8).reshape(12, 20)
COLORS = np.stack([GRAY, GRAY[::-1], GRAY[:, ::-1]], axis=-1)
LONG, SHORT = (4, "I"), (3, "H")


def tiff(strips: list[bytes], bits, photometric: int, order: str = "<", **more) -> bytes:
    """A TIFF of 20x12 pixels, without compression.

    Args:
        strips: The data, one for each plane.
        bits: Of each sample.
        photometric: The tag of that name.
        order: ``<`` or ``>``.
        more: Tags as ``t339``, each with its values.
    """
    tags = {256: [20], 257: [12], 258: bits, 259: [1], 262: [photometric], 277: [len(bits)]}
    tags |= {278: [12], 273: [0] * len(strips), 279: [len(strip) for strip in strips]}
    tags |= {int(name[1:]): values for name, values in more.items()}
    kinds = {tag: LONG if tag in (273, 279) else SHORT for tag in tags}
    after = 8 + 2 + 12 * len(tags) + 4
    sizes = {tag: struct.calcsize(kinds[tag][1]) * len(values) for tag, values in tags.items()}
    start = after + sum(size for size in sizes.values() if size > 4)
    tags[273] = [start + sum(map(len, strips[:n])) for n in range(len(strips))]
    entries, long = b"", b""
    for tag, values in sorted(tags.items()):
        number, code = kinds[tag]
        content = struct.pack(f"{order}{len(values)}{code}", *values)
        if len(content) > 4:
            content, long = struct.pack(f"{order}I", after + len(long)), long + content
        entries += struct.pack(f"{order}HHI", tag, number, len(values)) + content.ljust(4, b"\0")
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    head += struct.pack(f"{order}H", len(tags))
    return head + entries + bytes(4) + long + b"".join(strips)


def packed(bits: int, values: np.ndarray) -> bytes:
    text = "".join(f"{value:0{bits}b}" for value in values.ravel().tolist())
    return int(text, 2).to_bytes(len(text) // 8, "big")


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(to_rgb(open_image(data)))


WIDE = GRAY.astype(np.uint16) * 257
MAP = np.concatenate([np.arange(256), np.arange(255, -1, -1), np.full(256, 9)])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(tiff([GRAY.tobytes()], [8], 1), GRAY, id="8-bit"),
        pytest.param(tiff([(255 - GRAY).tobytes()], [8], 0), GRAY, id="8-bit, white is 0"),
        pytest.param(tiff([(65_535 - WIDE).tobytes()], [16], 0), GRAY, id="16-bit, white is 0"),
        pytest.param(
            *(tiff([packed(12, GRAY.astype(int) * 4095 // 255 + 1)], [12], 1), GRAY), id="12-bit"
        ),
        pytest.param(
            tiff([np.stack([GRAY, np.full_like(GRAY, 255)], -1).tobytes()], [8, 8], 1, t338=[1]),
            GRAY,
            id="8-bit, premultiplied alpha",
        ),
        pytest.param(
            tiff([COLORS[..., n].tobytes() for n in range(3)], [8] * 3, 2, t284=[2]),
            COLORS,
            id="8-bit RGB in planes",
        ),
        pytest.param(
            *(tiff([GRAY.tobytes()], [8], 3, t320=[257 * n for n in MAP]), "map"),
            id="color map to 65,535",
        ),
        pytest.param(tiff([GRAY.tobytes()], [8], 3, t320=MAP), "map", id="color map to 255"),
    ],
)
def test_the_picture_is_that_of_the_8_bit_file(data, expected):
    if isinstance(expected, str):
        expected = np.stack([GRAY, 255 - GRAY, np.full_like(GRAY, 9)], axis=-1)
    elif expected.ndim == 2:
        expected = np.repeat(expected[..., None], 3, axis=-1)
    assert np.array_equal(decoded(data), expected)


def wide(order: str, kind: str) -> bytes:
    return GRAY.astype(f"{order}{kind}").tobytes()


PLANES = [(COLORS[..., n].astype(np.uint16) * 257).tobytes() for n in range(3)]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (tiff([wide("<", "u4")], [32], 1), "32-bit gray TIFF"),
        (tiff([wide(">", "u4")], [32], 1, ">"), "32-bit gray TIFF"),
        (tiff([wide("<", "i4")], [32], 1, t339=[2]), "32-bit signed gray TIFF"),
        (tiff([wide("<", "i2")], [16], 1, t339=[2]), "16-bit signed gray TIFF"),
        (tiff([wide("<", "i1")], [8], 1, t339=[2]), "8-bit signed gray TIFF"),
        (tiff([wide(">", "u2")], [16], 0, ">"), "16-bit gray TIFF with white as 0"),
        (tiff([packed(12, GRAY)], [12], 1, ">"), "12-bit gray TIFF"),
        (tiff([packed(10, GRAY)], [10], 1), "10-bit gray TIFF"),
        (tiff([wide("<", "u2") * 2], [16, 16], 1, t338=[2]), "16-bit gray TIFF with alpha"),
        (tiff(PLANES, [16] * 3, 2, t284=[2]), "16-bit RGB TIFF in separate planes"),
        (tiff(PLANES, [16] * 3, 2, ">", t284=[2]), "16-bit RGB TIFF in separate planes"),
        (tiff([*PLANES, PLANES[0]], [16] * 4, 5, t284=[2]), "16-bit CMYK TIFF in separate planes"),
        (
            tiff([GRAY.tobytes()] * 3, [8] * 3, 2, t284=[2], t266=[2]),
            "8-bit RGB TIFF in separate planes with reversed bits",
        ),
        (
            tiff([GRAY.tobytes()], [8], 3, t320=MAP, t266=[2]),
            "8-bit color-mapped TIFF with reversed bits",
        ),
        (tiff([GRAY.tobytes()] * 3, [8] * 3, 8, t284=[2]), "8-bit CIELAB TIFF in separate planes"),
        (
            tiff([COLORS.tobytes()], [8] * 3, 6, t530=[2, 2]),
            "8-bit YCbCr TIFF",
        ),
        (tiff([wide("<", "u4") * 3], [32] * 3, 2, t339=[3] * 3), "32-bit floating-point RGB TIFF"),
        (tiff([wide("<", "u2")], [16], 32_803), "16-bit camera raw TIFF"),
    ],
)
def test_what_pillow_reads_wrong_or_not_is_named(data, words):
    with pytest.raises(ImageError) as caught:
        decoded(data)
    assert str(caught.value) == f"{words} is not supported: save it with 8 bits, interleaved"


def test_a_big_tiff_is_named_too():
    tags = [(256, 20), (257, 12), (258, 10), (262, 1)]
    entries = b"".join(struct.pack("<HHQQ", tag, 3, 1, value) for tag, value in tags)
    data = b"II" + struct.pack("<HHHQQ", 43, 8, 0, 16, len(tags)) + entries + bytes(8)
    with pytest.raises(ImageError, match=r"^10-bit gray TIFF is not supported"):
        decoded(data)


@pytest.mark.parametrize("data", [b"II*\0", b"MM\0*\0\0\0\x08", b"II*\0\x08\0\0\0\xff\xff" * 3])
def test_a_damaged_tiff_is_no_image(data):
    with pytest.raises(ImageError, match=r"not an image|damaged"):
        decoded(data)
