"""A scan's gray margin is cut to the pixel; borders that are the poster's own are left alone."""

import doctest
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from skimage import data as samples

from recolor.datasets import margins
from recolor.datasets.demo_posters import draw_poster
from recolor.datasets.images import find_images, open_image, read_file, to_rgb
from recolor.datasets.margins import poster_box
from recolor.datasets.posters import Box

FOLDER = os.environ.get("RECOLOR_POSTERS")
# Like most posters, they have black and white.
PICTURES = {
    "photograph": Image.fromarray(samples.astronaut()).resize((300, 420)),
    "cat": Image.fromarray(samples.chelsea()).crop((0, 0, 200, 300)),
    "drawn": draw_poster(3, 1, "modern")[1].resize((300, 450)),
}

PICTURES = {name: ImageOps.autocontrast(picture, 1) for name, picture in PICTURES.items()}


def scanned(picture: Image.Image, gray: int, sides: tuple[int, int, int, int]):
    """Put a picture on gray, by widths at the top, bottom, left and right; and say where it is."""
    top, bottom, left, right = sides
    width, height = picture.size
    scan = Image.new("RGB", (width + left + right, height + top + bottom), (gray,) * 3)
    scan.paste(picture, (left, top))
    return scan, Box(top, left, height, width)


def noisy(picture: Image.Image) -> Image.Image:
    """Add noise of 1.5 levels and JPEG's artefacts."""
    noise = np.random.default_rng(5).normal(0, 1.5, (picture.height, picture.width, 3))
    pixels = np.clip(np.rint(np.asarray(picture) + noise), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=85)
    return Image.open(file).convert("RGB")


def ends(box: Box) -> np.ndarray:
    return np.array([box.top, box.left, box.top + box.height, box.left + box.width])


def whole(picture: Image.Image) -> Box:
    return Box(0, 0, picture.height, picture.width)


def test_the_example_is_true():
    assert doctest.testmod(margins).failed == 0


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("gray", [0x40, 0x80, 0xC0, 0xE0])
@pytest.mark.parametrize("share", [0.03, 0.1, 0.2])
def test_a_margin_is_cut_to_the_pixel(name, gray, share):
    picture = PICTURES[name]
    down, across = round(share * picture.height), round(share * picture.width)
    scan, box = scanned(picture, gray, (down, down, across, across))
    assert np.abs(ends(poster_box(scan)) - ends(box)).max() <= 1
    assert np.abs(ends(poster_box(noisy(scan))) - ends(box)).max() <= 2


@pytest.mark.parametrize(
    "sides", [(40, 0, 0, 0), (0, 0, 0, 30), (50, 0, 25, 0), (0, 30, 70, 20), (12, 90, 10, 60)]
)
def test_each_side_has_a_margin_of_its_own(sides):
    scan, box = scanned(PICTURES["cat"], 0x80, sides)
    assert poster_box(scan) == box


@pytest.mark.parametrize("gray", [0x40, 0x80, 0xC0])
@pytest.mark.parametrize("name", PICTURES)
def test_a_narrow_margin_may_be_less_than_2_percent_of_the_long_sides(name, gray):
    wide = round(0.03 * PICTURES[name].width)
    scan, box = scanned(PICTURES[name], gray, (wide,) * 4)
    assert np.abs(ends(poster_box(scan)) - ends(box)).max() <= 1


def test_a_large_scan_is_cut_to_the_pixel():
    picture = PICTURES["photograph"].resize((3001, 4203))
    scan, box = scanned(picture, 0x90, (331, 207, 155, 498))
    assert np.abs(ends(poster_box(scan)) - ends(box)).max() <= 1


def test_a_border_of_the_posters_stays_when_its_margin_goes():
    poster = ImageOps.expand(PICTURES["photograph"], 20, (244, 236, 214))
    scan, box = scanned(poster, 0xE0, (40, 40, 30, 30))
    assert poster_box(scan) == box


@pytest.mark.parametrize(
    "color",
    [
        pytest.param((255, 255, 255), id="white"),
        pytest.param((240, 240, 240), id="off-white"),
        pytest.param((244, 236, 214), id="cream"),
        pytest.param((205, 190, 150), id="yellowed"),
        pytest.param((180, 60, 60), id="red"),
        pytest.param((30, 30, 30), id="dark"),
        pytest.param((0, 0, 0), id="black"),
    ],
)
def test_a_border_that_is_no_neutral_gray_is_the_posters(color):
    for picture in PICTURES.values():
        poster = ImageOps.expand(picture, 30, color)
        assert poster_box(poster) == whole(poster)
        assert poster_box(noisy(poster)) == whole(poster)


def test_paper_that_was_scanned_too_dark_is_the_posters():
    poster = ImageOps.expand(PICTURES["photograph"], 30, "white")
    for level in (0.8, 0.85, 0.9):
        dark = noisy(poster.point(lambda value, level=level: round(level * value)))
        assert poster_box(dark) == whole(dark)


def test_a_gray_ground_without_a_straight_edge_is_the_posters():
    size = (300, 450)
    disk = Image.radial_gradient("L").resize(size).point(lambda value: 255 * (value < 120))
    poster = Image.new("RGB", size, (128, 128, 128))
    poster.paste(PICTURES["drawn"], (0, 0), disk)
    assert poster_box(poster) == whole(poster)


def test_a_band_wider_than_a_third_is_the_posters():
    scan, _ = scanned(PICTURES["cat"], 0x80, (200, 0, 0, 0))
    assert poster_box(scan) == whole(scan)


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(Image.new("RGB", (300, 450), (128, 128, 128)), id="flat gray"),
        pytest.param(noisy(Image.new("RGB", (300, 450), (128, 128, 128))), id="noisy gray"),
        pytest.param(Image.linear_gradient("L").convert("RGB"), id="gradient"),
        pytest.param(Image.linear_gradient("L").rotate(90).convert("RGB"), id="gradient across"),
        pytest.param(Image.radial_gradient("L").convert("RGB"), id="radial gradient"),
        pytest.param(Image.new("RGB", (1, 1), (128, 128, 128)), id="one pixel"),
        pytest.param(Image.new("RGB", (3, 2), (128, 128, 128)), id="six pixels"),
        pytest.param(Image.new("RGB", (1, 4000), (128, 128, 128)), id="line"),
    ],
)
def test_a_picture_without_a_poster_stays_whole(picture):
    assert poster_box(picture) == whole(picture)


@pytest.mark.skipif(not FOLDER, reason="RECOLOR_POSTERS does not name a folder of real posters")
def test_real_posters_stay_whole():
    pictures = [
        to_rgb(open_image(read_file(path))) for _, path in find_images([Path(FOLDER)])[:300]
    ]
    cut = [picture for picture in pictures if poster_box(picture) != whole(picture)]
    assert len(cut) <= 0.005 * len(pictures)
