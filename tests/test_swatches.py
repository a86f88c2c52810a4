"""Swatches of a picture, and pictures whose swatches get other colors."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage.color import deltaE_ciede2000, lab2rgb, rgb2lab

from recolor.datasets.assignments import (
    Assignment,
    AssignmentError,
    LockError,
    parse_assignments,
    parse_locks,
)
from recolor.datasets.color import rgb_to_lab8
from recolor.datasets.demo_posters import draw_poster
from recolor.datasets.swatches import FINE, STEPS, WIDTH, Swatches
from recolor.models.color_table import paperness, recolored

POSTER = draw_poster(3, 1, "modern")[1]


def lab_of(picture) -> np.ndarray:
    return rgb2lab(np.asarray(picture)).reshape(-1, 3)


def flag(*colors: str) -> Image.Image:
    """Stripes of equal height."""
    picture = Image.new("RGB", (60, 20 * len(colors)))
    draw = ImageDraw.Draw(picture)
    for number, color in enumerate(colors):
        draw.rectangle((0, 20 * number, 60, 20 * number + 19), fill=color)
    return picture


def test_a_flag_has_the_swatches_of_its_stripes():
    swatches = Swatches.of(flag("#c1121f", "#0b3c5d", "white", "#c1121f"))
    assert [(one.color, one.share, one.name) for one in swatches.merged] == [
        ("#c1121f", 0.5, "red"), ("#0b3c5d", 0.25, "navy"), ("#ffffff", 0.25, "white"),
    ]  # fmt: skip


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (300, 451)])
def test_any_picture_has_swatches_always_the_same(size):
    picture = POSTER.resize(size)
    swatches, again = Swatches.of(picture), Swatches.of(picture)
    np.testing.assert_array_equal(swatches.centers, again.centers)
    assert 1 <= len(swatches.shares) <= FINE and swatches.shares.sum() == pytest.approx(1)
    assert 1 <= len(swatches.merged) <= 10
    shares = [one.share for one in swatches.merged]
    assert shares == sorted(shares, reverse=True) and sum(shares) == pytest.approx(1)


def test_every_pixel_is_near_a_swatch():
    swatches = Swatches.of(POSTER)
    away = np.linalg.norm((lab_of(POSTER)[:, None] - swatches.centers) / STEPS, axis=-1)
    assert np.median(away.min(axis=-1)) < 0.5


def test_memberships_are_a_softmax_of_distances():
    swatches = Swatches.of(POSTER)
    lab = lab_of(POSTER)[::997].astype(np.float32)
    for color, found in zip(lab, swatches.memberships(lab), strict=True):
        weights = [
            np.exp(-np.sum(((color - center) / STEPS) ** 2) / (2 * WIDTH**2))
            for center in swatches.centers.astype(float)
        ]
        if sum(weights) > 1e-30:
            np.testing.assert_allclose(found, np.array(weights) / sum(weights), atol=1e-3)
    far = swatches.memberships(np.float32([[50, 120, -120]]))
    assert far.sum() == pytest.approx(1)


def amounts(swatches: Swatches, value: float) -> np.ndarray:
    return np.full((2, len(swatches.shares)), value, np.float32)


def test_swatches_that_keep_their_colors_leave_the_picture_as_it_is():
    swatches = Swatches.of(POSTER)
    other = np.tile(np.float32([60, 40]), (len(swatches.shares), 1))
    assert recolored(POSTER, swatches, other, amounts(swatches, 0)) is POSTER
    # A little of a color that nothing has.
    some = amounts(swatches, 0)
    some[:, -1] = 1e-9
    np.testing.assert_array_equal(recolored(POSTER, swatches, other, some), POSTER)


def test_a_swatch_takes_its_new_color_and_others_stay():
    picture = flag("#c1121f", "#0b3c5d", "#808080", "white")
    swatches = Swatches.of(picture)
    colors, some = swatches.centers[:, 1:].copy(), amounts(swatches, 0)
    chosen = swatches.nearest((200, 20, 30))
    assert chosen.sum() == 1
    colors[chosen], some[:, chosen] = (-30, 10), 1
    after = np.asarray(recolored(picture, swatches, colors, some))
    red, blue, gray, white = (rgb2lab(after[20 * row + 10, 5] / 255) for row in range(4))
    before = lab_of(picture)[5 * 60]
    np.testing.assert_allclose(red, [before[0], -30, 10], atol=1.5)
    np.testing.assert_array_equal(after[30:], np.asarray(picture)[30:])
    assert np.hypot(*gray[1:]) < 1 and np.hypot(*white[1:]) < 1 and blue[2] < -20


def test_the_table_is_the_formula_at_every_pixel():
    swatches = Swatches.of(POSTER)
    rng = np.random.default_rng(0)
    colors = rng.uniform(-20, 20, (len(swatches.shares), 2)).astype(np.float32)
    some = rng.uniform(0, 1, (2, len(swatches.shares))).astype(np.float32)
    small = POSTER.resize((40, 60), Image.Resampling.NEAREST)
    lab = lab_of(small).astype(np.float32)
    paper = paperness(lab)[:, None]
    weights = swatches.memberships(lab) * (paper * some[0] + (1 - paper) * some[1])
    ab = lab[:, 1:] + (weights[..., None] * (colors - lab[:, None, 1:])).sum(axis=1)
    expected = np.concatenate([lab[:, :1], ab], axis=1)
    found = lab_of(recolored(small, swatches, colors, some))
    inside = np.abs(lab2rgb(expected) - 0.5).max(axis=-1) < 0.49
    difference = deltaE_ciede2000(found, expected)[inside]
    # Between the table's nodes, colors are interpolated.
    assert inside.mean() > 0.3 and np.median(difference) < 1 and np.quantile(difference, 0.95) < 5


def test_paper_is_light_and_has_hardly_any_chroma():
    lab = np.array([[100, 0, 0], [95, 1, 2], [95, 0, 20], [65, 0, 0], [75, 0, 0]])
    expected = [1, np.exp(-((5 / 49) ** 4)), 0, 0, 0.5]
    np.testing.assert_allclose(paperness(lab), expected, atol=1e-9)


def test_white_paper_stays_beside_strong_colors():
    """Off-white, noise of a scan included, does not take a tint of what the colors become."""
    noise = np.random.default_rng(0).integers(0, 5, (40, 40, 3))
    paper = Image.fromarray(np.uint8([255, 253, 249] - noise))
    paper.paste("#0b3c5d", (0, 0, 40, 20))
    swatches = Swatches.of(paper)
    gold = np.tile(np.float32([10, 80]), (len(swatches.shares), 1))
    amounts = np.stack([np.zeros(len(gold)), np.ones(len(gold))]).astype(np.float32)
    before, after = (
        rgb2lab(np.asarray(picture))[20:]
        for picture in (paper, recolored(paper, swatches, gold, amounts))
    )
    # Rounding alone makes up to 1 of it.
    assert deltaE_ciede2000(before, after).max() < 2


def test_assignments_and_locks_are_parsed():
    assert Assignment.parse(" #8a1c1c = orange ") == Assignment(
        (138, 28, 28), tuple(rgb_to_lab8(np.uint8([255, 165, 0]))[1].tolist())
    )
    assert parse_locks(["Neutrals", "none", "#C11", "navy"]) == (
        "neutrals", "none", "#cc1111", "#000080",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("parse", "error", "text", "message"),
    [
        (parse_assignments, AssignmentError, "#8a1c1c", "is not an assignment: type COLOR=COLOR"),
        (parse_assignments, AssignmentError, "#8a1c1c=plaid", "'plaid' is not a color"),
        (parse_assignments, AssignmentError, "=red", "'' is not a color"),
        (parse_locks, LockError, "plaid", "lock 'plaid' is not a color"),
    ],
)
def test_what_is_typed_wrong_is_said(parse, error, text, message):
    with pytest.raises(error, match=message):
        parse([text])
    with pytest.raises(error, match="are too many for a picture: at most 100"):
        parse([text] * 101)
