"""What time does to a print, and undoing it."""

import math

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file
from skimage.color import deltaE_ciede2000, rgb2lab

from recolor.datasets.ageing import (
    Ageing,
    aged,
    densities,
    density_of,
    light_of,
    linear_light,
    printed_in_one_ink,
    to_srgb,
)
from recolor.datasets.demo_posters import draw_poster
from recolor.models.restoring import (
    BUNDLED_FILE,
    CUBE_NODES,
    Restoration,
    Restorer,
    RestorerError,
    more_vivid,
    sampled,
    views,
)

POSTER = draw_poster(0, 2, "modern")[1]
FADED = Restoration((0.04, 0.03, 0.02), (0.9, 0.6, 0.5), (0.01, 0.04, 0.12))


def difference(one, other) -> float:
    """Mean CIEDE2000 of two pictures."""
    return float(deltaE_ciede2000(rgb2lab(np.asarray(one)), rgb2lab(np.asarray(other))).mean())


def aged_by_hand(level: int, haze: float, kept: float, stain: float) -> float:
    """Age one channel of one pixel, step by step."""
    s = level / 255
    linear = s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4
    density = -math.log10(0.001 + 0.999 * linear)
    print_light = 10 ** -(kept * density + stain)
    linear = haze + (1 - haze) * (print_light - 0.001) / 0.999
    linear = min(max(linear, 0), 1)
    s = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return 255 * s


def without_mixing(fading, stain, haze, border=0.0) -> Ageing:
    return Ageing(np.array(fading), np.eye(3), np.array(stain), np.array(haze), border)


def test_a_pixel_ages_as_the_formula_says():
    levels = np.array([0, 1, 20, 100, 180, 254, 255], np.uint8)
    rgb = np.tile(levels[None, :, None], (1, 1, 3))
    found = without_mixing((0.1, 0.4, 0.5), (0.01, 0.04, 0.12), (0.04, 0.03, 0.02)).applied(rgb)
    for channel, (haze, kept, stain) in enumerate(
        zip(FADED.haze, FADED.kept, FADED.stain, strict=True)
    ):
        expected = [aged_by_hand(level, haze, kept, stain) for level in levels.tolist()]
        np.testing.assert_allclose(found[0, :, channel], expected, atol=0.15)


def test_dyes_mix_and_the_border_ages_more():
    mixing = np.array([[0.9, 0.1, 0], [0, 1, 0], [0, 0, 1]])
    mixed = Ageing(np.zeros(3), mixing, np.zeros(3), np.zeros(3), 0.0)
    cyan = np.zeros((1, 1, 3), np.uint8) + np.array([0, 255, 255], np.uint8)
    red, green, blue = mixed.applied(cyan)[0, 0]
    # A tenth of the cyan dye's density of 3 becomes that of magenta, which is 0.
    assert red == pytest.approx(255 * 12.92 * (10**-2.7 - 0.001) / 0.999, abs=0.15)
    assert green == blue == pytest.approx(255, abs=0.1)
    gray = np.full((21, 21, 3), 90, np.uint8)
    more = without_mixing((0.5,) * 3, (0,) * 3, (0,) * 3, border=0.2).applied(gray)[..., 0]
    assert more[0, 0] > more[0, 10] > more[10, 10]
    even = without_mixing((0.5,) * 3, (0,) * 3, (0,) * 3).applied(gray)
    assert more.mean() == pytest.approx(even.mean(), abs=1)


def test_density_and_light_are_inverses_and_srgb_is_that_of_the_standard():
    light = linear_light()
    np.testing.assert_allclose(light_of(density_of(light)), light, atol=1e-6)
    assert densities()[0] == pytest.approx(3) and densities()[255] == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(to_srgb(light), np.arange(256), atol=0.1)


def test_the_same_seed_ages_alike_and_others_do_not():
    rgb = np.asarray(POSTER)
    one, again, other = (aged(rgb, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert difference(one, other) > 1
    assert one.dtype == np.uint8 and one.shape == rgb.shape
    distances = [difference(aged(rgb, np.random.default_rng(n)), rgb) for n in range(12)]
    assert 5 < np.mean(distances) < 15


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (97, 64)])
def test_pictures_of_any_shape_age(shape):
    rgb = np.full((*shape, 3), 200, np.uint8)
    assert aged(rgb, np.random.default_rng(0)).shape == rgb.shape


def test_a_print_in_one_ink_has_one_color_at_each_lightness():
    rgb = np.asarray(POSTER)
    gray = np.asarray(POSTER.convert("L"))
    printed = printed_in_one_ink(rgb, np.random.default_rng(3))
    for level in np.unique(gray)[::20]:
        assert len(np.unique(printed[gray == level], axis=0)) == 1
    assert np.ptp(printed.astype(int), axis=-1).max() > 20
    white = printed_in_one_ink(np.full((2, 2, 3), 255, np.uint8), np.random.default_rng(3))
    assert (white == 255).all()


def test_restoring_undoes_ageing():
    rgb = np.asarray(POSTER)
    pale = without_mixing((0.1, 0.4, 0.5), FADED.stain, FADED.haze).applied(rgb)
    pale = Image.fromarray(np.rint(pale).astype(np.uint8))
    assert difference(pale, POSTER) > 8
    assert difference(FADED.applied(pale), POSTER) < 0.8
    half = difference(FADED.scaled(0.5).applied(pale), POSTER)
    assert 1 < half < difference(pale, POSTER)


def test_restoring_nothing_changes_nothing():
    for nothing in (Restoration.none(), FADED.scaled(0)):
        np.testing.assert_array_equal(nothing.applied(POSTER), POSTER)
        assert nothing.describe() == ""


def test_restoring_in_place_gives_the_same_pixels():
    picture = POSTER.copy()
    FADED.apply_in_place(picture)
    np.testing.assert_array_equal(picture, FADED.applied(POSTER))
    Restoration.none().apply_in_place(picture)
    np.testing.assert_array_equal(picture, FADED.applied(POSTER))


def test_a_cube_is_what_is_done_to_pixels():
    lines = FADED.cube().splitlines()
    assert lines[1] == f"LUT_3D_SIZE {CUBE_NODES}" and len(lines) == 2 + CUBE_NODES**3
    table = np.array([line.split() for line in lines[2:]], float)
    table = table.reshape(CUBE_NODES, CUBE_NODES, CUBE_NODES, 3)
    # Red changes fastest.
    assert (np.diff(table[0, 0, :, 0]) >= 0).all() and table[0, 0, -1, 0] > 0.9
    for red, green, blue in ((0, 16, 32), (8, 8, 24), (31, 2, 9)):
        color = np.array([red, green, blue]) * 255 / (CUBE_NODES - 1)
        whole = tuple(int(value) for value in np.rint(color))
        expected = np.asarray(FADED.applied(Image.new("RGB", (1, 1), whole)))[0, 0]
        np.testing.assert_allclose(255 * table[blue, green, red], expected, atol=3)


@pytest.mark.parametrize(
    ("kept", "stain", "haze", "words"),
    [
        ((1, 1, 1), (0.01, 0.03, 0.1), (0, 0, 0), "yellowed paper"),
        ((1, 0.7, 1), (0, 0, 0), (0, 0, 0), "faded magenta"),
        ((0.6, 0.7, 0.6), (0, 0, 0), (0.02, 0.02, 0.02), "faded colors, glare"),
        ((1, 1, 1), (0.1, 0.02, 0), (0, 0, 0), "a color cast"),
    ],
)
def test_what_was_found_is_said_in_words(kept, stain, haze, words):
    assert Restoration(haze, kept, stain).describe() == words


def test_chroma_is_raised_towards_that_of_modern_posters_and_never_lowered():
    pale = Image.blend(POSTER.convert("L").convert("RGB"), POSTER, 0.3)

    def chroma(picture):
        lab = rgb2lab(np.asarray(picture))
        return np.hypot(lab[..., 1], lab[..., 2]).mean()

    assert more_vivid(pale, 0.0) is pale
    assert chroma(pale) < chroma(more_vivid(pale, 0.5)) < chroma(more_vivid(pale, 1.0))
    vivid = Image.new("RGB", (9, 9), (250, 20, 30))
    np.testing.assert_array_equal(more_vivid(vivid, 1.0), vivid)
    gray = Image.new("RGB", (9, 9), (90, 90, 90))
    assert more_vivid(gray, 1.0) is gray


def test_the_bundled_network_restores_aged_posters_and_leaves_others_alone():
    restorer, before, after, harm = Restorer.bundled(), [], [], []
    for index in range(18):
        poster = draw_poster(1, index, "modern")[1]
        old = Image.fromarray(aged(np.asarray(poster), np.random.default_rng(index)))
        before.append(difference(old, poster))
        after.append(difference(restorer.look(old).applied(old), poster))
        harm.append(difference(restorer.look(poster).applied(poster), poster))
    assert np.mean(after) < 0.6 * np.mean(before)
    assert np.mean(harm) < 2.5


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (63, 97), (1200, 800)])
def test_a_picture_of_any_size_is_looked_at(size):
    picture = POSTER.resize(size)
    assert views(picture).shape == (4, 96, 64, 3)
    numbers = Restorer.bundled().numbers(views(picture))
    assert numbers.shape == (4, 9)
    assert np.isfinite(numbers).all() and (numbers[:, 3:6] > 0).all()


def test_pixels_are_sampled_in_the_middle_of_equal_parts():
    assert sampled(4, 2).tolist() == [1, 3]
    assert sampled(1, 3).tolist() == [0, 0, 0]
    assert sampled(96, 96).tolist() == list(range(96))
    assert sampled(8, 2, 0.25).tolist() == [1, 5]


def test_the_network_sees_four_views_of_other_pixels_and_takes_their_mean():
    ramp = np.arange(256, dtype=np.uint8)
    picture = Image.fromarray(
        np.stack(np.broadcast_arrays(ramp[:, None], ramp, np.uint8(0)), axis=-1)
    )
    found = [(view[0, 0, 0], view[0, 0, 1]) for view in views(picture)]
    # The height has 96 parts of 2.67 pixels, the width 64 of 4; two views begin at the right.
    assert found == [(0, 1), (2, 253), (0, 255), (2, 3)]
    restorer = Restorer.bundled()
    each = [restorer.numbers(view[None])[0] for view in views(POSTER)]
    mean, found = np.mean(each, axis=0), restorer.look(POSTER)
    np.testing.assert_allclose([*found.haze, *found.kept, *found.stain], mean, rtol=1e-5)


def test_a_file_that_holds_no_restoration_network_is_refused(tmp_path):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nothing")
    with pytest.raises(RestorerError, match=r"broken\.safetensors holds no restoration network"):
        Restorer.load(broken, "")
    with pytest.raises(RestorerError, match="missing"):
        Restorer.load(tmp_path / "missing.safetensors", "")
    tensors = load_file(BUNDLED_FILE)
    name = next(name for name in tensors if name.endswith("/bias"))
    tensors[name][0] = np.nan
    save_file(tensors, broken)
    with pytest.raises(RestorerError, match="a weight is not a finite number"):
        Restorer.load(broken, "")
