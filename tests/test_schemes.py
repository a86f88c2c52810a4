"""Schemes that follow the source: by swatches, with locks, assignments and hints."""

from dataclasses import replace

import numpy as np
import pytest
from keras import ops
from PIL import Image
from skimage import data as samples
from skimage.color import deltaE_ciede2000, rgb2lab

from recolor.datasets.assignments import parse_assignments, parse_locks
from recolor.datasets.demo_posters import draw_poster
from recolor.datasets.faces import find_faces
from recolor.datasets.hints import HintError, parse_hints
from recolor.datasets.palettes.palette import Palette
from recolor.datasets.skin import skin_mask
from recolor.models.class_distribution import annealed_mean
from recolor.models.color_table import paperness
from recolor.models.decoding.options import Decoding, DecodingError
from recolor.models.decoding.palette_constraint import palette_offsets
from recolor.models.decoding.palette_transfer import move, transfer_moves
from recolor.models.recolorer import Recolorer
from recolor.platform.registry.model import load_model
from recolor.platform.registry.sources import find_weights

pytestmark = pytest.mark.usefixtures("bundled_networks_loaded_once")

POSTER = draw_poster(3, 1, "modern")[1].resize((200, 300))
SCHEME = Decoding(restore=0.0, palette="#0f4c5c,#f28c28", lock=("neutrals",))


@pytest.fixture(scope="module")
def painter():
    return load_model("unet").painter


def lab_of(picture) -> np.ndarray:
    return rgb2lab(np.asarray(picture))


def flag(*colors: str) -> Image.Image:
    """Draw stripes, and below them two as light as each other: else it might be of one ink."""
    colors += ("#7fb2dd", "#d6a56f")
    picture = Image.new("RGB", (120, 60 * len(colors)))
    for number, color in enumerate(colors):
        picture.paste(color, (0, 60 * number, 120, 60 * number + 60))
    return picture


def test_what_has_one_color_has_one_color_in_a_scheme(painter):
    # Letters of one red far apart, on grounds of another color.
    picture = flag("#0b3c5d", "#c1121f", "#e9c46a", "#c1121f", "#2a9d8f")
    after = np.asarray(painter.recolor(picture, SCHEME))
    np.testing.assert_array_equal(after[60:120], after[180:240])
    for row in range(0, picture.height, 60):
        assert np.ptp(after[row : row + 60], axis=(0, 1)).max() == 0
    assert not (after == np.asarray(picture)).all(axis=(1, 2))[::60].any()
    np.testing.assert_allclose(lab_of(after)[..., 0], lab_of(picture)[..., 0], atol=2.5)


def test_a_scheme_has_its_colors_and_strength_is_the_way_there(painter):
    painted = [
        np.asarray(painter.recolor(POSTER, replace(SCHEME, strength=strength)))
        for strength in (0.0, 0.5, 1.0)
    ]
    own, half, whole = map(lab_of, painted)
    np.testing.assert_array_equal(own, lab_of(POSTER))
    way, gone = (one[..., 1:] - own[..., 1:] for one in (whole, half))
    # Where sRGB lacks the color, the way ends earlier.
    far = (np.hypot(*np.moveaxis(way, -1, 0)) > 15) & ((painted[2] > 2) & (painted[2] < 253)).all(
        -1
    )
    share = (way * gone).sum(axis=-1)[far] / (way**2).sum(axis=-1)[far]
    assert far.mean() > 0.2 and np.median(share) == pytest.approx(0.5, abs=0.08)
    colored = np.hypot(*np.moveaxis(whole[..., 1:], -1, 0)) > 20
    hue = np.degrees(np.arctan2(whole[..., 2], whole[..., 1]))[colored] % 360
    teal, orange = (lab_of(np.uint8([[rgb]]))[0, 0, 1:] for rgb in ((15, 76, 92), (242, 140, 40)))
    targets = [np.degrees(np.arctan2(*ab[::-1])) % 360 for ab in (teal, orange)]
    away = np.min([np.abs((hue - one + 180) % 360 - 180) for one in targets], axis=0)
    assert colored.mean() > 0.2 and np.quantile(away, 0.9) < 25


def test_swatches_are_given_what_their_pixels_say_together():
    """One swatch at a time, by the formulas."""
    recolorer = Recolorer(find_weights("unet"), None)
    seen = recolorer.painter().see(POSTER, SCHEME)
    palette = Palette.of_colors("#0f4c5c,#f28c28", 0.2)
    table = np.concatenate([palette.shares[:, None], palette.colors], axis=1)
    swatches, outputs = seen.swatches, ops.convert_to_tensor(seen.look.answer["outputs"])
    members = swatches.memberships(swatches.pixels)
    # So that no swatch is empty.
    members += np.float32(1e-3)
    count, zeros = len(swatches.shares), np.zeros(len(swatches.shares), np.float32)
    box = np.int32([seen.look.box.top, seen.look.box.left, *seen.look.lightness.shape])
    found = recolorer.assign(outputs, box, members, zeros, np.float32(0), table, 0.3, 0.7)["colors"]

    chosen, wanted, colors = recolorer._classes_of(ops.convert_to_tensor(table))
    logits = ops.convert_to_numpy(recolorer.kind.logits(recolorer._some(outputs, box, 48), chosen))
    means = np.stack([np.average(logits, axis=0, weights=members[:, k]) for k in range(count)])
    offsets = palette_offsets(
        means[None], ops.convert_to_numpy(wanted)[None], members.sum(axis=0)[None]
    )[0]
    expected = ops.convert_to_numpy(annealed_mean(means + offsets, colors, 0.3))
    moves = transfer_moves(members @ expected, palette.shares, palette.colors)
    expected = ops.convert_to_numpy(move(np.float32(expected), moves, 0.7))
    np.testing.assert_allclose(found, expected, atol=0.5)


def test_paper_stays_and_is_recolored_where_nothing_is_locked(painter):
    picture = flag("white", "#c1121f", "#0b3c5d")
    scheme = replace(SCHEME, palette="#7b2cbf,#ffd166")
    after = np.asarray(painter.recolor(picture, scheme))
    assert (after[:60] == 255).all()
    light = Image.blend(POSTER, Image.new("RGB", POSTER.size, "white"), 0.6)
    paper = paperness(lab_of(light)) > 0.8
    kept, freed = (
        np.hypot(*lab_of(painter.recolor(light, replace(scheme, lock=lock)))[paper][:, 1:].T)
        for lock in (("neutrals",), ("none",))
    )
    assert paper.mean() > 0.01 and 4 * kept.mean() < freed.mean()


def test_a_locked_color_stays_and_an_assigned_one_is_as_wanted(painter):
    picture = flag("#0b3c5d", "#c1121f", "#e9c46a")
    way = replace(SCHEME, lock=parse_locks(["#c1121f"]), assign=parse_assignments(["gold=#2a9d8f"]))
    after = np.asarray(painter.recolor(picture, way))
    np.testing.assert_allclose(after[60:120], np.asarray(picture)[60:120], atol=1)
    expected = lab_of(np.uint8([[[0x2A, 0x9D, 0x8F]]]))[0, 0, 1:]
    np.testing.assert_allclose(lab_of(after[130, 5][None, None])[0, 0, 1:], expected, atol=3)


@pytest.mark.parametrize("palette", ["source", "#0f4c5c,#f28c28"])
def test_a_hint_on_a_letter_recolors_its_swatch_and_nothing_else(painter, palette):
    picture = flag("#7fb2dd", "#0b3c5d", "#d16ba5", "#0b3c5d")
    way = replace(SCHEME, palette=palette)
    before = lab_of(painter.recolor(picture, way))
    hinted = lab_of(painter.recolor(picture, replace(way, hint=parse_hints(["60,150=#c1121f"]))))
    red = lab_of(np.uint8([[[0xC1, 0x12, 0x1F]]]))[0, 0, 1:]
    np.testing.assert_allclose(hinted[150, 60, 1:], red, atol=12)
    others = np.r_[0:120, 180:240]
    assert deltaE_ciede2000(before[others], hinted[others]).max() < 1


def test_skin_of_faces_stays_by_default_and_gets_skins_colors_in_gray(painter):
    photo = Image.fromarray(samples.astronaut())
    mask = skin_mask(photo, find_faces(photo))
    skin = np.asarray(Image.fromarray(mask).resize(photo.size)) > 0.98
    assert skin.mean() > 0.02
    scheme = Decoding(restore=0.0, palette="#7b2cbf,#2a9d8f")
    kept, freed = (
        lab_of(painter.recolor(photo, replace(scheme, lock=lock))) for lock in ((), ("neutrals",))
    )
    leak = deltaE_ciede2000(lab_of(photo), kept)[skin]
    assert np.quantile(leak, 0.95) < 2 < np.median(deltaE_ciede2000(lab_of(photo), freed)[skin])
    own = replace(scheme, palette="source", vividness=0, assign=parse_assignments(["#c08060=teal"]))
    changed = deltaE_ciede2000(lab_of(photo), lab_of(painter.recolor(photo, own)))
    assert np.quantile(changed[skin], 0.95) < 2 and changed.max() > 20
    gray = photo.convert("L").convert("RGB")
    a, b = np.moveaxis(lab_of(painter.recolor(gray, replace(scheme, lock=("skin",))))[skin], -1, 0)[
        1:
    ]
    assert 0 < np.median(a) < 30 and 5 < np.median(b) < 35


def test_changes_name_the_swatches_and_what_each_becomes(painter):
    picture = flag("#0b3c5d", "#c1121f", "white")
    seen = painter.see(picture, SCHEME)
    palette = painter.palette(seen, SCHEME)
    painted, changes = painter.painted_with_changes(seen, palette, SCHEME)
    painted = np.asarray(painted)
    assert {"navy", "red", "white"} <= {before.name for before, _ in changes}
    for before, after in changes:
        old, new = (
            rgb2lab(np.uint8([int(one.color[n : n + 2], 16) for n in (1, 3, 5)]) / 255)
            for one in (before, after)
        )
        there = np.linalg.norm(lab_of(picture) - old, axis=-1) < 1
        found = lab_of(painted)[there]
        assert len(found) and deltaE_ciede2000(found, np.broadcast_to(new, found.shape)).max() < 6
    assert painter.painted_with_changes(seen, None, SCHEME)[1] == []
    gray = picture.convert("L").convert("RGB")
    assert painter.painted_with_changes(painter.see(gray, SCHEME), palette, SCHEME)[1] == []


def test_colors_are_assigned_only_where_the_picture_has_some(painter):
    gray = POSTER.convert("L").convert("RGB")
    for picture, palette in ((gray, "#0f4c5c"), (POSTER, "none")):
        for way in ({"assign": parse_assignments(["red=blue"])}, {"lock": ("#c1121f",)}):
            with pytest.raises(DecodingError, match="where the picture has some"):
                painter.recolor(picture, Decoding(palette=palette, **way))
    with pytest.raises(HintError, match="outside of the picture"):
        painter.recolor(POSTER, replace(SCHEME, hint=parse_hints(["900,10=red"])))


def test_a_small_copy_with_the_swatches_of_the_whole_has_its_colors(painter):
    large = POSTER.resize((1000, 1500), Image.Resampling.NEAREST)
    whole, copy = painter.see(large, SCHEME), painter.see(POSTER, SCHEME)
    preview = replace(whole, source=copy.source, box=copy.box, poster=copy.poster)
    palette = painter.palette(whole, SCHEME)
    expected = painter.painted(whole, palette, SCHEME).resize(POSTER.size, Image.Resampling.NEAREST)
    np.testing.assert_array_equal(painter.painted(preview, palette, SCHEME), expected)
