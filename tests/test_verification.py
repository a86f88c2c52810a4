"""`recolor verify`: what is damaged is found, and made again byte for byte."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from recolor.datasets.preparation import prepare
from recolor.platform.cli.main import main


@pytest.fixture
def copy(manifest, tmp_path) -> Path:
    return Path(shutil.copytree(manifest.folder, tmp_path / "copy"))


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != ".lock"}


def verify(*arguments):
    return CliRunner().invoke(main, ["verify", *map(str, arguments)])


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 1
    file.write_bytes(data)


def test_a_whole_data_set(copy):
    result = verify(copy)
    assert result.exit_code == 0 and "is whole: 4 files" in result.output


@pytest.mark.parametrize("damage", [flip, Path.unlink], ids=["flipped bit", "missing"])
@pytest.mark.parametrize("name", ["train-00000-of-00001.tfrecord", "posters.csv"])
def test_a_damaged_file_is_found_and_made_again(copy, posters, name, damage):
    before = contents(copy)
    damage(copy / name)
    result = verify(copy)
    assert result.exit_code == 1
    assert name in result.output and "1 of 4 files are missing or damaged" in result.output
    result = verify(copy, "--repair", posters[0].parent)
    assert result.exit_code == 0, result.output
    assert contents(copy) == before


def test_embeddings_are_made_again_too(posters, tmp_path):
    sources, data = tmp_path / "posters", tmp_path / "data"
    sources.mkdir()
    for poster in posters[:5]:
        shutil.copy(poster, sources)
    prepare(
        [sources], data, size=16, split=(5, 0, 0), embedding="efficientnet-lite0", seed=0, workers=1
    )
    before = contents(data)
    flip(data / "train-00000-of-00001.tfrecord")
    result = verify(data, "--repair", sources)
    assert result.exit_code == 0, result.output
    assert contents(data) == before


def test_several_shards_at_once(copy, posters):
    before = contents(copy)
    for file in copy.glob("t*.tfrecord"):
        flip(file)
    assert verify(copy, "--repair", posters[0].parent).exit_code == 0
    assert contents(copy) == before


def test_what_can_not_be_made_again(copy, posters, tmp_path):
    sources = Path(shutil.copytree(posters[0].parent, tmp_path / "posters"))
    flip(copy / "train-00000-of-00001.tfrecord")
    damaged = contents(copy)
    victim = next(
        line.split(",")[1]
        for line in (copy / "posters.csv").read_text().splitlines()
        if line.startswith("train")
    )
    with Image.open(sources / victim) as image:
        image.rotate(180).save(sources / victim)
    result = verify(copy, "--repair", sources)
    assert result.exit_code == 1 and f"{victim} has changed" in result.output
    (sources / victim).unlink()
    result = verify(copy, "--repair", sources)
    assert result.exit_code == 1 and f"{victim} is not among the images" in result.output
    assert contents(copy) == damaged
    flip(copy / "posters.csv")
    result = verify(copy, "--repair", posters[0].parent)
    assert result.exit_code == 1 and "prepare the data set again" in result.output


def test_no_data_set(tmp_path):
    result = verify(tmp_path)
    assert result.exit_code == 1 and "not a whole data set" in result.output
