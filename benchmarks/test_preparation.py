"""Reading posters: how fast, beside the obvious ways of doing the same."""

from hashlib import sha256

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab
from skimage.data import astronaut

from recolor.datasets.color import rgb_to_lab8
from recolor.datasets.images import open_image, to_rgb
from recolor.datasets.posters import fingerprint, letterbox, read_poster


@pytest.fixture(scope="module")
def poster(tmp_path_factory):
    """A JPEG of 2000x3000 pixels."""
    path = tmp_path_factory.mktemp("poster") / "poster.jpg"
    Image.fromarray(astronaut()).resize((2000, 3000)).save(path, quality=90)
    return path


@pytest.mark.benchmark(group="read a 2000x3000 JPEG")
def test_read_poster(benchmark, poster):
    benchmark(read_poster, poster, 256)


@pytest.mark.benchmark(group="read a 2000x3000 JPEG")
def test_read_poster_decoding_every_pixel(benchmark, poster):
    def read():
        data = poster.read_bytes()
        rgb = to_rgb(open_image(data))
        return sha256(data).hexdigest(), rgb_to_lab8(letterbox(rgb, 256)[0]), fingerprint(rgb)

    benchmark(read)


@pytest.mark.benchmark(group="Lab of 256x256")
def test_table(benchmark):
    square = np.asarray(Image.fromarray(astronaut()).resize((256, 256)))
    benchmark(rgb_to_lab8, square)


@pytest.mark.benchmark(group="Lab of 256x256")
def test_double_precision_by_scikit_image(benchmark):
    square = np.asarray(Image.fromarray(astronaut()).resize((256, 256)))

    def convert():
        lab = rgb2lab(square)
        return np.rint(lab[..., 0] * 2.55).astype(np.uint8), np.rint(lab[..., 1:]).astype(np.int8)

    benchmark(convert)
