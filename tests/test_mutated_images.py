"""Damaged image files, whatever the damage: an ImageError says so, and nothing else happens."""

import resource
import warnings

import pytest
from mutations import mutated_files, whole_files

from recolor.datasets.images import ImageError, open_image, to_rgb
from recolor.datasets.picture_file import PictureFile
from recolor.datasets.posters import read_poster

FILES = 63
# A few bytes may declare 100 megapixels: of those, a progressive JPEG takes most.
MOST_MEMORY = 2_500


@pytest.mark.parametrize("name", whole_files())
def test_files_are_whole_before_they_are_damaged(name):
    assert to_rgb(open_image(whole_files()[name])).size in ((48, 72), (72, 48))


def test_the_same_seed_gives_the_same_files():
    assert list(mutated_files(3, 40)) == list(mutated_files(3, 40)) != list(mutated_files(4, 40))


def test_damaged_files_are_refused_or_read_and_nothing_else(tmp_path, capfd):
    """Without another error, a warning, a word on the terminal, or more memory than there is."""
    before = _peak_memory()
    path, opened = tmp_path / "image", 0
    for name, data in mutated_files(seed=1, count=FILES):
        path.write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for read in (lambda: read_poster(path, 32), lambda: _rewritten(path)):
                try:
                    read()
                    opened += 1
                except ImageError as error:
                    assert "\n" not in str(error), name
                except Exception as error:
                    pytest.fail(f"{name}: {error!r}")
    # Some damage does not matter; were it all of it, or none, nothing would be proved.
    assert 0.1 * FILES < opened < 1.5 * FILES
    assert capfd.readouterr() == ("", "")
    assert _peak_memory() - before < MOST_MEMORY


def _rewritten(path):
    file = PictureFile.read(path)
    file.with_colors_of(file.picture)


def _peak_memory() -> float:
    """The most memory that this process has taken, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
