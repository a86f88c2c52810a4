"""Which pictures are recolored, into which files, and what stays as it is."""

import shutil

import pytest

from recolor.datasets.images import ImageError
from recolor.platform.serving.targets import REPLACE, SKIP, exists, plan


@pytest.fixture
def folder(tmp_path):
    """Two pictures, of which nobody looks at the content."""
    for name in ("a.jpg", "deep/b.png"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()
    return tmp_path


def touch(file):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


def test_results_have_the_pictures_names_and_numbers(folder):
    out = folder / "out"
    tasks = plan([folder / "in"], out)
    assert [(task.name, task.path, task.targets) for task in tasks] == [
        ("a.jpg", folder / "in" / "a.jpg", (out / "a.jpg",)),
        ("deep/b.png", folder / "in" / "deep" / "b.png", (out / "deep" / "b.png",)),
    ]
    (_, numbered) = plan([folder / "in"], out, suggestions=2)
    assert numbered.targets == (out / "deep" / "b.1.png", out / "deep" / "b.2.png")


@pytest.mark.parametrize(
    ("existing", "options", "words"),
    [
        (["deep/b.png"], {}, "deep/b.png is there already: --overwrite replaces"),
        (["a.jpg", "deep/b.png"], {}, "a.jpg is there already, and 1 more results: --overwrite"),
        (["before-after.png"], {"sheet": True}, "before-after.png is there already: --overwrite"),
        (["series.pdf"], {"series": True}, "series.pdf is there already: --overwrite replaces"),
        (["a.jpg.json"], {"recipes": True}, "a.jpg.json is there already: --overwrite replaces"),
        (["deep/b.2.png"], {"suggestions": 2}, "deep/b.2.png is there already: --overwrite"),
    ],
)
def test_results_that_are_there_are_refused_replaced_or_skipped(folder, existing, options, words):
    for name in existing:
        touch(folder / "out" / name)
    with pytest.raises(ImageError, match=words):
        plan([folder / "in"], folder / "out", **options)
    for choice in (REPLACE, SKIP):
        assert len(plan([folder / "in"], folder / "out", existing=choice, **options)) == 2


@pytest.mark.parametrize("name", ["before-after.png", "a.1.jpg", "other.jpg"])
def test_files_that_no_result_replaces_are_in_nobodys_way(folder, name):
    touch(folder / "out" / name)
    assert len(plan([folder / "in"], folder / "out")) == 2


def test_a_link_that_leads_nowhere_is_a_file_and_a_folder_is_none(folder):
    """What is in the way of one picture is found out when that is written."""
    (folder / "out" / "a.jpg").mkdir(parents=True)
    (folder / "out" / "link").symlink_to("nowhere")
    assert exists(folder / "out" / "link") and not exists(folder / "out" / "a.jpg")
    assert len(plan([folder / "in"], folder / "out")) == 2


def test_a_circle_of_links_is_no_error_of_its_own(folder):
    (folder / "loop").symlink_to("loop")
    assert len(plan([folder / "in"], folder / "loop")) == 2


def test_numbers_may_not_make_two_results_one(folder):
    shutil.copy(folder / "in" / "a.jpg", folder / "in" / "a.1.jpg")
    assert plan([folder / "in"], folder / "out", suggestions=1)
    touch(folder / "other" / "a.jpg")
    with pytest.raises(ImageError, match="would both be written to"):
        plan([folder / "in", folder / "other"], folder / "out", suggestions=1)
