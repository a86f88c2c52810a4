"""The served model: over HTTP, at full resolution, and with nothing but its own requirements."""

import base64
import contextlib
import functools
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from threading import Lock

import mlflow
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from click.testing import CliRunner
from conftest import environment
from PIL import Image
from served import Served
from skimage import data as samples
from skimage.color import lab2rgb, rgb2lab

from recolor.datasets.ageing import aged
from recolor.datasets.color import lab8_to_rgb
from recolor.datasets.color_profiles import srgb_profile
from recolor.datasets.hints import parse_hints
from recolor.datasets.posters import letterbox
from recolor.models.catalog import PAPER
from recolor.models.decoding.guided_upsampling import fitted_lines, interpolated, on_lines
from recolor.models.decoding.options import Decoding
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.models.painter import PIECE, Network, Painter
from recolor.models.recolorer import WINDOW
from recolor.models.restoring import Restorer
from recolor.platform.cli.main import main
from recolor.platform.registry import model as model_module
from recolor.platform.registry.promotion import promote
from recolor.platform.registry.registration import load_registered
from recolor.platform.registry.sources import find_weights
from recolor.platform.registry.versions import CHAMPION_URI
from recolor.platform.serving.files import recolor_files


def encoded(kind: str, size=(90, 130), **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(samples.astronaut()).resize(size).save(file, kind, **options)
    return file.getvalue()


def as_text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def decoded(answer: str) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(answer)))
    assert (image.format, image.info["icc_profile"]) == ("PNG", srgb_profile())
    return image


# None for the default, bytes for another picture.
PALETTES = ["", "none", "source", "auto", "3", "#0b3c5d,orange:3", encoded("JPEG", (33, 44))]


@pytest.fixture(scope="module", autouse=True)
def champion(trained):
    """Whatever other tests have promoted, here it is the classification network."""
    promote("l2_ab", trained.version, force=True)


@pytest.fixture(scope="module", autouse=True)
def loaded_once():
    """Let all commands of this process share the networks that they load."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_module, "load_model", functools.cache(model_module.load_model))
        yield


@pytest.fixture(scope="module")
def model(champion):
    return load_registered(CHAMPION_URI)


@pytest.fixture(scope="module")
def server(champion, store):
    """MLflow's own scoring server with the champion, in this environment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "models", "serve", "-m", CHAMPION_URI, "-p", str(port),
         "--env-manager", "local"],
        env=environment(store),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            assert process.poll() is None, "the server ended"
            try:
                urllib.request.urlopen(f"{url}/ping", timeout=5)
                break
            except OSError:
                time.sleep(0.5)
        else:
            pytest.fail("the server did not come up")
        yield f"{url}/invocations"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def post(url: str, body: dict) -> list[dict]:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["predictions"]


class TestOverHttp:
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
    def test_every_format_comes_back_as_png_of_its_own_size(self, server, kind):
        (answer,) = post(server, {"inputs": {"image": [as_text(encoded(kind))]}})
        assert decoded(answer["image"]).size == (90, 130)

    def test_several_at_once_of_different_sizes(self, server):
        sizes = [(40, 60), (60, 40), (1, 1)]
        rows = [[as_text(encoded("PNG", size))] for size in sizes]
        answers = post(server, {"dataframe_split": {"columns": ["image"], "data": rows}})
        assert [decoded(answer["image"]).size for answer in answers] == sizes

    def test_temperature_and_vividness_change_the_colors(self, server):
        image = {"image": [as_text(encoded("PNG"))]}
        free = {"palette": "none"}
        changes = ({"temperature": 1e-3}, {"temperature": 1.0}, {"vividness": 1.0}, {})
        parameters = [{**free, **change} for change in changes]
        bold, mild, vivid, plain = (
            np.asarray(decoded(post(server, {"inputs": image, "params": one})[0]["image"])).astype(
                int
            )
            for one in parameters
        )
        assert np.abs(bold - mild).max() > 2
        assert np.abs(vivid - plain).max() > 2

    @pytest.mark.parametrize(
        ("image", "parameters", "words"),
        [
            ("%%%", {}, "not base64"),
            ([["nested"]], {}, "neither bytes nor base64 text"),
            (as_text(b"hello"), {}, "not an image"),
            (as_text(encoded("JPEG")[:900]), {}, "damaged"),
            (as_text(encoded("PNG")), {"temperature": -1.0}, "temperature"),
            (as_text(encoded("PNG")), {"vividness": 1.5}, "vividness"),
            (as_text(encoded("PNG")), {"palette": "#12345"}, "'#12345' is not a color"),
            (as_text(encoded("PNG")), {"palette": "plaid"}, "'plaid' is not a palette"),
            (as_text(encoded("PNG")), {"palette": "/etc/passwd"}, "is not a palette"),
            (as_text(encoded("PNG")), {"palette": "QUJD" * 99}, "palette: not an image"),
            (as_text(encoded("PNG")), {"palette": "auto", "hint": "9,9"}, "'9,9' is not a hint"),
            (as_text(encoded("PNG")), {"hint": "900,9=red"}, "lies outside of the picture"),
        ],
    )
    def test_bad_input_is_a_400_with_the_reason(self, server, image, parameters, words):
        with pytest.raises(urllib.error.HTTPError) as caught:
            post(server, {"inputs": {"image": [image]}, "params": parameters})
        assert caught.value.code == 400
        assert words in json.load(caught.value)["message"]

    @pytest.mark.parametrize("palette", PALETTES, ids=lambda value: str(value)[:12])
    def test_it_gives_the_pixels_of_apply(self, server, palette, tmp_path):
        """For every kind of palette, over HTTP and by the command line."""
        source = tmp_path / "poster.png"
        source.write_bytes(encoded("PNG"))
        parameters, typed = {"palette": palette, "hint": "10,10=red 50%,50%=neutral"}, palette
        numbers = {"strength": 0.8, "temperature": 0.5, "vividness": 0.7}
        parameters |= {"restore": "0.7", "neutrals": 0.3, **numbers}
        if isinstance(palette, bytes):
            (tmp_path / "other.jpg").write_bytes(palette)
            parameters["palette"] = f"data:image/jpeg;base64,{as_text(palette)}"
            typed = str(tmp_path / "other.jpg")
        (answer,) = post(
            server, {"inputs": {"image": [as_text(encoded("PNG"))]}, "params": parameters}
        )
        options = ["--hint", "10,10=red", "--hint", "50%,50%=neutral"]
        options += ["--restore", "0.7", "--neutrals", "0.3"]
        options += [word for name, value in numbers.items() for word in (f"--{name}", str(value))]
        options += ["--palette", typed] if typed else []
        result = CliRunner().invoke(
            main, ["apply", str(source), "--out", f"{tmp_path}/o", *options]
        )
        assert result.exit_code == 0, result.output
        with Image.open(tmp_path / "o" / "poster.png") as applied:
            difference = np.asarray(applied).astype(int) - np.asarray(decoded(answer["image"]))
        assert np.abs(difference).max() <= 1


def test_recolor_serve_takes_the_champion(trained, store, forge, tmp_path):
    """What else it does: tests/test_serve.py."""
    with Served(forge, tmp_path, MLFLOW_TRACKING_URI=store) as server:
        status, headers, _ = server.ask("POST", "/recolor", encoded("PNG"))
        assert (status, headers["recolor-version"]) == (200, trained.version)
        assert "champion; classification" in server.said
        # The page shows it to people who have no command line.
        about = json.loads(server.ask("GET", "/model")[2])["about"]
        assert "champion; classification" in about and "--" not in about
        assert server.end(signal.SIGINT) == 0


@pytest.mark.parametrize(
    ("count", "form"),
    [
        (2, lambda texts, files: {"image": texts}),
        (2, lambda texts, files: {"image": tuple(texts)}),
        (2, lambda texts, files: {"image": files}),
        (2, lambda texts, files: {"image": [texts[0], files[1]]}),
        (2, lambda texts, files: {"image": [bytearray(files[0]), memoryview(files[1])]}),
        (1, lambda texts, files: {"image": texts[0]}),
        (1, lambda texts, files: {"image": files[0]}),
        (2, lambda texts, files: {"image": np.array(texts)}),
        (2, lambda texts, files: {"image": np.array(texts).reshape(2, 1)}),
        (2, lambda texts, files: {"image": np.array(files)}),
        (2, lambda texts, files: [{"image": texts[0]}, {"image": files[1]}]),
        (2, lambda texts, files: pd.DataFrame({"image": [texts[0], files[1]]})),
        (2, lambda texts, files: pd.DataFrame({"image": texts}, dtype="string")),
        (2, lambda texts, files: pd.Series(files, name="image")),
        (0, lambda texts, files: {"image": []}),
    ],
)
def test_images_are_taken_in_every_form_that_mlflow_takes(model, count, form):
    sizes = [(12, 16), (9, 20)]
    files = [encoded("PNG", size) for size in sizes]
    answers = model.predict(form([*map(as_text, files)], files), {"palette": "none"})
    assert [decoded(answer["image"]).size for answer in answers] == sizes[:count]


@pytest.mark.parametrize(
    "written",
    [
        lambda text: "\n".join(text[at : at + 76] for at in range(0, len(text), 76)) + "\n",
        lambda text: f" {text[:50]}\r\n\t{text[50:]}",
        lambda text: f"data:image/png;base64,{text}",
        lambda text: f"DATA:image/png;base64,\n{text[:99]}\n{text[99:]}",
    ],
    ids=["wrapped", "blanks", "data URL", "wrapped data URL"],
)
def test_base64_is_taken_as_encoders_write_it(model, written):
    text = as_text(encoded("PNG"))
    plain, other = (
        model.predict(pd.DataFrame({"image": [one]}), {"palette": "none"})[0]["image"]
        for one in (text, written(text))
    )
    assert plain == other


@pytest.mark.parametrize("parameter", [option.name for option in fields(Decoding)])
def test_null_stands_for_the_default_of_a_parameter(model, parameter):
    image = pd.DataFrame({"image": [as_text(encoded("PNG", (40, 60)))]})
    assert model.predict(image, {parameter: None}) == model.predict(image)


@pytest.mark.slow
def test_memory_is_bounded_and_comes_back_after_a_large_picture(store, tmp_path):
    """In a process of its own, whose memory no other test has used."""
    code = (
        "import re; from pathlib import Path\n"
        "from recolor.platform.cli.main import main\n"
        "def apply(number, *sizes):\n"
        "    from PIL import Image\n"
        "    folder = Path(str(number)); folder.mkdir()\n"
        "    for width, height in sizes:\n"
        "        picture = Image.linear_gradient('L').resize((width, height))\n"
        "        picture.convert('RGB').save(folder / f'{width}.png')\n"
        "    out = f'out{number}'\n"
        "    main(['apply', str(folder), '--out', out, '--model', 'regression'], 'recolor',\n"
        "         standalone_mode=False)\n"
        # Not getrusage's peak, which begins with that of the process that has started this one.
        "    status = Path('/proc/self/status').read_text()\n"
        "    now, peak = (int(re.search(f'{name}:\\s*(\\d+)', status)[1]) / 1e3\n"
        "                 for name in ('VmRSS', 'VmHWM'))\n"
        "    print('MB:', now, peak)\n"
        "apply(1, (60, 90)); apply(2, (6000, 4000)); apply(3, (61, 90), (62, 90), (63, 90))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment(store), cwd=tmp_path, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    # Of its compiler, TensorFlow would say that it is there.
    assert "XLA" not in result.stderr
    told = re.findall("MB: (.*) (.*)", result.stdout)
    (before, _), (_, peak), (after, _) = (map(float, numbers) for numbers in told)
    # Where pictures are painted whole, it is 2000 MB, and most of them stay. Each command loads a
    # network of its own, which takes a part of these.
    assert peak - before < 1000
    assert after - before < 250


def recolored(painter, rgb: np.ndarray, **options) -> np.ndarray:
    """Recolor an array, unrestored, without a palette and vividness where none is given."""
    options = {"palette": "none", "vividness": 0.0, "restore": 0.0, **options}
    return np.asarray(painter.recolor(Image.fromarray(rgb), Decoding(**options)))


@pytest.fixture(scope="module")
def painter(model):
    return model.unwrap_python_model().painter


@pytest.mark.parametrize("palette", ["none", "teal,orange"])
def test_lightness_stays_at_full_resolution(painter, palette):
    rgb = samples.chelsea()
    colored = recolored(painter, rgb, palette=palette)
    assert colored.shape == rgb.shape
    before, after = rgb2lab(rgb)[..., 0], rgb2lab(colored)[..., 0]
    # Colors outside of sRGB are clipped, which moves the lightness of a few pixels.
    assert np.percentile(np.abs(before - after), 90) < 1.0


def test_without_a_palette_colors_of_the_source_do_not_matter(painter):
    rgb = samples.chelsea()
    lightness = np.rint(rgb2lab(rgb)[..., 0] * 2.55).astype(np.uint8)
    gray = lab8_to_rgb(lightness, np.zeros((*lightness.shape, 2)))
    answers = [recolored(painter, image, palette="none") for image in (rgb, gray)]
    # A copy in 8-bit gray is up to one step of lightness off.
    assert np.percentile(np.abs(answers[0].astype(int) - answers[1]), 99) <= 8


def test_the_graph_agrees_with_the_training_pipeline(model, painter):
    """The same image by the shards' way (Pillow, scikit-image) and by the served graph's."""
    kind, network = find_weights(CHAMPION_URI).network()
    size = model.metadata.metadata["size"]
    image = Image.fromarray(samples.astronaut()).resize((100, 150))
    square, box = letterbox(image, size)
    lab = rgb2lab(square)
    lightness = np.rint(lab[..., 0] * 2.55).astype(np.uint8)[None, ..., None]
    ab = kind.decode(network([lightness, np.zeros((1, 1000))]), 0.38)[0][box.slices]
    full_lightness = rgb2lab(np.asarray(image))[..., :1].astype(np.float32)
    small = lightness[0][box.slices].astype(np.float32) / 2.55
    lines = fitted_lines(ab, small, round(size * WINDOW))
    for axis, count in enumerate(full_lightness.shape[:2]):
        lines = interpolated(lines, np.arange(count), count, axis)
    full_ab = on_lines(lines, full_lightness)
    expected_lab = np.concatenate([full_lightness, full_ab], axis=-1)
    expected = np.rint(255 * np.clip(lab2rgb(expected_lab), 0, 1))
    colored = recolored(painter, np.asarray(image))
    assert np.percentile(np.abs(colored - expected), 99) <= 3


WAYS = [
    {"palette": "none", "vividness": None},
    {"palette": "teal,orange", "vividness": None},
    {"palette": "3", "strength": 0.4, "hint": parse_hints(["50%,40%=red"])},
    {"palette": "source", "strength": 0.6, "hint": parse_hints(["50%,40%=red"])},
]


@pytest.mark.parametrize("options", WAYS, ids=str)
def test_a_picture_is_painted_in_parts_as_it_would_be_at_once(painter, monkeypatch, options):
    rgb = samples.chelsea()
    at_once = recolored(painter, rgb, **options)
    assert rgb.shape[0] * rgb.shape[1] > PIECE
    monkeypatch.setattr("recolor.models.painter.PIECE", 7 * rgb.shape[1])
    in_parts = recolored(painter, rgb, **options)
    assert np.abs(at_once.astype(int) - in_parts).max() <= 1


@pytest.mark.parametrize("kind", PAPER)
def test_compiled_steps_give_the_pixels_of_plain_ones(kind, monkeypatch):
    painter = model_module.load_model(kind).painter
    rgb, ways = (
        samples.chelsea(),
        WAYS if painter.network.takes_palette else [{"palette": "source", "strength": 0.3}, {}],
    )
    compiled = [recolored(painter, rgb, **options) for options in ways]
    monkeypatch.setattr("recolor.platform.serving.saved_model._compiled", lambda step: step)
    for options, expected in zip(ways, compiled, strict=True):
        assert np.abs(recolored(painter, rgb, **options).astype(int) - expected).max() <= 1


def test_pieces_are_painted_by_all_cores_and_no_more(painter, monkeypatch):
    """However many pictures are painted at once; and what goes wrong with a piece is raised."""
    lock, now, most = Lock(), 0, 0

    def paint(rgb, top, **given):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.01)
        with lock:
            now -= 1
        if top == 140:
            raise MemoryError
        return {"rgb": 255 - rgb}

    monkeypatch.setattr("recolor.models.painter.PIECE", 7 * 451)
    network = replace(painter.network, paint=paint)
    watched = replace(painter, load=lambda: network)
    rgb = samples.chelsea()
    with ThreadPoolExecutor(3) as pool:
        inverted = pool.map(lambda _: recolored(watched, rgb[:140]), range(3))
        for picture in inverted:
            np.testing.assert_array_equal(picture, 255 - rgb[:140])
    assert min(2, os.cpu_count()) <= most <= os.cpu_count()
    with pytest.raises(MemoryError):
        recolored(watched, rgb)


def test_the_default_signature_takes_files(model):
    """What TensorFlow Serving calls: bytes in, PNG bytes out, with transparency over white."""
    clear = io.BytesIO()
    Image.new("RGBA", (20, 30), (200, 10, 10, 0)).save(clear, "PNG")
    gray = io.BytesIO()
    Image.new("L", (31, 21), 128).save(gray, "JPEG")
    files = [encoded("JPEG"), clear.getvalue(), gray.getvalue()]
    images = served_images(model, files, restore=0.0, keep=0.0)
    assert [image.size for image in images] == [(90, 130), (20, 30), (31, 21)]
    assert rgb2lab(np.asarray(images[1]))[..., 0].min() > 95


def served_images(model, files: list[bytes], **numbers: float) -> list[Image.Image]:
    """Ask the SavedModel's default signature."""
    serve = model.unwrap_python_model().saved_model.signatures["serving_default"]
    numbers = {"temperature": 0.38, "vividness": 0.5, "strength": 1.0, **numbers}
    answers = serve(
        image=tf.constant(files),
        palette=np.zeros((1024, 3), np.float32),
        **{name: tf.constant(number) for name, number in numbers.items()},
    )
    return [Image.open(io.BytesIO(answer)) for answer in answers["image_bytes"].numpy()]


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_the_default_signature_restores_as_apply_does(model, painter, share):
    pictures, files = [], []
    for size in ((90, 130), (500, 333), (257, 256), (800, 1100)):
        fresh = np.asarray(Image.fromarray(samples.astronaut()).resize(size))
        pictures.append(Image.fromarray(aged(fresh, np.random.default_rng(4))))
        files.append(png_file(pictures[-1]))
    way = Decoding(restore=share)
    answers = served_images(model, files, restore=share, keep=1.0)
    for picture, answer in zip(pictures, answers, strict=True):
        expected = np.asarray(painter.recolor(picture, way))
        assert within_one_level(answer, expected)
        assert within_one_level(answer, picture) == (share == 0)


def test_the_default_signature_recolors_what_it_has_restored(model, painter):
    fresh = np.asarray(Image.fromarray(samples.astronaut()).resize((240, 360)))
    picture = Image.fromarray(aged(fresh, np.random.default_rng(4)))
    (answer,) = served_images(model, [png_file(picture)], restore=1.0, keep=0.0)
    way = Decoding(palette="none", temperature=0.38, vividness=0.5)
    difference = np.abs(np.int16(answer) - np.int16(painter.recolor(picture, way)))
    # What is restored differs by a gray level here and there, which a network makes more of.
    assert difference.mean() < 1 and np.percentile(difference, 99) <= 4


def png_file(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def within_one_level(one, other) -> bool:
    """Whether 99.5 % of the values are."""
    return (np.abs(np.int16(one) - np.int16(other)) <= 1).mean() >= 0.995


def test_files_keep_name_format_and_size(model, tmp_path):
    folder = tmp_path / "in" / "deep"
    folder.mkdir(parents=True)
    for name, kind in (("a.jpg", "JPEG"), ("b.PNG", "PNG"), ("c.webp", "WEBP"), ("d.gif", "GIF")):
        (folder / name).write_bytes(encoded(kind))
    (folder / "broken.jpg").write_bytes(encoded("JPEG")[:500])
    out = tmp_path / "out"
    outcome = recolor_files(
        model_module.load_model(CHAMPION_URI).painter, [tmp_path / "in"], out, sheet=True
    )
    assert [name for name, _ in outcome.skipped] == ["deep/broken.jpg"]
    for name, kind in (("a.jpg", "JPEG"), ("b.PNG", "PNG"), ("c.webp", "WEBP"), ("d.gif", "GIF")):
        with Image.open(out / "deep" / name) as image:
            assert (image.format, image.size) == (kind, (90, 130))
            assert kind == "GIF" or image.info["icc_profile"] == srgb_profile()
    with Image.open(outcome.sheet) as sheet:
        assert sheet.width > 600
    assert not list(out.rglob(".recolor*"))


def exhausted_by_tensorflow():
    # It would try for ten seconds before it says so itself.
    raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")


@pytest.mark.parametrize("exhaust", [lambda: np.ones([2**45]), exhausted_by_tensorflow])
def test_a_picture_that_memory_is_too_small_for_is_skipped(exhaust, posters, tmp_path):
    class Greedy(Painter):
        def see(self, *arguments, **options):
            return exhaust()

    network = Network(None, None, None, None, OwnDecoding(), "greedy", 64, takes_palette=True)
    painter = Greedy(lambda: network, Restorer.bundled())
    outcome = recolor_files(painter, [posters[0]], tmp_path / "out")
    assert outcome.skipped == [(posters[0].name, "too large for this machine's memory")]


def test_rotated_photos_come_out_upright(model, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "phone.jpg").write_bytes(encoded("JPEG", (90, 130), exif=exif))
    recolor_files(
        model_module.load_model(CHAMPION_URI).painter, [tmp_path / "phone.jpg"], tmp_path / "out"
    )
    with Image.open(tmp_path / "out" / "phone.jpg") as image:
        assert image.size == (130, 90)
        assert not image.getexif()


@pytest.mark.slow
def test_the_model_runs_in_an_environment_of_its_own_requirements(trained, tmp_path):
    """A fresh virtual environment, without this project."""
    model_folder = mlflow.artifacts.download_artifacts(CHAMPION_URI, dst_path=str(tmp_path))
    python = tmp_path / "venv" / "bin" / "python"
    # A pip of its own would take it three seconds. Most of what is installed is never imported, and
    # need not be compiled.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--no-compile"]
    requirements = f"{model_folder}/requirements.txt"
    subprocess.run([*install, "--quiet", "-r", requirements], check=True)
    (tmp_path / "poster.webp").write_bytes(encoded("WEBP"))
    script = (
        "import base64, sys, mlflow, pandas, importlib.util\n"
        "assert importlib.util.find_spec('optuna') is None\n"
        "model = mlflow.pyfunc.load_model(sys.argv[1])\n"
        "text = base64.b64encode(open(sys.argv[2], 'rb').read()).decode()\n"
        "frame = pandas.DataFrame({'image': [text]})\n"
        "answer = model.predict(frame, params={'temperature': 0.3})\n"
        "open(sys.argv[3], 'wb').write(base64.b64decode(answer[0]['image']))\n"
    )
    result = subprocess.run(
        [python, "-c", script, model_folder, tmp_path / "poster.webp", tmp_path / "answer.png"],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    with Image.open(tmp_path / "answer.png") as image:
        assert (image.format, image.size) == ("PNG", (90, 130))
