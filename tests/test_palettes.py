"""Palettes: of typed colors, of pictures, of faded sources; against counts and known distances."""

import doctest

import numpy as np
import pytest
from PIL import Image
from scipy.stats import wasserstein_distance
from skimage import data as samples
from skimage.color import rgb2lab

from recolor.datasets import hints
from recolor.datasets.classes import cell_index, count_cells
from recolor.datasets.color import lab8_to_rgb, rgb_to_lab8
from recolor.datasets.palettes import palette as palettes
from recolor.datasets.palettes.palette import (
    NEUTRAL_CHROMA,
    Palette,
    PaletteError,
    colored_chroma,
    has_color,
    neutral_share,
    palette_distance,
    without_rarest,
)

RNG = np.random.default_rng(4)
PHOTO = Image.fromarray(samples.astronaut())


def mean_ab(palette: Palette) -> np.ndarray:
    return palette.shares @ palette.colors


def neutral_part(palette: Palette) -> float:
    return float(palette.shares[np.hypot(*palette.colors.T) < NEUTRAL_CHROMA].sum())


@pytest.mark.parametrize("module", [palettes, hints])
def test_the_examples_are_true(module):
    assert doctest.testmod(module, extraglobs={"np": np}).failed == 0


def test_pixels_are_counted_by_cell():
    ab = RNG.integers(-128, 128, (40, 30, 2))
    lightness = RNG.integers(0, 256, (40, 30)).astype(np.uint8)
    palette = Palette.of_pixels(lightness, ab, "random")
    np.testing.assert_allclose(palette.shares, count_cells(ab) / 1200, atol=1e-7)
    np.testing.assert_allclose(mean_ab(palette), ab.reshape(-1, 2).mean(axis=0), atol=1e-3)
    cell = cell_index(ab)
    some = cell[3, 4]
    np.testing.assert_allclose(palette.colors[some], ab[cell == some].mean(axis=0), atol=1e-4)
    assert sum(share for _, share in palette.swatch) == pytest.approx(1)


@pytest.mark.parametrize("size", [(1, 1), (17, 400), (2000, 3000)])
def test_a_picture_of_any_size_has_a_palette(size):
    red = Palette.of_picture(Image.new("RGB", size, (200, 30, 40)), "red")
    expected = rgb_to_lab8(np.array([200, 30, 40], np.uint8))[1]
    np.testing.assert_allclose(mean_ab(red), expected, atol=0.01)
    assert red.swatch == (("#c81e28", 1.0),) or red.swatch[0][1] == 1
    assert red.shares.sum() == pytest.approx(1)


def test_a_large_copy_of_a_picture_has_nearly_its_palette():
    small = Palette.of_picture(PHOTO, "small")
    large = Palette.of_picture(PHOTO.resize((1500, 1500)), "large")
    assert small.distance(large) < 0.5 < small.distance(Palette.of_colors("teal"))


def test_typed_colors_have_their_weights_and_places():
    palette = Palette.of_colors("#ff0000, #0000ff:3")
    red, blue = rgb2lab(np.array([[[1.0, 0, 0], [0, 0, 1]]]))[0, :, 1:]
    np.testing.assert_allclose(mean_ab(palette), 0.25 * red + 0.75 * blue, atol=0.5)
    near_red = np.hypot(*(palette.colors - red).T) < 30
    assert palette.shares[near_red].sum() == pytest.approx(0.25, abs=0.01)
    assert palette.shares.sum() == pytest.approx(1)


@pytest.mark.parametrize("neutrals", [0.0, 0.3, 0.9])
def test_neutrals_are_mixed_in_and_those_typed_count(neutrals):
    assert neutral_part(Palette.of_colors("red,blue", neutrals)) == pytest.approx(
        neutrals, abs=0.02
    )
    typed = neutral_part(Palette.of_colors("red,white", neutrals))
    assert typed == pytest.approx(max(0.5, neutrals), abs=0.02)


def test_only_neutral_colors_are_a_gray_palette():
    palette = Palette.of_colors("white,black,#808080", 0.2)
    assert neutral_part(palette) == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(mean_ab(palette), 0, atol=0.1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("#12345", "'#12345' is not a color"),
        ("orange,plaid", "'plaid' is not a color"),
        ("orange:-1", "is not a weight"),
        ("orange:nan", "is not a weight"),
        ("orange:0", "must be more than 0"),
        ("orange:", None),
        ("rgb(300,0,0)", "is not a color"),
        (",".join(["red"] * 65), "65 colors are too many"),
        ("orange,", "'' is not a color"),
    ],
)
def test_bad_colors_are_said(text, words):
    if words is None:
        assert Palette.of_colors(text).shares.sum() == pytest.approx(1)
        return
    with pytest.raises(PaletteError, match=words):
        Palette.of_colors(text)


def test_the_distance_is_the_mean_of_one_dimensional_ones():
    """Against SciPy's, direction by direction."""
    colors, others = RNG.normal(0, 30, (20, 2)), RNG.normal(5, 20, (30, 2))
    shares, other_shares = RNG.dirichlet(np.ones(20)), RNG.dirichlet(np.ones(30))
    angles = np.pi * (np.arange(16) + 0.5) / 16
    expected = np.mean(
        [
            wasserstein_distance(
                colors @ [np.cos(t), np.sin(t)], others @ [np.cos(t), np.sin(t)],
                shares, other_shares,
            )
            for t in angles
        ]
    )  # fmt: skip
    found = palette_distance(shares, colors, other_shares, others)
    assert found == pytest.approx(expected, rel=1e-6)
    assert palette_distance(shares, colors, shares, colors) == pytest.approx(0, abs=1e-9)


def test_the_chroma_of_colored_pixels_is_a_mean_without_neutrals():
    lightness = np.full((10, 10), 128, np.uint8)
    ab = np.zeros((10, 10, 2))
    ab[:5] = 30, 40
    half = Image.fromarray(lab8_to_rgb(lightness, ab))
    assert colored_chroma(half) == pytest.approx(50, abs=1)
    assert colored_chroma(half.convert("L").convert("RGB")) == 0


def test_the_rarest_colors_are_left_out_and_the_others_take_their_part():
    mean_abl = np.zeros((6, 3))
    mean_abl[:4, 0] = 40, 50, 60, 70
    weights = np.array([50, 30, 15, 5, 60, 0])
    # 20 of 100 are left out, of which the others get 5 parts and 3 parts in 8. Neutrals stay.
    np.testing.assert_allclose(
        without_rarest(weights, mean_abl, 0.2), [62.5, 37.5, 0, 0, 60, 0], rtol=1e-12
    )
    np.testing.assert_array_equal(without_rarest(weights, mean_abl, 0.0), weights)
    np.testing.assert_allclose(
        without_rarest(weights, mean_abl, 0.19), np.array([50, 30, 15, 0, 57, 0]) * (100 / 95),
        rtol=1e-12,
    )  # fmt: skip
    gray = np.array([0, 0, 0, 0, 7, 2])
    np.testing.assert_array_equal(without_rarest(gray, mean_abl, 0.5), gray)


def test_gray_and_tinted_pictures_have_no_color_of_their_own():
    gray = PHOTO.convert("L").convert("RGB")
    lightness, ab = rgb_to_lab8(np.asarray(gray))
    sepia = Image.fromarray(lab8_to_rgb(lightness, ab + np.array([6.0, 14.0])))
    assert not has_color(gray) and not has_color(sepia)
    assert has_color(PHOTO)
    assert not has_color(Image.new("RGB", (1, 1), "red"))


def test_white_paper_and_black_ground_are_mostly_neutral():
    white, black, middle = (np.full((9, 9), level, np.uint8) for level in (255, 0, 128))
    assert neutral_share(white) > 0.7 and neutral_share(black) > 0.7
    assert neutral_share(middle) < 0.3
