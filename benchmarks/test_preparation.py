"""Reading posters: how fast, beside the obvious ways of doing the same."""

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab
from skimage.data import astronaut

from recolor.datasets.color import rgb_to_lab8
from recolor.datasets.images import open_image, to_rgb
from recolor.datasets.posters import letterbox, read_poster


@pytest.fixture(scope="module")
def poster(tmp_path_factory):
    """A JPEG of the paper's size, 1000x1500."""
    path = tmp_path_factory.mktemp("poster") / "poster.jpg"
    Image.fromarray(astronaut()).resize((1000, 1500)).save(path, quality=90)
    return path


@pytest.mark.benchmark(group="read a 1000x1500 JPEG")
def test_read_poster(benchmark, poster):
    benchmark(read_poster, poster, 256)


@pytest.mark.benchmark(group="read a 1000x1500 JPEG")
def test_read_poster_decoding_every_pixel(benchmark, poster):
    def read():
        square, _ = letterbox(to_rgb(open_image(poster.read_bytes())), 256)
        return rgb_to_lab8(square)

    benchmark(read)


@pytest.mark.benchmark(group="Lab of 256x256")
def test_single_precision(benchmark):
    square = np.asarray(Image.fromarray(astronaut()).resize((256, 256)))
    benchmark(rgb_to_lab8, square)


@pytest.mark.benchmark(group="Lab of 256x256")
def test_double_precision(benchmark):
    square = np.asarray(Image.fromarray(astronaut()).resize((256, 256)))

    def convert():
        lab = rgb2lab(square)
        return np.rint(lab[..., 0] * 2.55).astype(np.uint8), np.rint(lab[..., 1:]).astype(np.int8)

    benchmark(convert)
