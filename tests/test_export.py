"""Exported models answer as the model does; what can't be exported is said in one line."""

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from click.testing import CliRunner
from conftest import ROOT, SIZE
from PIL import Image
from skimage import data as samples

from recolor.datasets.hints import parse_hints
from recolor.models.catalog import MODELS
from recolor.models.decoding.options import Decoding
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.models.decoding.vividness import no_calibration
from recolor.models.paper import Regression
from recolor.models.weights import Weights, named_values
from recolor.platform.cli.main import main
from recolor.platform.registry.model import load_model
from recolor.platform.serving.onnx_graph import ConvertibleGraph

pytestmark = pytest.mark.usefixtures("bundled_networks_loaded_once")

HINTS = parse_hints(["50%,12%=#c1121f", "10%,90%=neutral"])
PICTURE = Image.fromarray(samples.coffee()).resize((111, 76))


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def error(result) -> str:
    assert result.exit_code not in (0, 70), result.output
    assert result.output.count("Error: ") == 1
    return result.output.split("Error: ")[1]


def differences(one: Image.Image, other: Image.Image) -> np.ndarray:
    return np.abs(np.int16(one) - np.int16(other))


@pytest.fixture(scope="module")
def regression(tmp_path_factory) -> Path:
    """The bundled regression, as ONNX: it is converted sooner than a classification."""
    file = tmp_path_factory.mktemp("exported") / "regression.onnx"
    result = run("export", "--model", "regression", "--format", "onnx", "--out", file)
    assert result.exit_code == 0, result.output
    assert "onnx, 27" in result.output and "at 96x144" in result.output
    return file


@pytest.mark.slow
def test_the_champion_as_a_saved_model(trained, copied_store, tmp_path):
    folder = tmp_path / "model"
    result = run("export", "--format", "saved_model", "--out", folder, "--model", "champion")
    assert result.exit_code == 0, result.output
    assert "(champion; classification" in result.output
    about = json.loads((folder / "assets.extra" / "recolor.json").read_text())
    assert about["painter"]["kind"] == "classification" and "square:" in about["description"]
    # Without recolor: the answer for a square of noise.
    saved = tf.saved_model.load(folder)
    square = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 1), np.uint8)
    given = {"square": square, "box": np.int32([0, 0, SIZE, SIZE]), "embedding": np.zeros(0, "f4")}
    given |= {"source": np.zeros((SIZE, SIZE, 2), np.int8), "gray": np.bool_(True)}
    found = saved.signatures["look"](**{name: tf.constant(one) for name, one in given.items()})
    expected = load_model(None).painter.network.look(**given)
    for name in ("outputs", "alike", "shares"):
        # The weights that are kept with a version are of half precision.
        scale = np.abs(expected[name]).max()
        np.testing.assert_allclose(found[name], expected[name], atol=5e-3 * scale)

    assert "is there already" in error(run("export", "--format", "saved_model", "--out", folder))
    (folder / "left over").touch()
    # By another model, which is exported sooner.
    another = ("--model", "regression", "--overwrite")
    result = run("export", "--format", "saved_model", "--out", folder, *another)
    assert result.exit_code == 0, result.output
    assert not (folder / "left over").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"mlflow.db", "model"}


def test_onnx_recolors_as_the_model_does(regression, tmp_path):
    source, out = tmp_path / "coffee.png", tmp_path / "out"
    PICTURE.save(source)
    result = run("apply", source, "--model", regression, "--out", out, "--palette", "none")
    assert result.exit_code == 0, result.output
    assert "regression.onnx (regression, 128 pixels, learned from 9000 posters)" in result.output
    expected = load_model("regression").painter.recolor(PICTURE, Decoding(palette="none"))
    assert differences(Image.open(out / "coffee.png"), expected).max() <= 1

    arguments = ("apply", source, "--model", regression, "--out", tmp_path / "none")
    assert "takes no palette" in error(run(*arguments, "--palette", "3"))
    model = load_model(str(regression))
    assert (model.label, model.embedding) == ("regression_regression", "none")


@pytest.mark.slow
def test_onnx_with_palettes_and_hints(trained, copied_store, tmp_path):
    """The champion, and a picture larger than what is painted at once."""
    file = tmp_path / "champion.onnx"
    result = run("export", "--format", "onnx", "--out", file)
    assert result.exit_code == 0, result.output
    models = [load_model(source) for source in (None, str(file))]
    assert models[0].held_out == models[1].held_out and None not in models[1].held_out
    painters = [model.painter for model in models]
    picture = PICTURE.resize((500, 400))
    for typed in (
        {"palette": "none"},
        {"palette": "auto", "strength": 0.5, "vividness": 0.4},
        {"palette": "#0b4f5c,#f28c28:2", "restore": 0.5},
        {"palette": "none", "temperature": 0.2, "hint": HINTS},
        {"palette": "source", "hint": HINTS},
    ):
        recolored = [painter.recolor(picture, Decoding(**typed)) for painter in painters]
        # A pixel may change places with another one.
        different = differences(*recolored)
        assert np.quantile(different, 0.999) <= 1 and different.max() <= 8, typed


def test_onnx_needs_no_framework(regression, tmp_path):
    PICTURE.save(tmp_path / "coffee.png")
    code = (
        "import sys\nsys.modules |= dict.fromkeys(['keras', 'mlflow', 'tensorflow', 'tf2onnx'])\n"
        "from recolor.platform.cli.main import main\nmain()\n"
    )
    command = [sys.executable, "-c", code, "apply", "coffee.png", "--out", "out", "--model"]
    result = subprocess.run(
        [*command, regression], cwd=tmp_path, capture_output=True, text=True, env=dict(os.environ)
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out" / "coffee.png").is_file()


def in_a_fork(model: str) -> str:
    """Recolor a picture, and once more in a process forked after that; say how that one ends."""
    painter = load_model(model).painter
    expected = painter.recolor(PICTURE, Decoding(palette="none"))
    outcome, sender = multiprocessing.Pipe(duplex=False)

    def child():
        try:
            found = painter.recolor(PICTURE, Decoding(palette="none"))
            sender.send("the same" if found == expected else "another picture")
        except RuntimeError as error:
            sender.send(str(error))

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    try:
        return outcome.recv() if outcome.poll(60) else "it hangs"
    finally:
        process.kill()
        process.join()


def test_onnx_recolors_after_a_fork(regression):
    assert in_a_fork(str(regression)) == "the same"


def test_other_models_say_that_they_do_not_work_after_a_fork():
    assert "does not work in a process forked after it was loaded" in in_a_fork("regression")


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("shape", [(7, 12), (30, 9), (16, 16)])
def test_pictures_are_resized_as_tensorflow_does(shape, antialias):
    pictures = np.random.default_rng(0).normal(0, 50, (2, 16, 20, 3)).astype(np.float32)
    for one in (pictures, pictures[0]):
        expected = tf.image.resize(one, shape, antialias=antialias)
        found = ConvertibleGraph._resize(one, shape, antialias=antialias)
        np.testing.assert_allclose(found, expected, atol=1e-4)


class Fickle(Regression):
    """Each of its instances decodes otherwise."""

    name = "fickle"
    made = 0

    def __init__(self, *options):
        super().__init__(*options)
        Fickle.made += 1
        self.factor = 10 * Fickle.made

    def build(self, size):
        inputs = [keras.Input((size, size, 1), dtype="uint8"), keras.Input((self.embedding_size,))]
        light = keras.layers.Rescaling(1 / 255)(inputs[0])
        ab = keras.layers.Conv2D(2, 1, bias_initializer="ones", name="color")(light)
        return keras.Model(inputs, ab)

    def decode(self, outputs, temperature):
        return self.factor * outputs


def test_what_differs_from_the_model_is_not_written(tmp_path):
    MODELS.register("fickle", Fickle)
    try:
        counts = np.zeros(1024, np.int64)
        counts[500:520] = 1
        tensors = named_values(Fickle().build(SIZE).weights)
        file = tmp_path / "fickle.safetensors"
        Weights("fickle", SIZE, "none", OwnDecoding(), counts, no_calibration(), tensors, {}).save(
            file
        )
        out = tmp_path / "out"
        message = error(run("export", "--model", file, "--format", "saved_model", "--out", out))
    finally:
        MODELS.unregister("fickle")
    assert "otherwise than it does itself" in message and "nothing was written" in message
    assert [path.name for path in tmp_path.iterdir()] == ["fickle.safetensors"]


def test_what_is_in_the_way_is_said(tmp_path):
    def refused(format, name, *options):
        arguments = ("--model", "regression", "--format", format, "--out", tmp_path / name)
        return error(run("export", *arguments, *options))

    (tmp_path / "file.onnx").write_text("mine")
    (tmp_path / "folder.onnx").mkdir()
    assert "--overwrite replaces it" in refused("onnx", "file.onnx")
    assert "exists and is not a file" in refused("onnx", "folder.onnx", "--overwrite")
    assert "exists and is not a folder" in refused("saved_model", "file.onnx", "--overwrite")
    assert "holds no SavedModel" in refused("saved_model", "folder.onnx", "--overwrite")
    assert "let it end in .onnx" in refused("onnx", "file.keras", "--overwrite")
    assert "'tflite' is not one of" in refused("tflite", "file.tflite")
    assert (tmp_path / "file.onnx").read_text() == "mine"
    arguments = ("--format", "onnx", "--out", tmp_path / "new.onnx")
    exported = error(run("export", "--model", tmp_path / "file.onnx", *arguments))
    assert "was exported already" in exported


def test_files_that_are_none_are_refused(tmp_path):
    PICTURE.save(tmp_path / "coffee.png")

    def refused(file):
        arguments = ("--model", file, "--out", tmp_path / "out")
        return error(run("apply", tmp_path / "coffee.png", *arguments))

    missing, text, others = (tmp_path / f"{name}.onnx" for name in ("missing", "text", "others"))
    assert "there is no file" in refused(missing)
    text.write_text("no model")
    assert "text.onnx is not an ONNX file of `recolor export`" in refused(text)
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    onnx.save(
        onnx.helper.make_model(onnx.helper.make_graph([node], "it", ends[:1], ends[1:])), others
    )
    assert "(it says nothing of recolor)" in refused(others)


def test_a_file_whose_steps_are_others_is_refused_in_one_line(regression, tmp_path):
    PICTURE.save(tmp_path / "coffee.png")
    model = onnx.load(regression)
    (entry,) = model.metadata_props
    about = json.loads(entry.value)
    about.pop("format")
    entry.value = json.dumps(about)
    onnx.save(model, tmp_path / "before.onnx")
    arguments = ("--model", tmp_path / "before.onnx", "--out", tmp_path / "out")
    message = error(run("apply", tmp_path / "coffee.png", *arguments))
    assert "before.onnx was exported by another version of recolor: export it again" in message


def test_a_missing_package_is_named(regression, monkeypatch, tmp_path):
    PICTURE.save(tmp_path / "coffee.png")
    line = "{} is not installed: pip install 'poster-recolor[onnx]'\n"
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    arguments = ("apply", tmp_path / "coffee.png", "--model", regression)
    assert error(run(*arguments, "--out", tmp_path / "out")) == line.format("onnxruntime")
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    arguments = ("export", "--model", "regression", "--format", "onnx")
    assert error(run(*arguments, "--out", tmp_path / "out.onnx")) == line.format("tf2onnx")


def test_the_extra_has_what_the_message_promises():
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    extra = setup.partition('"onnx": [')[2].partition("]")[0]
    assert all(f'"{package}>' in extra for package in ("onnx", "onnxruntime", "tf2onnx"))
