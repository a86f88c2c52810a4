"""A new network, embedding, augmentation and metric, with no other file of the project touched."""

import json

import numpy as np
import pytest
import toy_extensions
from click.testing import CliRunner
from conftest import own_store
from PIL import Image

from recolor.datasets.color import rgb_to_lab8
from recolor.platform.cli.main import main

pytestmark = pytest.mark.usefixtures("bundled_networks_loaded_once")


@pytest.fixture
def called(tmp_path, monkeypatch):
    """Call commands in an empty folder with a store of its own, where the extensions are known."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments) -> str:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.output
        return result.output

    with own_store(tmp_path), toy_extensions.registered():
        yield call


@pytest.mark.slow
def test_they_are_prepared_trained_evaluated_promoted_and_applied(called, posters, tmp_path):
    called("prepare", posters[0].parent, "--out", "data", "--size", 16, "--workers", 1,
           "--split", "20,5,5", "--embedding", "brightness")  # fmt: skip
    called("train", "--model", "tint", "--augment", "mirror+upside-down")
    said = called("evaluate", "--model", "models:/poster-recolor/1", "--json", "table.json")
    assert "mean b" in said
    assert "version 1 (warmth" in called("promote", "--metric", "warmth")
    options = ["--model", "champion", "--palette", "none"]
    said = called("apply", posters[0], "--out", "out", *options)
    assert "(champion; tint, 16 pixels" in said
    columns = json.loads((tmp_path / "table.json").read_text())["columns"]
    # It began with a warm color, and posters are warm.
    assert columns["models:/poster-recolor/1"]["warmth"] > 1
    assert columns["gray"]["warmth"] == 0
    with Image.open(tmp_path / "out" / posters[0].name) as image, Image.open(posters[0]) as before:
        assert image.size == before.size
        # One color, but where it left the gamut, or JPEG has blurred it.
        ab = rgb_to_lab8(np.asarray(image.convert("RGB")))[1].reshape(-1, 2)
    assert np.median(ab[:, 1]) > 1
    assert np.abs(ab - np.median(ab, axis=0)).max(axis=1).mean() < 6
