"""JPEG files that are cut or damaged where Pillow does not say so."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image

from recolor.datasets.images import ImageError, open_image, to_rgb

KINDS = {
    "ordinary": {},
    "optimized": {"optimize": True},
    "progressive": {"progressive": True},
    "with restarts": {"restart_marker_blocks": 3},
}
END = b"\xff\xd9"


def picture(mode: str = "RGB") -> Image.Image:
    """A poster with a wide white margin: optimized, its code is zeros there."""
    random = np.random.default_rng(0).integers(0, 256, (12, 9, 3), np.uint8)
    inside = Image.fromarray(random).resize((90, 120), Image.Resampling.BICUBIC)
    white = Image.new("RGB", (250, 300), "white")
    white.paste(inside, (150, 180))
    return white.convert(mode)


def jpeg(mode: str = "RGB", **options) -> bytes:
    file = io.BytesIO()
    picture(mode).save(file, "JPEG", quality=90, **options)
    return file.getvalue()


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(to_rgb(open_image(data)))


def overwritten(data: bytes, content: bytes, where: float = 0.4) -> bytes:
    """Put other content into the pixels."""
    start = data.rfind(b"\xff\xda") + 20
    place = start + int(where * (len(data) - start))
    return data[:place] + content + data[place + len(content) :]


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_without_its_end_is_the_picture(kind, mode):
    data = jpeg(mode, **KINDS[kind])
    for cut in (data[:-2], data[:-1]):
        assert np.array_equal(decoded(cut), decoded(data))


@pytest.mark.parametrize("kind", ["ordinary", "optimized", "progressive"])
@pytest.mark.parametrize("less", [8, 30, 300])
def test_a_file_without_its_last_pixels_is_refused(kind, less):
    with pytest.raises(ImageError, match=r"damaged image: .*truncated"):
        decoded(jpeg(**KINDS[kind])[:-less])


def test_a_file_of_which_the_rest_was_never_written_is_refused():
    data = jpeg()
    with pytest.raises(ImageError, match=r"damaged"):
        decoded(data[: len(data) // 2] + bytes(len(data) // 2))


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("size", [40, 500])
def test_zeros_in_the_pixels_are_damage(mode, size):
    with pytest.raises(ImageError, match=r"^damaged image: .* overwritten with zeros$"):
        decoded(overwritten(jpeg(mode), bytes(size)))


@pytest.mark.parametrize("kind", ["ordinary", "optimized", "with restarts"])
@pytest.mark.parametrize("content", [b"\xff\xdb", b"\xff\xc0", b"\xff\xff\xff\xda"])
def test_other_data_in_the_pixels_is_damage(kind, content):
    with pytest.raises(ImageError, match=r"damaged image: .* cut off by other data"):
        decoded(overwritten(jpeg(**KINDS[kind]), content))


def test_a_restart_where_there_are_none_is_damage():
    with pytest.raises(ImageError, match=r"damaged image: .* cut off by other data"):
        decoded(overwritten(jpeg(), b"\xff\xd3"))


def test_missing_restarts_are_damage():
    data = jpeg(**KINDS["with restarts"])
    first = data.index(b"\xff\xd2")
    with pytest.raises(ImageError, match=r"damaged image: some of its pixels are missing"):
        decoded(data[:first] + data[data.index(b"\xff\xd4") :])


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("after", [b"", bytes(5000), b"a camera's own\xff\xd8" + bytes(100)])
def test_a_whole_file_is_not_damaged(kind, mode, after):
    data = jpeg(mode, icc_profile=bytes(200), **KINDS[kind])
    assert np.array_equal(decoded(data + after), decoded(data))


def test_long_runs_of_zeros_are_white_paper_in_an_optimized_file():
    """So they can't be told from damage there."""
    data = jpeg(optimize=True)
    runs = [len(list(run)) for zero, run in itertools.groupby(data, lambda byte: byte == 0) if zero]
    assert max(runs) > 32
    assert decoded(data).shape == (300, 250, 3)


def test_a_photograph_with_a_preview_lacks_nothing():
    file = io.BytesIO()
    picture().save(file, "MPO", save_all=True, append_images=[picture().resize((20, 30))])
    assert np.array_equal(decoded(file.getvalue()[:-2]), decoded(file.getvalue()))
