"""Color schemes: clustered, named, ranked, kept in a file; and hints as they are typed."""

import doctest
import json
import re
from collections import Counter
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest
from matplotlib.colors import CSS4_COLORS, XKCD_COLORS, to_rgb
from skimage.color import deltaE_ciede2000, lab2rgb, rgb2lab

from recolor.datasets.classes import cell_centers, cell_index
from recolor.datasets.hints import Hint, HintError, hint_array, load_hints, parse_hints
from recolor.datasets.palettes import color_names
from recolor.datasets.palettes.color_names import WORDS, color_name
from recolor.datasets.palettes.library import PaletteLibrary, load_library
from recolor.datasets.palettes.palette import CELLS, PaletteError

RNG = np.random.default_rng(8)
HUES = {"rust": 40, "green": 140, "blue": 285}


def posters_of(hue: float, count: int) -> np.ndarray:
    """Cell counts of posters that are half neutral and half of about one color."""
    counts = np.zeros((count, CELLS))
    for row in counts:
        chroma, angle = RNG.normal(50, 8, 300), np.radians(RNG.normal(hue, 5, 300))
        ab = np.stack([chroma * np.cos(angle), chroma * np.sin(angle)], axis=-1)
        cells = cell_index(np.rint(np.concatenate([ab, np.zeros((300, 2))])).astype(int))
        row += np.bincount(cells, minlength=CELLS)
    return counts


@pytest.fixture(scope="module")
def library() -> PaletteLibrary:
    counts = np.concatenate(
        [posters_of(hue, n) for hue, n in zip(HUES.values(), (30, 20, 10), strict=True)]
    )
    mean_abl = np.column_stack([cell_centers(np.arange(CELLS)), np.full(CELLS, 50.0)])
    return PaletteLibrary.make(RNG.permutation(counts), mean_abl, "three heaps", 3)


def test_the_heaps_are_found_the_commonest_first(library):
    np.testing.assert_allclose(library.commonness, [30 / 60, 20 / 60, 10 / 60])
    for palette, (name, hue) in zip(library.palettes, HUES.items(), strict=True):
        a, b = palette.shares @ palette.colors
        assert np.degrees(np.arctan2(b, a)) % 360 == pytest.approx(hue, abs=12)
        assert name in palette.name
        assert palette.shares.sum() == pytest.approx(1, abs=1e-5)


def test_a_scheme_has_none_of_the_colors_that_its_posters_have_hardly_any_of():
    # Three pixels in four have one color, and 25 other colors share the rest.
    counts = np.zeros((20, CELLS))
    counts[:, 100], counts[:, 300:325] = 75, 1
    mean_abl = np.column_stack([cell_centers(np.arange(CELLS)), np.full(CELLS, 50.0)])
    (scheme,) = PaletteLibrary.make(counts, mean_abl, "alike", 1).palettes
    assert (scheme.shares > 0).sum() == 1 and scheme.shares.sum() == pytest.approx(1)


def test_names_are_different_and_lead_to_the_palettes(library):
    assert len(set(library.names)) == 3
    for number, name in enumerate(library.names, 1):
        assert library[name] is library[name.upper()] is library[str(number)]
    for wrong in ("plaid", "0", "4", "", "\u00b2", "9" * 5000):
        with pytest.raises(PaletteError, match="is not a palette: give colors"):
            library[wrong]


def test_what_the_network_would_give_decides_which_scheme_comes_first(library):
    for palette in library.palettes:
        ranked = library.ranked(palette.shares)
        assert ranked[0] is palette
        assert sorted(other.name for other in ranked) == sorted(library.names)


def away(one, other):
    return np.abs((one - other + 180) % 360 - 180)


def hue_of(palette) -> float:
    """The hue that most of a palette's share times chroma is near."""
    near = np.zeros(360)
    for share, (a, b) in zip(palette.shares, palette.colors, strict=True):
        if share and np.hypot(a, b) > 8:
            distance = away(np.arange(360), np.degrees(np.arctan2(b, a)))
            near += share * np.hypot(a, b) * np.exp(-0.5 * (distance / 15) ** 2)
    return int(np.argmax(near))


def mean_chroma(palette) -> float:
    return float(palette.shares @ np.hypot(*palette.colors.T))


def strongest(palette) -> float:
    return max(np.hypot(*lab(color)[1:]) for color, _ in palette.swatch)


@pytest.mark.parametrize("hue", HUES.values())
def test_what_looks_like_a_palette_beside_waits(hue, library):
    own = next(one for one in library.palettes if away(hue_of(one), hue) < 20)
    # As if the network answered with these very colors.
    ranked = library.ranked(own.shares, [own])
    assert [one.name for one in ranked[:2]] == [one.name for one in ranked if one is not own]
    assert ranked[2] is own


def test_common_schemes_come_first_only_if_nothing_is_beside(library):
    # It agrees with the picture as with posters on average.
    agreement = library.ranked(library.mean)
    assert agreement[0] is library.palettes[0]
    others = [
        replace(library, commonness=library.commonness[order]) for order in ([0, 2, 1], [2, 1, 0])
    ]
    gray = load_library().palettes[load_library().names.index("brown and gray")]
    assert strongest(gray) < 40
    expected = [one.name for one in library.ranked(library.mean, [gray])]
    for other in others:
        assert [one.name for one in other.ranked(library.mean, [gray])] == expected


def test_the_first_suggestions_differ_in_hue_and_vary_with_the_picture():
    library = load_library()
    suggested: Counter[str] = Counter()
    # As if posters had each scheme's colors, and the network half recognized it.
    for own in library.palettes:
        ranked = library.ranked(0.5 * library.mean + 0.5 * own.shares, [own])
        suggested.update(palette.name for palette in ranked[:2])
        for one, other in combinations([own, *ranked[:2]], 2):
            neutral = mean_chroma(one) < 8 or mean_chroma(other) < 8
            assert neutral or away(hue_of(one), hue_of(other)) >= 39
    assert max(suggested.values()) <= len(library.palettes) / 3 < len(suggested)


def test_a_file_gives_back_what_was_saved(library, tmp_path):
    library.save(tmp_path / "library.json")
    again = PaletteLibrary.load(tmp_path / "library.json")
    assert again.names == library.names and again.origin == "three heaps"
    np.testing.assert_allclose(again.mean, library.mean, atol=1e-6)
    for saved, read in zip(library.palettes, again.palettes, strict=True):
        assert saved.distance(read) < 0.1
        assert [color for color, _ in read.swatch] == [color for color, _ in saved.swatch]


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "[]",
        "{}",
        '{"format": 2, "schemes": [{}]}',
        '{"format": 1}',
        '{"format": 0}',
        '{"format": 2, "schemes": [], "origin": ""}',
        b"\xff\xfe",
        "[" * 100_000 + "]" * 100_000,
        '{"format": 2, "schemes": ' + "[" * 500 + "]" * 500 + "}",
        json.dumps({"format": 2, "schemes": [{}] * 257}),
    ],
)
def test_files_that_are_no_library(content, tmp_path):
    file = tmp_path / "library.json"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(PaletteError, match=str(file)):
        PaletteLibrary.load(file)


def test_a_library_with_too_many_schemes_is_refused_by_their_number(library, tmp_path):
    file = tmp_path / "library.json"
    library.save(file)
    content = json.loads(file.read_text())
    content["schemes"] = content["schemes"][:1] * 2000
    file.write_text(json.dumps(content))
    with pytest.raises(PaletteError, match="has 2000 schemes: keep at most 256"):
        PaletteLibrary.load(file)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("shares", -1), ("shares", float("nan")), ("cells", -1), ("cells", 10**30), ("cells", 1024),
        ("colors", [float("nan"), 0]), ("colors", [900, 0]), ("swatch", ["red", 0.5]),
        ("swatch", ["#ff0000", -1]), ("commonness", 0), ("commonness", float("nan")),
        ("name", "Blue and NAME"), ("mean", [1]), ("mean", [-1] + [1] * 1023), ("mean", [0] * 1024),
    ],
)  # fmt: skip
def test_a_library_with_broken_values(key, value, library, tmp_path):
    file = tmp_path / "library.json"
    library.save(file)
    content = json.loads(file.read_text())
    first, second = content["schemes"][:2]
    if key == "name":
        first[key], second[key] = value, value.lower()
    elif key == "mean":
        content[key] = value
    elif key == "commonness":
        first[key] = value
    else:
        first[key][0] = value
    file.write_text(json.dumps(content))
    with pytest.raises(PaletteError, match="is not a palette library"):
        PaletteLibrary.load(file)


def test_too_few_posters(library):
    mean_abl = np.column_stack([cell_centers(np.arange(CELLS)), np.full(CELLS, 50.0)])
    counts = np.concatenate([posters_of(40, 2), np.zeros((30, CELLS))])
    counts[2:, cell_index(np.zeros(2, int))] = 1
    with pytest.raises(
        PaletteError, match=r"^32 posters, 2 of them with color, are too few for 3 "
    ):
        PaletteLibrary.make(counts, mean_abl, "mostly gray", 3)


def test_the_library_that_comes_along():
    library = load_library()
    assert 36 <= len(library.palettes) <= 48
    assert len(set(library.names)) == len(library.palettes)
    assert all(2 <= len(palette.swatch) <= 6 for palette in library.palettes)
    assert "9000 training posters" in library.origin
    assert list(library.commonness) == sorted(library.commonness, reverse=True)
    assert sum(strongest(palette) < 40 for palette in library.palettes) <= 5
    # Two typed colors that hardly anyone tells apart, half of each scheme, are about 3 apart.
    pairs = combinations(library.palettes, 2)
    assert min(one.distance(other) for one, other in pairs) > 3


def lab(color: str) -> np.ndarray:
    return rgb2lab(np.array(to_rgb(color)))


def called(word: str) -> np.ndarray:
    """What people (xkcd's survey) or CSS call by a word, light, dark, ...: Lab ``[n, 3]``."""
    kinds = "light|dark|pale|bright|deep|dusty|dull|muted|medium|vivid|strong|faded|dirty"
    pattern = re.compile(f"(xkcd:)?(very )?(({kinds}) ?)?{word.replace(' ', ' ?')}( blue)?")
    known = {**CSS4_COLORS, **XKCD_COLORS}
    return np.stack([lab(color) for name, color in known.items() if pattern.fullmatch(name)])


def far_from_its_words(palette, words: list[str], most: float = 15) -> list[str]:
    """Return which words of a palette's name no color of its swatch is near, by CIEDE2000."""
    swatch = np.stack([lab(color) for color, _ in palette.swatch])
    return [
        word for word in words if deltaE_ciede2000(swatch[:, None], called(word)[None]).min() > most
    ]


def test_names_say_which_colors_a_scheme_has():
    for palette in load_library().palettes:
        words = re.split(", | and ", palette.name)
        assert 2 <= len(words) <= 3 and all(word.isalpha() or " " in word for word in words)
        assert not far_from_its_words(palette, words), palette.name


def test_names_that_lied_are_found():
    """Schemes of an earlier library, with their names then."""
    for name, swatch, far in (
        ("teal and sky blue", "#658e90 #686463", ["sky blue"]),
        ("beige and green", "#9b9a83 #4c4b50", ["green"]),
        ("brown and pink", "#4c4b50 #785447 #732b2f #584966", ["pink"]),
    ):
        palette = replace(load_library().palettes[0], swatch=[(one, 0.1) for one in swatch.split()])
        assert far_from_its_words(palette, name.split(" and ")) == far


def test_colors_have_the_words_that_people_use():
    assert doctest.testmod(color_names).failed == 0
    expected = {
        "#000000": "black", "#808080": "gray", "#ffffff": "white", "#ff0000": "red",
        "#ffa500": "orange", "#ffff00": "yellow", "#008000": "green", "#008080": "teal",
        "#0000ff": "blue", "#800080": "purple", "#ff69b4": "pink", "#8b4513": "brown",
        "#87ceeb": "sky blue", "#000080": "navy", "#ffbf00": "amber", "#dc143c": "crimson",
    }  # fmt: skip
    assert {color: color_name(color) for color in expected} == expected
    known = {word: called(word) for word in WORDS}
    for levels in product(range(0, 256, 51), repeat=3):
        color = "#{:02x}{:02x}{:02x}".format(*levels)
        word = color_name(color)
        if word in known:
            assert deltaE_ciede2000(lab(color)[None], known[word]).min() < 16, (color, word)


def test_hints_are_points_and_colors():
    hints = parse_hints(("12,30=#ff0000", " 50%, 100% = neutral", "0,0=white"))
    rows = hint_array(hints, width=48, height=60)
    np.testing.assert_allclose(rows[:, :2], [[0.25, 0.5], [0.5, 1], [0, 0]])
    rgb = lab2rgb([[[53.24, *rows[0, 2:]]]])[0, 0]
    np.testing.assert_allclose(rgb, [1, 0, 0], atol=0.03)
    np.testing.assert_array_equal(rows[1:, 2:], 0)
    assert hint_array((), 5, 5).shape == (0, 4)


@pytest.mark.parametrize(
    "text",
    ["12,30", "12=red", "a,b=red", "1,2,3=red", "1,2=plaid", "=", "1,2=", "-1,1=red", "101%,1=red"],
)
def test_hints_that_are_none(text):
    with pytest.raises(HintError, match="hint"):
        Hint.parse(text)


@pytest.mark.parametrize("text", ["49,1=red", "1,61=red"])
def test_hints_outside_of_the_picture(text):
    with pytest.raises(HintError, match="outside of the picture of 48x60"):
        hint_array((Hint.parse(text),), 48, 60)
    with pytest.raises(HintError, match=re.escape(f"the hint at {text[:-4]} lies")):
        hint_array((Hint.parse(text),), 48, 60)


def test_a_file_of_hints(tmp_path):
    file = tmp_path / "hints.json"
    file.write_text('{"a.jpg": ["1,2=red", "3,4=neutral"], "deep/b.jpg": []}')
    assert {name: len(hints) for name, hints in load_hints(file).items()} == {
        "a.jpg": 2, "deep/b.jpg": 0
    }  # fmt: skip
    for content, words in (
        ("{", "not a JSON"),
        ("[1]", "form"),
        ('{"a": "1,2=red"}', "form"),
        ('{"a.jpg": ["1=red"]}', "hints.json, a.jpg: '1=red' is not a hint"),
    ):
        file.write_text(content)
        with pytest.raises(HintError, match=words):
            load_hints(file)
    with pytest.raises(HintError, match="can't be read"):
        load_hints(tmp_path / "missing.json")
