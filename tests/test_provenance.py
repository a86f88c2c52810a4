"""Where a result comes from: of the code, only what its own repository says."""

import runpy
import shutil
from importlib.metadata import version
from pathlib import Path

import git
import pytest
from conftest import ROOT

from recolor.platform.tracking import provenance


def origin_of_a_copy(folder: Path) -> dict[str, str]:
    """The tags that a copy of the code in a folder would make."""
    file = folder / "platform" / "tracking" / "provenance.py"
    file.parent.mkdir(parents=True)
    shutil.copy(provenance.__file__, file)
    return runpy.run_path(str(file))["origin"]()


@pytest.fixture
def repository(tmp_path) -> git.Repo:
    """A project of somebody else's, with a setup.py."""
    repository = git.Repo.init(tmp_path)
    (tmp_path / "setup.py").write_text("# another project's\n")
    repository.index.add("setup.py")
    repository.index.commit("Begin", author=git.Actor("a", "a@b"), committer=git.Actor("a", "a@b"))
    return repository


def test_a_checkout_has_its_commit_and_versions():
    tags = provenance.origin()
    assert tags["mlflow.source.git.commit"] == git.Repo(ROOT).head.commit.hexsha
    assert tags["version.poster-recolor"] == version("poster-recolor")
    assert tags["version.numpy"] == version("numpy")


def test_a_copy_installed_within_another_project_has_none(repository, tmp_path):
    tags = origin_of_a_copy(tmp_path / ".venv" / "site-packages" / "recolor")
    assert "mlflow.source.git.commit" not in tags and "git.dirty" not in tags
    assert "version.poster-recolor" in tags


def test_changes_since_the_commit_are_said(repository, tmp_path):
    assert origin_of_a_copy(tmp_path)["git.dirty"] == "false"
    (tmp_path / "setup.py").write_text("# changed\n")
    (tmp_path / "platform").rename(tmp_path / "old")
    tags = origin_of_a_copy(tmp_path)
    assert tags["git.dirty"] == "true"
    assert tags["mlflow.source.git.commit"] == repository.head.commit.hexsha
