"""Catalogs: names without imports, and things of one's own."""

import doctest
import subprocess
import sys

import pytest

from recolor.datasets import catalog
from recolor.datasets.catalog import Catalog


def test_the_example_of_the_docstring():
    assert doctest.testmod(catalog).failed == 0


def test_names_are_known_before_anything_is_imported():
    code = (
        "import sys\nfrom recolor.models.catalog import MODELS\n"
        "assert 'regression' in MODELS and len(list(MODELS)) == len(MODELS)\n"
        "assert 'keras' not in sys.modules\nMODELS['regression']\nassert 'keras' in sys.modules\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_an_error_of_the_import_is_not_taken_for_an_unknown_name(tmp_path, monkeypatch):
    (tmp_path / "broken_things.py").write_text("{}['missing']")
    monkeypatch.syspath_prepend(tmp_path)
    things = Catalog({"broken": "broken_things:thing"})
    assert things.get("unknown") is None
    with pytest.raises(KeyError, match="missing"):
        things.get("broken")


def test_a_registered_thing_takes_its_name_and_may_be_taken_out():
    things = Catalog({"pi": "math:pi"})
    things.register("pi", 3)
    things.register("e", 2.7)
    assert dict(things) == {"pi": 3, "e": 2.7}
    things.unregister("e")
    assert list(things) == ["pi"] and "e" not in things
    with pytest.raises(KeyError):
        things["e"]
