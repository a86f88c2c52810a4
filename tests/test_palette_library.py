"""Color schemes: clustered, named, ranked, kept in a file; and hints as they are typed."""

import doctest
import json
import re

import numpy as np
import pytest
from skimage.color import lab2rgb

from recolor.datasets.classes import cell_centers, cell_index
from recolor.datasets.hints import Hint, HintError, hint_array, load_hints, parse_hints
from recolor.datasets.palettes import color_names
from recolor.datasets.palettes.color_names import color_name
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
    for make in (PaletteLibrary.make, PaletteLibrary.of_clusters):
        (scheme,) = make(counts, mean_abl, "alike", 1).palettes
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


def test_a_file_gives_back_what_was_saved(library, tmp_path):
    library.save(tmp_path / "library.json")
    again = PaletteLibrary.load(tmp_path / "library.json")
    assert again.names == library.names and again.origin == "three heaps"
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
        '{"format": 1, "schemes": [{}]}',
        '{"format": 0}',
        '{"format": 1, "schemes": [], "origin": ""}',
        b"\xff\xfe",
    ],
)
def test_files_that_are_no_library(content, tmp_path):
    file = tmp_path / "library.json"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(PaletteError, match=str(file)):
        PaletteLibrary.load(file)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("shares", -1), ("shares", float("nan")), ("cells", -1), ("cells", 10**30), ("cells", 1024),
        ("colors", [float("nan"), 0]), ("colors", [900, 0]), ("swatch", ["red", 0.5]),
        ("swatch", ["#ff0000", -1]), ("commonness", 0), ("commonness", float("nan")),
        ("name", "Blue and NAME"),
    ],
)  # fmt: skip
def test_a_library_with_broken_values(key, value, library, tmp_path):
    file = tmp_path / "library.json"
    library.save(file)
    content = json.loads(file.read_text())
    first, second = content["schemes"][:2]
    if key == "name":
        first[key], second[key] = value, value.lower()
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
    with pytest.raises(PaletteError, match="^32 posters, 2 of them with color, are too few for 3 "):
        PaletteLibrary.make(counts, mean_abl, "mostly gray", 3)
    assert len(PaletteLibrary.of_clusters(counts, mean_abl, "mostly gray", 3).palettes) == 3
    with pytest.raises(PaletteError, match="2 posters are too few for 3"):
        PaletteLibrary.of_clusters(counts[:2], mean_abl, "few", 3)


def test_the_library_that_comes_along():
    library = load_library()
    assert 16 <= len(library.palettes) <= 48
    assert len(set(library.names)) == len(library.palettes)
    assert all(2 <= len(palette.swatch) <= 6 for palette in library.palettes)
    assert "9000 training posters" in library.origin
    assert list(library.commonness) == sorted(library.commonness, reverse=True)


def test_colors_have_the_words_that_people_use():
    assert doctest.testmod(color_names).failed == 0
    expected = {
        "#000000": "black", "#808080": "gray", "#ffffff": "white", "#ff0000": "red",
        "#ffa500": "orange", "#ffff00": "yellow", "#008000": "green", "#008080": "teal",
        "#0000ff": "blue", "#800080": "purple", "#ff69b4": "pink", "#8b4513": "brown",
        "#87ceeb": "sky blue",
    }  # fmt: skip
    assert {color: color_name(color) for color in expected} == expected


def test_hints_are_points_and_colors():
    hints = parse_hints(("12,30=#ff0000", " 50%, 100% = neutral", "0,0=white"))
    rows = hint_array(hints, width=48, height=60)
    np.testing.assert_allclose(rows[:, :2], [[0.25, 0.5], [0.5, 1], [0, 0]])
    rgb = lab2rgb([[[53.24, *rows[0, 2:]]]])[0, 0]
    np.testing.assert_allclose(rgb, [1, 0, 0], atol=0.03)
    np.testing.assert_array_equal(rows[1:, 2:], 0)
    assert hint_array((), 5, 5).shape == (0, 4)


@pytest.mark.parametrize(
    "text", ["12,30", "12=red", "a,b=red", "1,2,3=red", "1,2=plaid", "=", "1,2="]
)
def test_hints_that_are_none(text):
    with pytest.raises(HintError, match="hint"):
        Hint.parse(text)


@pytest.mark.parametrize("text", ["49,1=red", "1,61=red", "-1,1=red", "101%,1=red"])
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
