"""Prints in one ink are told from pictures in color, also when aged, noisy or compressed."""

import doctest
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage import data as samples

from recolor.datasets import color_kind as color_kinds
from recolor.datasets.color_kind import COLORED, GRAY, ONE_INK, color_kind
from recolor.datasets.demo_posters import draw_poster
from recolor.datasets.images import find_images, open_image, read_file, to_rgb

FOLDER = os.environ.get("RECOLOR_POSTERS")
PICTURES = {
    "astronaut": Image.fromarray(samples.astronaut()),
    "cat": Image.fromarray(samples.chelsea()),
    "coffee": Image.fromarray(samples.coffee()),
    **{f"poster {index}": draw_poster(7, index, "modern")[1] for index in (0, 2, 4)},
}
# The ink where it is darkest, and the paper.
INKS = {
    "yellowed": ((28, 25, 22), (238, 224, 191)),
    "sepia": ((46, 28, 16), (242, 223, 184)),
    "cyanotype": ((11, 42, 80), (238, 242, 238)),
    "red": ((160, 24, 24), (245, 232, 204)),
    "green": ((16, 60, 34), (240, 240, 225)),
}
FADINGS = {"sunlight": (0.15, 0.5, 0.6), "dark storage": (0.5, 0.2, 0.25)}


def to_linear(picture: Image.Image) -> np.ndarray:
    rgb = np.asarray(picture) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def to_picture(linear: np.ndarray) -> Image.Image:
    low, high = linear * 12.92, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    rgb = np.clip(np.where(linear <= 0.0031308, low, high), 0, 1)
    return Image.fromarray(np.rint(255 * rgb).astype(np.uint8))


def printed(picture: Image.Image, ink: str) -> Image.Image:
    """Print a picture in one ink: its density at a pixel grows with the gray picture's darkness."""
    darkest, paper = (to_linear(np.array(color, np.uint8)) for color in INKS[ink])
    darkness = 1 - np.asarray(picture.convert("L"))[..., None] / 255
    return to_picture(paper * (darkest / paper) ** darkness)


def aged(picture: Image.Image) -> Image.Image:
    """Yellow the paper toward its border, then scan it with noise and save it as a coarse JPEG."""
    y, x = np.ogrid[-1 : 1 : picture.height * 1j, -1 : 1 : picture.width * 1j]
    density = np.array([0.015, 0.04, 0.09]) * ((y**2 + x**2) / 2)[..., None]
    yellowed = np.asarray(to_picture(to_linear(picture) * 10**-density))
    noise = np.random.default_rng(2).normal(0, 2, yellowed.shape)
    pixels = np.clip(np.rint(yellowed + noise), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=80, subsampling=2)
    return Image.open(file).convert("RGB")


def faded(picture: Image.Image, kind: str) -> Image.Image:
    density = -np.log10(np.maximum(to_linear(picture), 1e-3))
    density = density * (1 - 0.9 * np.array(FADINGS[kind])) + np.array([0.02, 0.07, 0.15])
    return to_picture(0.05 + 0.95 * 10**-density)


def test_the_examples_are_true():
    assert doctest.testmod(color_kinds).failed == 0


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("ink", INKS)
def test_a_print_in_one_ink_has_one_ink(name, ink):
    picture = printed(PICTURES[name], ink)
    assert color_kind(picture) == ONE_INK
    assert color_kind(aged(picture)) == ONE_INK


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_in_color_is_colored_new_and_faded(name):
    assert color_kind(PICTURES[name]) == COLORED
    for kind in FADINGS:
        assert color_kind(faded(PICTURES[name], kind)) == COLORED


@pytest.mark.parametrize("name", PICTURES)
def test_a_gray_picture_is_gray(name):
    gray = PICTURES[name].convert("L").convert("RGB")
    assert color_kind(gray) == GRAY
    assert color_kind(aged(gray)) != COLORED


def test_a_small_red_title_is_color():
    photo = Image.fromarray(samples.camera()).convert("RGB")
    assert color_kind(photo) == GRAY
    # 40 x 120 of 512 x 512 pixels: 1.8 %.
    ImageDraw.Draw(photo).rectangle((200, 440, 319, 479), fill=(190, 30, 30))
    assert color_kind(photo) == COLORED
    assert color_kind(aged(photo)) == COLORED


def test_a_speck_of_color_is_not():
    photo = Image.fromarray(samples.camera()).convert("RGB")
    ImageDraw.Draw(photo).rectangle((300, 300, 315, 315), fill=(190, 30, 30))
    assert color_kind(photo) == GRAY


def test_black_and_a_strong_color_are_two_inks():
    ramp = np.linspace(0, 1, 256)[None, :, None]
    black_red_white = np.clip(np.concatenate([2 * ramp, 2 * ramp - 1, 2 * ramp - 1], -1), 0, 1)
    pixels = np.repeat(np.rint(255 * black_red_white), 64, axis=0).astype(np.uint8)
    assert color_kind(Image.fromarray(pixels)) == COLORED
    muted = Image.fromarray(pixels).convert("HSV")
    hue, saturation, value = muted.split()
    muted = Image.merge("HSV", (hue, saturation.point(lambda level: level // 3), value))
    assert color_kind(muted.convert("RGB")) == ONE_INK


@pytest.mark.parametrize(
    ("color", "kind"),
    [("red", ONE_INK), ((240, 220, 170), ONE_INK), ("black", GRAY), ("white", GRAY)],
)
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 700), (900, 1), (300, 450)])
def test_a_flat_color_has_a_kind(color, kind, size):
    assert color_kind(Image.new("RGB", size, color)) == kind


@pytest.mark.parametrize("size", [(90, 90), (1400, 1400)])
def test_the_size_does_not_matter(size):
    photo = PICTURES["astronaut"].resize(size)
    assert color_kind(photo) == COLORED
    assert color_kind(printed(photo, "sepia")) == ONE_INK


@pytest.mark.skipif(not FOLDER, reason="RECOLOR_POSTERS does not name a folder of real posters")
@pytest.mark.parametrize("ink", INKS)
def test_real_posters_are_colored_and_their_prints_are_not(ink):
    files = [path for _, path in find_images([Path(FOLDER)])][::10][:40]
    posters = [to_rgb(open_image(read_file(path))) for path in files]
    prints = [aged(printed(poster, ink)) for poster in posters]
    assert sum(color_kind(poster) == COLORED for poster in posters) >= 0.95 * len(posters)
    assert sum(color_kind(picture) != COLORED for picture in prints) >= 0.95 * len(prints)
