"""What people type becomes a decoding: which of words, schemes, files and colors wins."""

from pathlib import Path

import pytest
from PIL import Image

from recolor.datasets.palettes.library import load_library
from recolor.models.decoding.typed import decoding_here, typed_decoding

LIBRARY = load_library()


def here(text):
    return decoding_here({"palette": text}, LIBRARY).palette


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def picture(name: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 60), "#0b3c5d").save(name, "PNG")


@pytest.mark.parametrize(
    "name", ["Films, old/ok.jpg", "poster #3.png", "#1/a.png", "red,blue", "teal", "orange:3"]
)
def test_a_picture_wins_over_colors_that_its_path_looks_like(name):
    picture(name)
    assert here(name).name == "those of another picture"
    assert here(Path(name)).name == "those of another picture"


def test_a_folder_does_not(folder):
    """README writes results to folders of such names."""
    picture("teal/a.png")
    picture("teal/b.png")
    assert here("teal") == "teal"
    assert here("./teal").name == "those of 2 pictures"


@pytest.mark.parametrize("name", ["source", "auto", "none", LIBRARY.names[0], "1"])
def test_words_and_schemes_win_over_pictures(name):
    picture(name)
    assert here(name) == name


@pytest.mark.parametrize("text", ["teal,plaid", "no, such/file.jpg", "x#" * 5000, "a\0#"])
def test_colors_that_are_no_file_are_colors_typed_wrong(text):
    with pytest.raises(ValueError, match=r"is not a color"):
        here(text)


def test_what_a_server_is_sent_is_no_file_of_its_own():
    picture("red,blue")
    decoding = typed_decoding({"palette": "red,blue"}, LIBRARY, lambda text: pytest.fail(text))
    assert decoding.palette == "red,blue"
