"""A new network, embedding, augmentation and metric, with no other file of the project touched."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from conftest import environment
from PIL import Image

from recolor.datasets.color import rgb_to_lab8

TOYS = Path(__file__).with_name("toy_extensions.py")


def test_they_are_prepared_trained_evaluated_promoted_and_applied(posters, tmp_path):
    commands = [
        ["prepare", str(posters[0].parent), "--out", "data", "--size", "16", "--workers", "1",
         "--split", "20,5,5", "--embedding", "brightness"],
        ["train", "--model", "tint", "--augment", "mirror+upside-down"],
        ["evaluate", "--model", "models:/poster-recolor/1", "--json", "table.json"],
        ["promote", "--metric", "warmth"],
        ["apply", str(posters[0]), "--out", "out", "--model", "champion", "--palette", "none"],
    ]  # fmt: skip
    result = subprocess.run(
        [sys.executable, str(TOYS), json.dumps(commands)],
        cwd=tmp_path,
        env=environment(f"sqlite:///{tmp_path}/mlflow.db"),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "mean b" in result.stdout
    assert "version 1 (warmth" in result.stdout
    assert "(champion; tint, 16 pixels" in result.stdout
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
