"""The networks that come with recolor: whole, small, known for where they are from, and at work."""

import re
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import RECOLOR, ROOT, environment
from PIL import Image
from skimage import data as samples
from skimage.color import rgb2lab

from recolor.models.catalog import DEFAULT
from recolor.models.decoding.options import Decoding
from recolor.models.weights import PRETRAINED, pretrained_weights
from recolor.platform.cli.main import main
from recolor.platform.registry.model import load_model


def without_store() -> dict[str, str]:
    kept = environment("")
    del kept["MLFLOW_TRACKING_URI"]
    return kept


@pytest.mark.parametrize(
    ("kind", "training_posters"),
    [
        ("regression", [9000] * 2),
        ("classification", [9000] * 6),
        ("unet", [16020, 16020, 16020, 9000, 9000, 16020]),
    ],
)
def test_weights_know_where_they_are_from(kind, training_posters):
    weights = pretrained_weights(kind)
    assert weights.model == kind
    assert weights.embedding == "none"
    card = (PRETRAINED / "README.md").read_text()
    for stage, count in zip(weights.stages, training_posters, strict=True):
        assert stage["training_posters"] == count
        if stage["tags"]["git.dirty"] == "true":
            assert "with changes" in card
        # The model card tells the same.
        for fact in (stage["tags"]["mlflow.source.git.commit"], stage["dataset_digest"]):
            assert fact[:12] in card
        assert f"--learning-rate {stage['settings']['learning_rate']:g} " in card.replace("\n", " ")


def test_together_they_are_less_than_40_megabytes():
    assert sum(path.stat().st_size for path in PRETRAINED.iterdir()) < 40e6


def test_right_after_the_installation_posters_can_be_recolored(posters, tmp_path):
    """No store is needed, nor made."""
    shutil.copy(posters[0], tmp_path / "poster.jpg")
    command = [*RECOLOR, "apply", "poster.jpg", "--out", "out"]
    result = subprocess.run(
        [*command, "--palette", "none"],
        cwd=tmp_path,
        env=without_store(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    assert re.search(
        f"1 recolored in out by the bundled {DEFAULT} network "
        r"\(\d+ pixels, learned from \d+ posters\); no champion is registered here\n",
        result.stdout,
    )
    assert {path.name for path in tmp_path.iterdir()} == {"poster.jpg", "out"}
    with Image.open(tmp_path / "out" / "poster.jpg") as image, Image.open(posters[0]) as before:
        assert image.size == before.size


def test_a_champion_that_is_better_goes_first(trained, posters, tmp_path):
    def apply(out: str, *options) -> str:
        where = ["--out", str(tmp_path / out), "--palette", "none"]
        arguments = ["apply", str(posters[0]), *where, *options]
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        return result.output

    assert re.search(
        r"1 recolored in \S+ by poster-recolor version \d+ \(champion; classification, 32 pixels, "
        f"learned from 20 posters\\); --model {DEFAULT} takes the bundled network\n",
        apply("out"),
    )
    said = apply("other", "--model", "regression")
    assert re.search(r"1 recolored in \S+ by the bundled regression network \(", said)


def test_regression_is_nearer_to_the_true_colors_than_gray():
    """On photographs that have nothing to do with posters."""
    painter = load_model("regression").painter
    errors = []
    for rgb in (samples.astronaut(), samples.chelsea(), samples.coffee(), samples.rocket()):
        true = rgb2lab(rgb)[..., 1:]
        answer = rgb2lab(painter.recolor(Image.fromarray(rgb), Decoding()))[..., 1:]
        errors.append([np.mean((answer - true) ** 2), np.mean(true**2)])
    ours, gray = np.mean(errors, axis=0)
    assert ours < 0.95 * gray


def test_vividness_adds_color_and_keeps_lightness():
    painter = load_model("regression").painter
    rgb = samples.astronaut()
    chroma = []
    for vividness in (0.0, 0.3, 1.0):
        lab = rgb2lab(
            painter.recolor(
                Image.fromarray(rgb), Decoding(restore=0.0, palette="none", vividness=vividness)
            )
        )
        chroma.append(np.hypot(lab[..., 1], lab[..., 2]).mean())
        assert np.percentile(np.abs(lab[..., 0] - rgb2lab(rgb)[..., 0]), 90) < 2
    assert chroma[0] < chroma[1] < chroma[2]


def test_the_wheel_has_all_files(tmp_path):
    source = tmp_path / "source"
    ignored = shutil.ignore_patterns(".*", "mlruns", "build", "*.egg-info", "tests", "demo")
    shutil.copytree(ROOT, source, ignore=ignored, symlinks=True)
    command = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", str(source)]
    result = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {name.removeprefix("recolor/") for name in names if name.startswith("recolor/")}
    expected = {
        path.relative_to(ROOT).as_posix().removeprefix("platform/api/")
        for folder in ("platform", "datasets", "models", "evaluation")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    # What `mlflow run` calls, in a clone only.
    assert package == expected - {"platform/project.sh"}
