"""Demo posters: reproducible files, two eras, and colors that follow from what is drawn."""

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab

from recolor.datasets.demo_posters import draw_poster, generate_demo_posters


def mean_lab(image: Image.Image) -> np.ndarray:
    """The mean lightness, a and b, and chroma of a picture's thumbnail."""
    lab = rgb2lab(np.asarray(image.resize((48, 48), Image.BOX)))
    return np.append(lab.mean(axis=(0, 1)), np.hypot(lab[..., 1], lab[..., 2]).mean())


@pytest.fixture(scope="module")
def pairs() -> list[tuple[str, Image.Image, Image.Image]]:
    """Twenty genres with their modern and old pictures: each genre at least twice."""
    modern = [draw_poster(5, index, "modern") for index in range(20)]
    return [(genre, new, draw_poster(5, k, "old")[1]) for k, (genre, new) in enumerate(modern)]


@pytest.mark.parametrize("era", ["modern", "old"])
def test_files_depend_on_the_seed_and_not_on_the_count(tmp_path, era):
    few = list(generate_demo_posters(tmp_path / "few", 3, era, seed=7))
    more = list(generate_demo_posters(tmp_path / "more", 5, era, seed=7))
    other = list(generate_demo_posters(tmp_path / "other", 3, era, seed=8))

    assert [path.name for path in few] == [path.name for path in more[:3]]
    assert [path.read_bytes() for path in few] == [path.read_bytes() for path in more[:3]]
    for one, another in zip(few, other, strict=True):
        assert one.read_bytes() != another.read_bytes()


def test_only_finished_jpegs_are_left_named_by_genre_and_number(tmp_path):
    paths = []
    for path in generate_demo_posters(tmp_path / "a" / "b", 3, "modern", seed=0):
        with Image.open(path) as image:  # a path is given when its file is complete
            assert image.format == "JPEG"
        paths.append(path)

    assert [path.name for path in paths] == ["western-0000.jpg", "space-0001.jpg", "sea-0002.jpg"]
    assert sorted((tmp_path / "a" / "b").iterdir()) == sorted(paths)


def test_sizes_vary_and_portraits_outnumber_landscapes(pairs):
    sizes = [modern.size for _, modern, _ in pairs]
    portraits = sum(width < height for width, height in sizes)

    assert len(set(sizes)) > 15
    assert all(240 <= min(size) <= 420 for size in sizes)
    assert 10 < portraits < 20


def test_an_old_poster_is_the_modern_one_with_paler_colors(pairs):
    for genre, modern, old in pairs:
        assert old.size == modern.size
        new_gray, old_gray = (np.asarray(i.convert("L"), float).ravel() for i in (modern, old))
        assert np.corrcoef(new_gray, old_gray)[0, 1] > 0.8, genre
        assert old_gray.std() < new_gray.std(), genre
    new, old = (np.mean([mean_lab(pair[which]) for pair in pairs], axis=0) for which in (1, 2))
    assert old[3] < 0.9 * new[3]


def test_modern_posters_are_colorful(pairs):
    drawn = [mean_lab(modern)[3] for genre, modern, _ in pairs if genre not in ("photo", "noir")]
    assert min(drawn) > 15


def test_colors_follow_from_the_genre():
    """In every seed alike: a sea is bluer than a western, a forest greener than a horror poster."""
    lab = {}
    for seed in range(4):
        for index in range(8):
            genre, image = draw_poster(seed, index, "modern")
            lab.setdefault(genre, []).append(mean_lab(image))
    low, high = ({g: f(v, axis=0) for g, v in lab.items()} for f in (np.min, np.max))

    assert high["sea"][2] < 0 < 20 < low["western"][2]
    assert high["forest"][1] < 0 < 15 < low["horror"][1]
    assert low["romance"][1] > 15 > high["winter"][1]
    assert high["space"][0] < low["winter"][0]
