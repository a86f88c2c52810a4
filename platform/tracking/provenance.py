"""Where a result comes from: the versions of the packages and the commit of the code."""

import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# Packages whose versions may change a result, as far as they are installed.
PACKAGES = (
    "poster-recolor",
    "tensorflow",
    "tensorflow-io",
    "jax",
    "torch",
    "keras",
    "mlflow",
    "numpy",
    "scikit-image",
)

COMMIT_TAG = "mlflow.source.git.commit"
DIRTY_TAG = "git.dirty"
# The study that a run, or a version, belongs to.
STUDY_TAG = "study"


def origin() -> dict[str, str]:
    """Return tags with the versions and, where the code runs from a checkout, its commit."""
    tags = {"version.python": sys.version.split()[0]}
    for package in PACKAGES:
        try:
            tags[f"version.{package}"] = version(package)
        except PackageNotFoundError:
            continue
    return {**tags, **_commit()}


def commit_in_words(tags: Mapping[str, str]) -> str:
    """Name the commit of tags of `origin`, with a star if the code was changed since."""
    changed = "*" if tags.get(DIRTY_TAG) == "true" else ""
    return tags.get(COMMIT_TAG, "unknown")[:7] + changed


def _commit() -> dict[str, str]:
    try:
        import git
    except ImportError:
        # What GitPython raises where there is no `git` to call.
        return {}
    try:
        # Only this project's own repository: an installed copy may lie within another one.
        repository = git.Repo(Path(__file__).resolve().parents[2])
        return {
            COMMIT_TAG: repository.head.commit.hexsha,
            DIRTY_TAG: str(repository.is_dirty()).lower(),
        }
    except (git.GitError, ValueError):
        return {}
