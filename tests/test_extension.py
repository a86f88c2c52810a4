"""`recolor prepare --extend`: new posters are trained on, and nothing else changes."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from recolor.datasets.classes import count_cells
from recolor.datasets.demo_posters import generate_demo_posters
from recolor.datasets.extension import extend
from recolor.datasets.input_pipeline import Posters
from recolor.datasets.listing import read_listing
from recolor.datasets.manifest import DatasetError, Manifest
from recolor.datasets.preparation import prepare
from recolor.datasets.splits import SPLITS
from recolor.datasets.verification import damaged_files
from recolor.platform.cli.main import main


@pytest.fixture(scope="module")
def more(tmp_path_factory) -> list[Path]:
    """Twelve posters that the data set does not have."""
    return list(generate_demo_posters(tmp_path_factory.mktemp("more"), 12, "modern", seed=77))


@pytest.fixture
def copy(manifest, tmp_path) -> Path:
    return Path(shutil.copytree(manifest.folder, tmp_path / "copy"))


def members(manifest: Manifest, split: str) -> list[str]:
    return [str(poster["sha256"]) for poster in Posters(manifest, split)]


def test_new_posters_are_trained_on_and_nothing_else_changes(manifest, copy, more):
    before = {file.name: file.read_bytes() for file in copy.glob("*.tfrecord")}
    extended = extend([more[0].parent], copy, workers=2)
    larger = Manifest.load(copy)
    assert (extended.added, extended.known, extended.held_out) == (12, 0, 0)
    assert larger.digest == extended.manifest.digest != manifest.digest
    assert larger.held_out == manifest.held_out
    for split in ("validation", "test"):
        assert members(larger, split) == members(manifest, split)
    assert members(larger, "train")[:20] == members(manifest, "train")
    assert {name: (copy / name).read_bytes() for name in before} == before
    assert not (copy / ".partial").exists()
    # All that is said of it, counted again.
    posters = list(Posters(larger, "train"))
    assert larger.count("train") == len(posters) == 32
    cells = sum(count_cells(poster["ab"]) for poster in posters)
    np.testing.assert_array_equal(cells, larger.cell_counts("train"))
    assert not damaged_files(larger)
    listed = [one.sha256 for one in read_listing(larger.listing)]
    assert listed == [one for split in SPLITS for one in members(larger, split)]
    assert not (copy / "posters.csv").exists()


def test_posters_that_are_known_or_like_those_held_out_are_left_out(manifest, copy, posters, more,
                                                                   tmp_path):  # fmt: skip
    sources = tmp_path / "sources"
    sources.mkdir()
    by_name = {poster.name: poster for poster in posters}
    held_out, trained_on = (
        by_name[str(next(iter(Posters(manifest, split)))["id"])] for split in ("test", "train")
    )
    for number, poster in enumerate((held_out, trained_on)):
        shutil.copy(poster, sources / f"known-{number}.jpg")
        with Image.open(poster) as image:
            image.save(sources / f"like-{number}.jpg", quality=60)
    shutil.copy(more[0], sources)
    (sources / "broken.jpg").write_bytes(b"no picture")
    extended = extend([sources], copy, workers=1)
    assert (extended.added, extended.known, extended.held_out) == (2, 2, 1)
    assert [name for name, _ in extended.skipped] == ["broken.jpg"]
    added = [one.id for one in read_listing(extended.manifest.listing)][20:22]
    assert set(added) == {"like-1.jpg", more[0].name}


def test_a_second_time_and_nothing_new(copy, more):
    first, second = more[:5], more[5:]
    extend(first, copy, workers=1)
    extended = extend(second, copy, workers=1)
    assert extended.manifest.count("train") == 32
    assert not damaged_files(extended.manifest)
    with pytest.raises(DatasetError, match="none of the 12 images is new"):
        extend(more, copy, workers=1)
    assert Manifest.load(copy).digest == extended.manifest.digest
    assert not (copy / ".partial").exists()


def test_the_embedding_is_that_of_the_data_set(copy, more):
    with pytest.raises(DatasetError, match="another embedding"):
        extend(more, copy, embedding="random", workers=1)


def test_the_result_does_not_depend_on_interruptions(copy, more, tmp_path):
    """The second run finds the chunks of the first, and a data set that is as it was."""
    reference = Path(shutil.copytree(copy, tmp_path / "reference"))
    expected = extend(more, reference, workers=2).manifest.digest

    def fail(manifest):
        raise KeyboardInterrupt

    before = Manifest.load(copy).digest
    with pytest.raises(KeyboardInterrupt):
        extend(more, copy, workers=1, draw=fail)
    assert Manifest.load(copy).digest == before
    assert extend(more, copy, workers=1).manifest.digest == expected


def test_the_command(copy, more):
    arguments = ["prepare", *map(str, more), "--out", str(copy), "--extend"]
    result = CliRunner().invoke(main, [*arguments, "--size", "64"])
    assert result.exit_code == 2 and "--size can't be chosen with --extend" in result.output
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "12 posters are new: 32 train, 6 validation, 4 test" in result.output


def test_there_must_be_a_data_set(tmp_path, more):
    with pytest.raises(DatasetError, match="does not exist"):
        extend(more, tmp_path / "nothing", workers=1)


def test_what_is_prepared_at_once_is_trained_on_in_another_order_only(
    copy, posters, more, tmp_path
):
    """The same training posters, whether they come at once or one set after the other."""
    extended = extend(more, copy, workers=1).manifest
    out = tmp_path / "at once"
    settings = {"size": 32, "embedding": "none", "seed": 1, "workers": 1}
    at_once, _ = prepare([posters[0].parent, more[0].parent], out, split=(42, 0, 0), **settings)
    whole = np.add(extended.cell_counts("train"), extended.cell_counts("validation"))
    whole += extended.cell_counts("test")
    np.testing.assert_array_equal(whole, at_once.cell_counts("train"))
