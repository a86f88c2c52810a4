"""What `from recolor import ...` gives: used from Python as the command line is from a shell."""

import doctest
import importlib.util
import json
import logging
import os
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import ROOT, own_store
from PIL import Image

import recolor
from recolor import Dataset, RecolorError, load_model
from recolor.datasets.demo_posters import draw_poster, generate_demo_posters
from recolor.models.catalog import MODELS
from recolor.platform.cli.main import main
from recolor.platform.experiments.preparation import prepare
from recolor.platform.registry.registration import code_for_serving

HEAVY = ("keras", "mlflow", "tensorflow")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with what the examples name: posters, a data set of them, a poster, a store."""
    folder = tmp_path_factory.mktemp("workplace")
    list(generate_demo_posters(folder / "posters", 24, "modern", seed=3))
    draw_poster(1, 2, "old")[1].resize((200, 300)).save(folder / "poster.jpg")
    prepare(folder / "posters", folder / "data", size=32, split=(16, 4, 4), workers=1)
    with own_store(folder / "store"):
        yield folder


@pytest.fixture
def here(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    return workplace


def run_python(code: str, **options) -> str:
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, **options)
    assert result.returncode == 0, result.stderr
    return result.stdout


def examples() -> list[doctest.DocTest]:
    """The examples of all that is exported, those of methods too."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    names = {name: getattr(recolor, name) for name in recolor.__all__}
    found = []
    for name, thing in names.items():
        module = sys.modules[thing.__module__]
        found += finder.find(thing, name, module, globs={**names})
    return [one for one in found if one.examples]


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.name)
def test_an_example_is_true(example, here, small_network, monkeypatch):
    if example.name == "train":
        # The paper's network takes much longer for an epoch.
        small = type("Regression", (MODELS[small_network],), {"name": "regression"})
        monkeypatch.setitem(MODELS._things, "regression", small)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    said = []
    runner.run(example, out=said.append)
    assert not runner.failures, "".join(said)


@pytest.mark.parametrize("name", recolor.__all__)
def test_all_that_is_exported_has_an_example(name):
    assert ">>>" in getattr(recolor, name).__doc__


def test_the_package_is_imported_without_anything_heavy():
    """Not even NumPy, until something is used."""
    heavy = ("numpy", "PIL", *HEAVY)
    code = f"import sys, recolor; dir(recolor); print({{*{heavy}}} & {{*sys.modules}})"
    assert run_python(code).strip() == "set()"
    assert dir(recolor) == recolor.__all__
    with pytest.raises(AttributeError, match="'recolor' has no attribute 'nothing'"):
        _ = recolor.nothing


def test_a_poster_is_restored_and_a_data_set_read_without_anything_heavy(here, tmp_path):
    code = (
        "import sys\nfrom recolor import Dataset, load_model\n"
        f"restored = load_model().recolor({str(here / 'poster.jpg')!r})\n"
        f"posters = list(Dataset({str(here / 'data')!r}).train)\n"
        "print(restored.size, len(posters))\n"
        f"assert not {{*{HEAVY}}} & {{*sys.modules}}, sys.modules.keys()\n"
    )
    environment = {"PATH": "", "HOME": str(tmp_path)}
    assert run_python(code, cwd=tmp_path, env=environment) == "(200, 300) 16\n"


def test_copies_in_a_served_model_go_first_and_the_rest_is_found(tmp_path):
    """So a served model runs its own code, and who has loaded one still finds the package."""
    code_for_serving(tmp_path)
    code = (
        f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n"
        "import recolor\nfrom recolor.datasets import color, shards\n"
        "print(recolor.__file__, color.__file__, recolor.Dataset.__name__, sep='\\n')\n"
    )
    copies = tmp_path / "recolor"
    expected = [copies / "__init__.py", copies / "datasets" / "color.py", "Dataset"]
    # Other tests' network would import the package before the copies are in the path.
    environment = {**os.environ, "PYTHONPATH": ""}
    assert run_python(code, env=environment).splitlines() == [*map(str, expected)]


def test_a_script_prepares_a_data_set_once(here, tmp_path):
    """The processes that read posters don't run it again, even if nothing guards against that."""
    script = tmp_path / "script.py"
    script.write_text(
        "from recolor import prepare\nprint('begun')\n"
        f"print(prepare({str(here / 'posters')!r}, 'out', size=16, split='16,4,4', workers=2))\n"
    )
    result = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        "begun",
        "<Dataset out: 16 train, 4 validation, 4 test, 16 pixels>",
    ]


def test_a_model_gives_the_pixels_of_apply(here, tmp_path):
    Image.open("poster.jpg").save("poster.png")
    options = ["--palette", "teal,orange:3", "--hint", "50%,12%=#c1121f", "--strength", "0.8"]
    arguments = ["apply", "poster.png", "--out", str(tmp_path), "--model", "unet", *options]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    expected = np.asarray(Image.open(tmp_path / "poster.png"))
    model = load_model("unet")
    picture = Image.open("poster.png")
    options = {"palette": "teal,orange:3", "strength": 0.8}
    hints = ["50%,12%=#c1121f"]
    for source in ("poster.png", picture, np.asarray(picture)):
        found = model.recolor(source, hints=hints, **options)
        np.testing.assert_array_equal(np.asarray(found), expected)
    assert model.weights is model.weights


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"palet": "teal"}, "there is no option palet: choose from restore, palette, "),
        ({"strength": "much"}, "strength must be a number from 0 to 1, not 'much'"),
        ({"strength": 2}, "strength must be a number from 0 to 1, not 2"),
        ({"palette": "nope"}, "'nope' is not a palette"),
        ({"palette": [1]}, r"palette must be a text, not \[1\]"),
        ({"hints": ["a"]}, "'a' is not a hint"),
        ({"lock": 5}, "lock must be texts, not 5"),
        ({"crop": "no"}, "crop must be one of none, auto, not 'no'"),
    ],
    ids=str,
)
def test_a_wrong_option_is_said_without_dashes(here, options, words):
    with pytest.raises(RecolorError, match=f"^{words}"):
        load_model("unet").recolor("poster.jpg", **options)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        ("nowhere.jpg", "nowhere.jpg: can't be read"),
        (np.zeros((3, 3)), r"an array must be uint8 .* not float64 \[3, 3\]"),
        (5, "a picture is a path, a PIL image or an array, not int"),
    ],
    ids=["path", "array", "number"],
)
def test_what_is_no_picture_is_said(here, picture, words):
    with pytest.raises(RecolorError, match=words):
        load_model("unet").recolor(picture)


def test_a_gray_picture_stays_gray_where_it_is_restored(here):
    gray = Image.linear_gradient("L")
    restored = np.asarray(load_model("unet").restore(gray, "auto"))
    assert (restored == restored[..., :1]).all()


def test_splits_are_sequences(here):
    split = Dataset("data").test
    lightness, ab = split[-1]
    for found, expected in zip(split[3], (lightness, ab), strict=True):
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(IndexError, match="the test split has 4 posters, and no 4"):
        _ = split[4]
    (whole,) = split.batches(8)
    np.testing.assert_array_equal(whole[1], [ab for _, ab in split])


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="PyTorch is installed")
def test_without_pytorch_there_are_no_batches_for_it(here):
    with pytest.raises(RecolorError, match=r"PyTorch is not installed: pip install 'poster-recol"):
        Dataset("data").train.torch(4)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_pytorch_gets_batches(here):
    batches = list(Dataset("data").train.torch(12))
    assert [tuple(ab.shape) for _, ab in batches] == [(12, 32, 32, 2), (4, 32, 32, 2)]


def test_wrong_arguments_are_those_of_python_here_and_flags_on_the_command_line(here):
    data = Dataset("data")
    with pytest.raises(RecolorError, match=r"^there is no setting epoch: choose from model"):
        recolor.train(data, epoch=3)
    with pytest.raises(RecolorError, match=r"choose another folder or `overwrite`$"):
        recolor.prepare("posters", "data")
    said = CliRunner().invoke(main, ["prepare", "posters", "--out", "data"])
    assert said.output.splitlines()[-1].endswith("choose another folder or --overwrite")


@pytest.mark.slow
def test_the_tour_can_be_gone_as_written(tmp_path, monkeypatch):
    """Its cells, one after another, with fewer posters and epochs; it needs no Jupyter."""
    file = ROOT / "docs" / "tour.ipynb"
    assert file.stat().st_size < 400_000
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    smaller = {
        "60,": "24,",
        "(48, 6, 6)": "(16, 4, 4)",
        "epochs=3": "epochs=1",
        "size=64": "size=32",
    }
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    # What its first cell sets is to hold here only.
    for name in ("TF_CPP_MIN_LOG_LEVEL", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"):
        monkeypatch.setenv(name, "")
    found, disabled = {}, logging.root.manager.disable
    try:
        with warnings.catch_warnings(), own_store(tmp_path / "store"):
            for cell in code:
                for word, less in smaller.items():
                    cell = cell.replace(word, less)
                exec(cell, found)
    finally:
        logging.disable(disabled)
    assert {"unet, told palette", "truth"} <= {*found["told"].index}


@pytest.mark.slow
def test_the_document_can_be_run_as_written(workplace, tmp_path, monkeypatch):
    """With smaller squares, one epoch, and without PyTorch."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    code = code.replace("size=96", "size=32").replace("epochs=30", "epochs=1")
    code = re.sub(r"^.*\.torch\(.*$", "", code, flags=re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    for name in ("posters", "poster.jpg"):
        (tmp_path / name).symlink_to(workplace / name)
    found = {}
    exec(code, found)
    assert {"unet, told palette", "truth"} <= {*found["evaluation"].to_frame().index}
