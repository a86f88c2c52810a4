"""The command line as users meet it: what they type wrong, and files that are not as they seem."""

import json
import os
import re
import shutil
import unicodedata
from pathlib import Path

import mlflow
import numpy as np
import pytest
from click.testing import CliRunner
from conftest import environment
from PIL import Image, ImageColor

from recolor import Recipe, load_model
from recolor.datasets.palettes.palette import Palette
from recolor.platform.cli import output
from recolor.platform.cli.errors import UnexpectedError
from recolor.platform.cli.main import main
from recolor.platform.cli.messages import epochs_said, messages

pytestmark = pytest.mark.usefixtures("bundled_networks_loaded_once")


def run(*arguments, **environment):
    """Run a command in this process; an error that recolor does not know is a bug."""
    # Each process that reads images takes a second to begin.
    environment = {"RECOLOR_PREPARE_WORKERS": "1", **environment}
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code != UnexpectedError.exit_code, result.output
    return result


def error(result) -> str:
    assert result.exit_code != 0
    assert "Traceback" not in result.output
    (message,) = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    return message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prepare"], "Missing argument 'IMAGES...'"),
        (["prepare", "/nowhere"], "/nowhere: no such file or folder"),
        (["prepare", ".", "--split", "1,2"], "split '1,2' is neither"),
        (["prepare", ".", "--size", "7"], "7 is not in the range"),
        (["prepare", ".", "--size", "1032"], "1032 is not in the range 8<=x<=1024"),
        (["prepare", ""], "'IMAGES...': It is empty"),
        (["prepare", ".", "--out", ""], "'--out': It is empty"),
        (["prepare", "/dev/zero"], "'/dev/zero' is a device"),
        (["apply", ".", "", "--out", "x"], "'IMAGES...': It is empty"),
        (["apply", ".", "--out", ""], "'--out': It is empty"),
        (["apply", ".", "--out", "x", "--model", ""], "'--model': It is empty"),
        (["apply", ".", "--out", "x", "--palette", ""], "'--palette': It is empty"),
        (["apply", ".", "--out", "x", "--hints", ""], "'--hints': It is empty"),
        (["apply", ".", "--out", "x", "--hints", "/dev/zero"], "'/dev/zero' is a device"),
        (["apply", ".", "--out", "x", "--overwrite", "--skip-existing"], "leave out one"),
        (["evaluate", "--data", ""], "'--data': It is empty"),
        (["evaluate", "--model", ""], "'--model': It is empty"),
        (["evaluate", "--json", "/dev/full"], "'/dev/full' exists and is not a file"),
        (["train", "--data", "", "--model", "regression"], "'--data': It is empty"),
        (["train", "--resume", ""], "'--resume': It is empty"),
        (["promote", "--data", ""], "'--data': It is empty"),
        (["import-weights", ""], "'FILE': It is empty"),
        (["demo", "--out", ""], "'--out': It is empty"),
        (["demo-posters", "--out", ""], "'--out': It is empty"),
        (["palettes", "--chart", ""], "'--chart': It is empty"),
        (["studies", "--storage", ""], "'--storage': It is empty"),
        (["prepare", ".", "--seed", "-1"], "-1 is not in the range"),
        (["train", "--data", "/nowhere", "--model", "regression"], "/nowhere does not exist"),
        # Of the default kind.
        (["train", "--data", "/nowhere"], "/nowhere does not exist"),
        (["tune", "--data", "/nowhere"], "/nowhere does not exist"),
        (["train", "--model", "gan"], "'gan' is not one of"),
        (["train", "--model", "unet+haf"], "'unet+haf' is not one of 'unet+quick', 'unet+random'"),
        (["train", "--model", "regression", "--learning-rate", "0"], "0"),
        (["evaluate", "--data", "/nowhere"], "/nowhere does not exist"),
        (["evaluate", "--split", "half"], "'half' is not one of"),
        (["promote", "--metric", "beauty"], "'beauty' is not one of l2_ab"),
        (["promote", "--metric", "n_classes"], "'n_classes' is not one of"),
        (["promote", "--metric", "kernel_distance_lite0"], "is not one of l2_ab"),
        (["promote", "--rollback", "--version", "1"], "--rollback goes with neither"),
        (["apply", "/nowhere", "--out", "/tmp/out"], "/nowhere: no such file or folder"),
        (["palettes", "--make", "/nowhere"], "--make and --out go together"),
        (["palettes", "--make", "/nowhere", "--out", "x.json"], "/nowhere does not exist"),
        (["palettes", "--library", "/nowhere"], "/nowhere can't be read"),
        (["demo-posters", "--out", "/tmp/x", "--era", "future"], "'future' is not one of"),
        (["demo-posters", "--out", "/tmp/x", "--count", "0"], "0 is not in the range"),
        (["paint"], "No such command 'paint'"),
        (["aply"], "No such command 'aply'. Did you mean 'apply'?"),
        (["apply", "--quiet"], "It goes before the command: recolor --quiet ..."),
        (["--log-file", "/nowhere/log", "palettes"], "/nowhere/log can't be written: No such file"),
        (["train", "--epoch", "1"], "No such option '--epoch'. Did you mean '--epochs'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_typed_wrong_gets_one_line(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert words in error(run(*arguments))
    assert not list(tmp_path.rglob("dataset.json"))


def test_an_empty_folder_and_one_without_images(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no images in" in error(run("prepare", tmp_path / "empty", "--out", tmp_path / "data"))
    (tmp_path / "empty" / "notes.txt").write_text("hello")
    assert "no images in" in error(run("prepare", tmp_path / "empty", "--out", tmp_path / "data"))
    assert not (tmp_path / "data").exists()


def test_a_folder_with_nothing_usable(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "fake.jpg").write_text("hello")
    message = error(run("prepare", tmp_path / "in", "--out", tmp_path / "data"))
    assert "none of the 1 images can be used: not an image" in message
    assert [path.name for path in (tmp_path / "data").iterdir()] == [".lock"]


def test_a_size_that_the_networks_can_not_take(posters, tmp_path):
    message = error(run("prepare", *posters[:3], "--out", tmp_path / "data", "--size", 30))
    assert "size 30 is not a multiple of 8" in message


def test_a_folder_that_can_not_be_written(posters, tmp_path):
    (tmp_path / "file").write_text("in the way")
    message = error(run("prepare", *posters[:3], "--out", tmp_path / "file" / "data"))
    assert f"'{tmp_path}/file' exists and is not a folder" in message


@pytest.mark.parametrize("command", ["prepare", "apply", "demo-posters"])
def test_a_circle_of_links_is_no_folder(command, posters, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    images = posters[:3] if command in ("prepare", "apply") else []
    for out in ("loop", "loop/deeper"):
        message = error(run(command, *images, "--out", out))
        assert "'loop' exists and is not a folder" in message


def test_a_missing_weights_file(posters, tmp_path):
    arguments = ["prepare", *posters[:3], "--out", tmp_path / "data", "--embedding", "/no/such.h5"]
    assert "neither imagenet, efficientnet-lite0, random, none nor a weights file" in error(
        run(*arguments)
    )


def test_ugly_files_are_counted_and_the_rest_is_prepared(posters, tmp_path):
    """The files that users really have, all at once."""
    folder = tmp_path / "in"
    folder.mkdir()
    for path in posters[:6]:
        shutil.copy(path, folder)
    good = Image.open(posters[6])
    good.convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(np.arange(6400, dtype=np.uint16).reshape(80, 80) * 10).save(folder / "16.png")
    palette = good.convert("P")
    palette.save(folder / "palette.png", transparency=3)
    exif = Image.Exif()
    exif[0x0112] = 8
    good.save(folder / "phone.jpg", exif=exif)
    usable = 10
    (folder / "text.jpg").write_text("hello")
    (folder / "cut.jpg").write_bytes(posters[7].read_bytes()[:2000])
    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    Image.new("1", (20_000, 20_000)).save(folder / "bomb.png")
    result = run("prepare", folder, "--out", tmp_path / "data", "--split", "8,1,1", "--size", 16)
    assert result.exit_code == 0, result.output
    assert "8 train, 1 validation, 1 test posters" in result.output
    assert "4 skipped" in result.output
    for name in ("text.jpg", "cut.jpg", "dot.png", "bomb.png"):
        assert f"skipped {name}: " in result.output
    content = json.loads((tmp_path / "data" / "dataset.json").read_text())
    assert content["posters"]["used"] == usable
    for picture in ("classes.png", "preview.png"):
        with Image.open(tmp_path / "data" / picture) as image:
            assert len(image.convert("L").getcolors(1 << 16)) > 2


def test_what_can_not_be_done_without_a_split_is_said(posters, tmp_path):
    arguments = ["prepare", *posters[:5], "--size", 16, "--out"]
    result = run(*arguments, tmp_path / "a", "--split", "0,0,5")
    assert result.exit_code == 0, result.output
    assert "no train posters: nothing can be trained" in result.output
    assert "no validation posters: what is trained" in result.output
    result = run(*arguments, tmp_path / "b")
    assert "too few for any test posters: evaluate with" in result.output


def test_damaged_shards_are_said_in_one_line(manifest, store, tmp_path):
    copy = tmp_path / "data"
    shutil.copytree(manifest.folder, copy)
    for shard in copy.glob("*.tfrecord"):
        data = bytearray(shard.read_bytes())
        data[len(data) // 2] ^= 0xFF
        shard.write_bytes(data)
    for arguments in (["evaluate"], ["train", "--model", "regression", "--epochs", 1]):
        message = error(run(*arguments, "--data", copy))
        assert re.search(r"/data/\w+-00000-of-00001.tfrecord is not the file that was", message)
        assert message.endswith(f"{copy} --repair IMAGES` makes it again")


def test_evaluate_writes_table_and_figures(manifest, trained, tmp_path):
    table, figures = tmp_path / "deep" / "table.md", tmp_path / "figures.json"
    uri = f"models:/poster-recolor/{trained.version}"
    result = run(
        *("evaluate", "--data", manifest.folder, "--model", uri),
        *("--markdown", table, "--json", figures),
    )
    assert result.exit_code == 0, result.output
    columns = json.loads(figures.read_text())["columns"]
    assert list(columns) == [uri, "gray", "mean color", "truth"]
    assert columns["truth"]["l2_ab"] == 0
    assert columns["gray"]["n_classes"] == 1
    assert "239.99" not in table.read_text() and "240.0" in table.read_text()
    assert uri in table.read_text()


@pytest.mark.slow
def test_evaluate_marks_models_that_may_know_the_posters(manifest, trained, tmp_path):
    """Of the bundled classification, nobody knows what it held out; the U-Net held out others."""
    figures = tmp_path / "figures.json"
    uri = f"models:/poster-recolor/{trained.version}"
    models = ["--model", uri, "--model", "classification", "--model", "unet"]
    told = ["--told", "palette"]
    result = run("evaluate", "--data", manifest.folder, *models, *told, "--json", figures)
    assert result.exit_code == 0, result.output
    warned = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    assert [line.split()[1] for line in warned] == ["classification", "unet"]
    assert all("may have learned from some of these posters" in line for line in warned)
    header, *_, note = result.stdout.splitlines()
    columns = [cell.strip() for cell in header.split("|")[2:5]]
    marked = [f"{name} †, told palette" for name in ("classification", "unet")]
    assert columns == [f"{uri}, told palette", *marked]
    assert note.startswith("† may have learned from some of these posters")
    found = json.loads(figures.read_text())
    assert found["may_know"] == ["classification", "unet"]
    assert "unet, told palette" in found["columns"]
    seen = run("evaluate", "--data", manifest.folder, "--model", uri, "--split", "train")
    assert f"warning: {uri} may have learned from some of these posters" in seen.stderr


def test_evaluate_without_a_model_gives_the_baselines(manifest, store):
    result = run("evaluate", "--data", manifest.folder)
    assert result.exit_code == 0, result.output
    header = next(line for line in result.stdout.splitlines() if line.startswith("| metric"))
    assert [cell.strip() for cell in header.split("|")[2:5]] == ["gray", "mean color", "truth"]


def test_a_model_is_evaluated_on_posters_of_another_size(trained, posters, tmp_path):
    """Posters twice as large, brought to the model's size and back, tell about the same."""
    uri = f"models:/poster-recolor/{trained.version}"
    measured = []
    for size in (32, 64):
        data, figures = tmp_path / str(size), tmp_path / f"{size}.json"
        arguments = ["prepare", *posters[:12], "--out", data, "--split", "2,0,10", "--size", size]
        assert run(*arguments).exit_code == 0
        result = run("evaluate", "--data", data, "--model", uri, "--json", figures)
        assert result.exit_code == 0, result.output
        measured.append(json.loads(figures.read_text())["columns"][uri])
    assert measured[1]["l2_ab"] == pytest.approx(measured[0]["l2_ab"], rel=0.1)
    assert measured[1]["colorfulness"] == pytest.approx(measured[0]["colorfulness"], rel=0.1)


def test_a_model_that_does_not_exist(manifest, store):
    message = error(
        run("evaluate", "--data", manifest.folder, "--model", "models:/poster-recolor/99")
    )
    assert "models:/poster-recolor/99 can't be loaded" in message


def test_resuming_by_other_settings_is_refused(manifest, trained):
    arguments = ["train", "--data", manifest.folder, "--resume", trained.run_id]
    assert "only --epochs may change" in error(run(*arguments, "--batch-size", 9))
    assert "not a training run" in error(run(*arguments[:-1], "feedbeef"))
    assert "raise --epochs" in error(run(*arguments))


@pytest.mark.slow
def test_a_finished_run_goes_on_to_decode_otherwise_and_for_more_epochs(
    manifest, store, small_network
):
    arguments = ["train", "--data", manifest.folder]
    begin = ["--model", small_network, "--epochs", 1, "--batch-size", 10, "--vividness", 0.2]
    (run_id,) = re.findall(r"run (\w{32}),", run(*arguments, *begin).output)
    client = mlflow.MlflowClient()
    decoding = mlflow.artifacts.load_dict(f"runs:/{run_id}/decoding.json")
    assert decoding == {"temperature": 0.38, "vividness": 0.2}
    assert "raise --epochs" in error(run(*arguments, "--resume", run_id, "--vividness", 0.2))
    for option, epochs in ((["--vividness", 0.3], [1]), (["--epochs", 2], [1, 2])):
        result = run(*arguments, "--resume", run_id, *option)
        assert result.exit_code == 0, result.output
        version = re.search(r"version (\d+)", result.output)[1]
        about = mlflow.models.get_model_info(f"models:/poster-recolor/{version}").metadata
        assert (about["temperature"], about["vividness"]) == (0.38, 0.3)
        history = client.get_metric_history(run_id, "training/loss")
        assert [metric.step for metric in history] == epochs


def test_promote_and_apply(trained, posters, tmp_path):
    result = run("promote")
    assert result.exit_code == 0, result.output
    assert re.search(
        r"version \d+ \(l2_ab [\d.]+, told the palette\) is the champion", result.output
    )
    result = run("apply", posters[0], posters[1], "--out", tmp_path / "out", "--sheet")
    assert result.exit_code == 0, result.output
    assert "2 restored" in result.output
    assert (tmp_path / "out" / "before-after.png").exists()
    assert (tmp_path / "out" / posters[0].name).exists()
    assert Recipe.read(tmp_path / "out" / posters[0].name).model is None
    result = run("apply", posters[0], "--out", tmp_path / "teal", "--palette", "teal")
    assert result.exit_code == 0, result.output
    asked = Recipe.read(tmp_path / "teal" / posters[0].name).model
    weights = load_model("champion").weights
    assert (asked.version, asked.digest) == (str(trained.version), weights.digest)


def test_apply_does_not_overwrite_its_input(trained, posters, tmp_path):
    shutil.copy(posters[0], tmp_path / "poster.jpg")
    message = error(run("apply", tmp_path / "poster.jpg", "--out", tmp_path))
    assert "would be overwritten" in message
    assert (tmp_path / "poster.jpg").read_bytes() == posters[0].read_bytes()


def test_apply_refuses_two_inputs_for_one_output(trained, posters, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(posters[0], tmp_path / folder / "poster.jpg")
    message = error(run("apply", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "out"))
    assert "would both be written" in message


def test_apply_with_nothing_usable(trained, tmp_path):
    (tmp_path / "fake.jpg").write_text("hello")
    result = run("apply", tmp_path / "fake.jpg", "--out", tmp_path / "out")
    assert "no image could be recolored" in error(result)
    assert "skipped fake.jpg: not an image" in result.output


def test_what_is_no_image_is_counted_and_many_reasons_go_to_a_file(posters, store, tmp_path):
    folder = tmp_path / "in"
    (folder / ".Trashes").mkdir(parents=True)
    for name in ("good.jpg", "._good.jpg", ".Trashes/good.jpg"):
        shutil.copy(posters[0], folder / name)
    for name in ("a.SVG", "b.svg", "c.xcf", "no suffix"):
        (folder / name).write_bytes(b"something")
    Image.open(posters[1]).convert("CMYK").save(folder / "cmyk.jpg")
    for number in range(6):
        (folder / f"broken {number}.jpg").write_text("hello")
    out, arguments = tmp_path / "out", ["--restore", "none", "--palette", "source"]
    result = run("apply", folder, "--out", out, *arguments)
    assert result.exit_code == 3, result.output
    assert "2 restored" in result.output
    assert "takes no such files: 2 .svg, 1 without a suffix, 1 .xcf\n" in result.output
    assert "CMYK became RGB: cmyk.jpg\n" in result.output
    assert f"6 skipped (1 more), all of them in {out / 'skipped.tsv'}" in result.output
    reasons = (out / "skipped.tsv").read_text().splitlines()
    assert reasons[0] == "image\treason"
    assert reasons[6] == "broken 5.jpg\tnot an image, or of an unknown format"
    assert sorted(file.name for file in out.iterdir()) == ["cmyk.jpg", "good.jpg", "skipped.tsv"]

    for file in folder.glob("broken*"):
        file.unlink()
    result = run("apply", folder, "--out", tmp_path / "again", *arguments, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["passed_over"] == {".svg": 2, ".xcf": 1, "": 1}
    assert not (tmp_path / "again" / "skipped.tsv").exists()


def test_options_come_from_the_environment_too(manifest, store):
    result = run(
        "evaluate", RECOLOR_EVALUATE_DATA=str(manifest.folder), RECOLOR_EVALUATE_SPLIT="validation",
        RECOLOR_EVALUATE_MODEL="", RECOLOR_EVALUATE_TEMPERATURE="",
    )  # fmt: skip
    assert result.exit_code == 0, result.output


def test_scripts_hear_what_they_want_to(tmp_path):
    log, out = tmp_path / "log", tmp_path / "posters"
    draw = ["--log-file", log, "demo-posters", "--count", "1"]
    assert run(*draw, "--out", out).output == f"1 modern posters in {out}\n"
    assert run("--quiet", *draw, "--out", out).output == ""
    assert run("--quiet", *draw, "--out", log).stderr.endswith("exists and is not a folder.\n")
    assert "teal" not in run("--quiet", "palettes").stderr
    assert run("--quiet", "palettes").stdout == run("palettes").stdout != ""
    lines = [line.split(" ", 2)[2] for line in log.read_text().splitlines()]
    assert lines[:2] == [f"INFO 1 modern posters in {out}"] * 2
    assert len(lines) == 3 and lines[2].startswith("ERROR Invalid value for '--out'")


def test_progress_is_lines_where_there_is_no_terminal(tmp_path, monkeypatch):
    draw = ["demo-posters", "--count", "2", "--out", tmp_path]
    assert run(*draw).stderr == ""
    monkeypatch.setattr(output, "LINE_SECONDS", 0)
    lines = run(*draw).stderr.splitlines()
    assert list(dict.fromkeys(line.partition(" in ")[0] for line in lines)) == [
        f"drawing: {count} of 2 posters" for count in (0, 1, 2)
    ]
    assert run("--quiet", *draw).stderr == ""


def test_what_keras_prints_is_said(capsys, tmp_path):
    for quiet in (False, True):
        with messages(quiet, tmp_path / "log"), epochs_said():
            print("Epoch 1/2\n1/1 - loss: 2")
    assert capsys.readouterr().out == "Epoch 1/2\n1/1 - loss: 2\n"
    assert (tmp_path / "log").read_text().count("INFO 1/1 - loss: 2\n") == 2


def test_demo_posters(tmp_path):
    result = run("demo-posters", "--out", tmp_path / "p", "--count", 3, "--era", "old", "--seed", 4)
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "p").glob("*.jpg"))) == 3


def test_a_store_that_can_not_be_reached(manifest, recolor, tmp_path):
    """In a process of its own: a real refused connection, by a real client."""
    variables = {**environment("http://127.0.0.1:9"), "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
    result = recolor("promote", env=variables, cwd=tmp_path)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "127.0.0.1" in result.stderr


def test_results_do_not_mix_with_originals(trained, posters, tmp_path):
    """A result may not fall on another input, nor into a folder that is read."""
    (tmp_path / "x" / "sub").mkdir(parents=True)
    for number, folder in enumerate((tmp_path / "x", tmp_path / "x" / "sub")):
        shutil.copy(posters[number], folder / "poster.jpg")
    message = error(run("apply", tmp_path / "x", "--out", tmp_path / "x" / "sub"))
    assert "choose another --out" in message
    message = error(
        run("apply", tmp_path / "x" / "poster.jpg", "--out", tmp_path / "x" / "sub" / "..")
    )
    assert "would be overwritten" in message
    assert (tmp_path / "x" / "sub" / "poster.jpg").read_bytes() == posters[1].read_bytes()


def test_a_poster_may_not_be_named_as_the_sheet(trained, posters, tmp_path):
    with Image.open(posters[0]) as image:
        image.save(tmp_path / "before-after.png")
    arguments = ["apply", tmp_path / "before-after.png", "--out", tmp_path / "out", "--sheet"]
    assert "would both be written" in error(run(*arguments))


def test_results_are_replaced_only_when_asked_to(posters, store, tmp_path):
    """It is refused before a model is loaded; the rest of an interrupted run can be done."""
    out = tmp_path / "out"
    arguments = ["apply", *posters[:3], "--out", out]
    model = ["--model", "regression"]
    assert run(*arguments[:2], "--out", out, *model, "--sheet").exit_code == 0
    first, sheet = out / posters[0].name, out / "before-after.png"
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in (first, sheet)}
    message = error(run(*arguments, "--sheet", "--model", "none such"))
    assert f"{first} is there already, and 1 more results: --overwrite replaces what" in message
    result = run(*arguments, "--sheet", "--skip-existing", *model)
    assert "2 restored" in result.output and "; 1 more were there already" in result.output
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in before} == before
    result = run(*arguments, "--skip-existing", *model)
    assert (result.exit_code, "nothing new in" in result.output) == (0, True)
    result = run(*arguments, "--sheet", "--overwrite", *model, "--palette", "none")
    assert "3 recolored" in result.output
    assert first.read_bytes() != before[first][0] and sheet.read_bytes() != before[sheet][0]


def test_what_is_in_the_way_of_one_poster_is_in_nobody_elses(posters, store, tmp_path):
    """A folder in the place of a result, and a file in the place of a folder."""
    for path, name in zip(posters[:3], ("a.jpg", "b.jpg", "deep/c.jpg"), strict=True):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "in" / name)
    (tmp_path / "out" / "a.jpg").mkdir(parents=True)
    (tmp_path / "out" / "deep").touch()
    result = run("apply", tmp_path / "in", "--out", tmp_path / "out", "--model", "regression")
    assert (result.exit_code, "1 restored" in result.output) == (3, True), result.output
    assert "skipped a.jpg: can't be written: Is a directory" in result.output
    assert "skipped deep/c.jpg: can't be written: " in result.output
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["a.jpg", "b.jpg", "deep"]


def test_files_are_named_without_the_codes_that_move_a_terminal(posters, store, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(posters[0], folder / "good.jpg")
    for name in (b"\x1b[2Jclear.jpg", b"two\nlines.jpg", b"broken-\xff.jpg", "café.jpg".encode()):
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_text("hello")
    result = run("apply", folder, "--out", tmp_path / "out", "--model", "regression")
    assert "\x1b" not in result.output
    for name in (r"\x1b[2Jclear.jpg", r"two\nlines.jpg", r"broken-\udcff.jpg", "café.jpg"):
        assert f"skipped {name}: not an image" in result.output
    assert r"/\x1b[2J: no such file" in error(run("apply", tmp_path / "\x1b[2J", "--out", "x"))


def test_of_an_animation_the_first_frame_is_recolored_and_said(posters, store, tmp_path):
    first, second = (Image.open(path).resize((60, 90)) for path in posters[:2])
    film = tmp_path / "film.gif"
    first.save(film, save_all=True, append_images=[second])
    shutil.copy(posters[2], tmp_path / "still.jpg")
    arguments = ["apply", film, tmp_path / "still.jpg", "--out", tmp_path / "out"]
    result = run(*arguments, "--model", "regression", "--restore", "none")
    assert "\nonly the first frame or page of film.gif\n" in result.output
    with Image.open(tmp_path / "out" / "film.gif") as recolored:
        assert recolored.n_frames == 1
        lightness = [np.asarray(image.convert("L"), int) for image in (recolored, first, second)]
    difference = [np.abs(lightness[0] - other).mean() for other in lightness[1:]]
    assert difference[0] < 0.3 * difference[1]


def test_what_prepare_writes_is_not_read_again(posters, tmp_path):
    for path in posters[:4]:
        shutil.copy(path, tmp_path)
    arguments = ["prepare", tmp_path, "--out", tmp_path / "data", "--split", "2,1,1"]
    for more in ([], ["--overwrite"]):
        assert run(*arguments, "--size", 16, *more).exit_code == 0
    content = json.loads((tmp_path / "data" / "dataset.json").read_text())
    assert content["posters"]["found"] == 4


def test_a_file_given_twice_counts_once_and_left_over_ones_are_said(posters, tmp_path):
    arguments = ["prepare", *posters[:4], *posters[:4], "--out", tmp_path / "data", "--size", 16]
    result = run(*arguments, "--split", "2,0,0")
    assert "2 train, 0 validation, 0 test posters" in result.output
    assert "2 more posters were left over" in result.output


def test_too_few_posters_for_any_split(posters, tmp_path):
    arguments = ["prepare", posters[0], "--out", tmp_path / "data", "--split", "0.1,0.1,0.1"]
    assert "too few" in error(run(*arguments, "--size", 16))


@pytest.mark.parametrize("value", ["nan", "inf", "1e-46", "-1"])
def test_temperatures_have_bounds(value, manifest, store):
    message = error(run("evaluate", "--data", manifest.folder, "--temperature", value))
    assert "'--temperature'" in message


def test_a_seed_that_is_too_large(manifest, store):
    arguments = ["train", "--data", manifest.folder, "--model", "regression", "--seed", 5 * 10**9]
    assert "5000000000 is not in the range" in error(run(*arguments))


def test_tables_are_not_written_to_folders(manifest, store, tmp_path):
    assert "is a directory" in error(run("evaluate", "--json", tmp_path))
    # Before anything is scored or trained; /proc takes no files, not even of root.
    command = ["evaluate", "--json", "/proc/x/y.json"]
    assert "/proc/x" in error(run(*command, "--data", manifest.folder))


@pytest.mark.parametrize("uri", ["s3://bucket/key", "https://127.0.0.1:9/x"])
def test_model_uris_that_lead_nowhere(uri, manifest, store):
    message = error(run("evaluate", "--data", manifest.folder, "--model", uri))
    assert f"model {uri} can't be loaded" in message


def test_models_that_are_nothing_known(manifest, posters, store, tmp_path):
    words = "is neither a file of weights nor one of regression, classification"
    for command in (["evaluate", "--data", manifest.folder], ["apply", posters[0], "--out", "x"]):
        assert f"nonsense.npz {words}" in error(run(*command, "--model", "nonsense.npz"))
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"PK")
    message = error(run("apply", posters[0], "--out", tmp_path / "out", "--model", damaged))
    assert "damaged.safetensors is not a complete file of weights" in message


def test_without_git_a_command_still_works(trained, recolor, store, tmp_path):
    variables = {**environment(store), "PATH": "/nonexistent"}
    result = recolor("evaluate", "--data", tmp_path, env=variables, cwd=tmp_path)
    assert "is not a whole data set" in result.stderr
    result = recolor("promote", env=variables, cwd=tmp_path)
    assert "champion" in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--palette", "#12345"], "'#12345' is not a color"),
        (["--palette", "teal,plaid"], "'plaid' is not a color"),
        (["--palette", "orange:0"], "the weight of orange must be more than 0"),
        (["--palette", "99"], "'99' is not a palette: give colors"),
        (["--palette", "missing.jpg"], "'missing.jpg' is not a palette"),
        (["--palette", "notes.txt"], "notes.txt: not an image"),
        (["--palette", ","], "'' is not a color"),
        (["--palette", "x" * 9999], "is not a palette"),
        (["--strength", "2"], "2"),
        (["--vividness", "nan"], "'nan' is not a finite number"),
        (["--crop", "much"], "'much' is not one of"),
        (["--restore", "much"], "restore must be auto, none or a number from 0 to 1, not 'much'"),
        (["--restore", "nan"], "restore must be auto, none or a number from 0 to 1, not nan"),
        (["--assign", "#c1121f"], "'#c1121f' is not an assignment: type COLOR=COLOR"),
        (["--assign", "red=plaid"], "assign 'red=plaid': 'plaid' is not a color"),
        (["--lock", "plaid"], "lock 'plaid' is not a color"),
        (["--palette", "none", "--lock", "red"], "under any palette but none"),
        (["--palette", "none", "--assign", "red=blue"], "under any palette but none"),
        (["--palette", "Blue and Orang"], "(did you mean 'blue and orange' or "),
        (["--palette", "teal,oragne:3"], "(did you mean 'orange'"),
        (["--hint", "101%,5=red"], "hint '101%,5=red' lies outside of any picture"),
        (["--hint", "5,-1=red"], "hint '5,-1=red' lies outside of any picture"),
        (["--restore", "1.5"], "restore must be auto, none or a number from 0 to 1, not 1.5"),
        (["--hint", "here=red"], "'here=red' is not a hint"),
        (["--hints", "notes.txt"], "notes.txt is not a JSON file"),
        (["--hints", "hints.json"], "there are hints for other.jpg"),
        (["--suggestions", "0"], "0 is not in the range"),
        (["--suggestions", "99", "--model", "classification"], "the library has 42 schemes"),
        (["--suggestions", "2", "--palette", "teal"], "leave out --palette"),
        (["--library", "notes.txt", "--palette", "auto"], "notes.txt is not a palette library"),
        (["--model", "regression", "--palette", "teal"], "a regression network gives one color"),
        (["--model", "regression", "--hint", "1,1=red"], "takes no hints"),
        (["--model", "regression", "--suggestions", "2"], "takes no palette"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_colors_that_are_typed_wrong(options, words, posters, store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "hints.json").write_text('{"other.jpg": ["1,1=red"]}')
    shutil.copy(posters[0], "poster.jpg")
    assert words in error(run("apply", "poster.jpg", "--out", "out", *options))
    assert not (tmp_path / "out").exists()


def test_hints_outside_of_one_picture_skip_that_one(posters, store, tmp_path):
    Image.new("RGB", (40, 60), "gray").save(tmp_path / "small.png")
    Image.new("RGB", (400, 600), "gray").save(tmp_path / "large.png")
    arguments = [
        "apply",
        tmp_path,
        "--out",
        tmp_path.parent / "hinted",
        "--model",
        "classification",
    ]
    result = run(*arguments, "--hint", "300,10=red")
    assert "1 recolored" in result.output
    assert "skipped small.png: the hint at 300,10 lies outside of the picture" in result.output


def test_hints_of_a_file_reach_pictures_in_folders(posters, store, tmp_path):
    """Also where the file system writes an accent apart from its letter."""
    name = unicodedata.normalize("NFD", "caf\u00e9.jpg")
    (tmp_path / "in" / "1984").mkdir(parents=True)
    shutil.copy(posters[0], tmp_path / "in" / "1984" / name)
    hints = {"1984/caf\u00e9.jpg": ["50%,50%=#ff0000"] * 3}
    (tmp_path / "hints.json").write_text(json.dumps(hints))
    arguments = ["apply", tmp_path / "in", "--model", "classification", "--palette", "gray"]
    for out, options in (("plain", []), ("hinted", ["--hints", tmp_path / "hints.json"])):
        assert run(*arguments, "--out", tmp_path / out, *options).exit_code == 0
    plain, hinted = (
        np.asarray(Image.open(tmp_path / out / "1984" / name)).astype(int)
        for out in ("plain", "hinted")
    )
    row, column = (side // 2 for side in plain.shape[:2])
    assert np.ptp(plain[row, column]) < 12 < 40 < np.ptp(hinted[row, column])


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (3, 2)])
def test_pictures_of_any_shape_take_palettes_and_hints(size, store, tmp_path):
    Image.new("L", size, 128).save(tmp_path / "tiny.png")
    Image.new("I;16", (9, 9), 30_000).save(tmp_path / "other.png")
    arguments = ["apply", tmp_path / "tiny.png", "--model", "classification", "--hint", "0,0=red"]
    for palette in ("auto", "teal,orange", tmp_path / "other.png"):
        options = ["--palette", palette, "--overwrite"]
        result = run(*arguments, "--out", tmp_path / "out", *options)
        assert result.exit_code == 0, result.output
        with Image.open(tmp_path / "out" / "tiny.png") as image:
            assert image.size == size


def test_suggestions_are_numbered_and_different(posters, store, tmp_path):
    arguments = ["apply", posters[0], posters[1], "--out", tmp_path, "--model", "classification"]
    result = run(*arguments, "--suggestions", 3, "--sheet")
    assert result.exit_code == 0, result.output
    assert "2 restored" in result.output and "4 recolored" in result.output
    assert "colors: " in result.output
    names = [f"{path.stem}.{n}.jpg" for path in posters[:2] for n in (1, 2, 3)]
    assert {path.name for path in tmp_path.iterdir()} == {*names, "before-after.png"}
    pictures = [np.asarray(Image.open(tmp_path / name)).astype(int) for name in names[:3]]
    for one, two in ((0, 1), (1, 2), (0, 2)):
        assert np.abs(pictures[one] - pictures[two]).mean() > 2


def test_apply_says_what_it_did_as_json(store, tmp_path):
    """What swatches became is what the pixels of the result are."""
    flag = Image.new("RGB", (60, 90), "#c1121f")
    flag.paste("#1d3557", (0, 0, 60, 30))
    flag.save(tmp_path / "flag.png")
    (tmp_path / "broken.png").write_bytes(b"nothing")
    arguments = ["apply", tmp_path / "flag.png", tmp_path / "broken.png", "--out", tmp_path / "out"]
    result = run(*arguments, "--restore", "none", "--assign", "#c1121f=#0b4f5c", "--json")
    assert result.exit_code == 3, result.output
    broken, flag = json.loads(result.stdout)["pictures"]
    assert (flag["name"], flag["color"], flag["skipped"]) == ("flag.png", "colored", None)
    (made,) = flag["results"]
    assert made["file"] == str(tmp_path / "out" / "flag.png") and made["palette"] == "source"
    with Image.open(made["file"]) as picture:
        pixels = [picture.getpixel(place) for place in ((30, 60), (30, 10))]
    red, blue = made["swatches"]
    assert (red["color"], red["share"], red["name"]) == ("#c1121f", 0.6667, "red")
    assert (blue["color"], blue["becomes"]) == ("#1d3557", "#1d3557")
    for swatch, pixel in zip((red, blue), pixels, strict=True):
        assert np.abs(np.int16(ImageColor.getrgb(swatch["becomes"])) - pixel).max() <= 2
    assert broken["name"] == "broken.png" and broken["results"] == []
    assert "not an image" in broken["skipped"]


def test_one_palette_makes_a_series(posters, store, tmp_path):
    """Posters of different colors, and those of another picture, get nearer to each other."""
    other = Image.new("RGB", (60, 90), "#0b4f5c")
    other.paste("#f28c28", (0, 0, 60, 45))
    other.save(tmp_path / "other.png")
    arguments = ["apply", *posters[:4], "--model", "classification"]
    found = {}
    for palette in ("none", tmp_path / "other.png"):
        out = tmp_path / Path(palette).stem
        assert run(*arguments, "--out", out, "--palette", palette).exit_code == 0
        of = [Palette.of_picture(Image.open(out / path.name), path.name) for path in posters[:4]]
        found[palette] = np.mean([one.distance(two) for one in of for two in of])
    # Not by more, since what is neutral, and skin, stay.
    assert found[tmp_path / "other.png"] < 0.8 * found["none"]


def test_a_library_of_ones_own_posters(manifest, posters, store, tmp_path):
    library, chart = tmp_path / "mine.json", tmp_path / "chart.png"
    arguments = ["palettes", "--make", manifest.folder, "--count", 4, "--out", library]
    result = run(*arguments, "--chart", chart)
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if re.match(r" +\d+ ", line)]
    # There are fewer if posters are alike.
    assert 2 <= len(lines) <= 4
    with Image.open(chart) as drawn:
        assert drawn.height > len(lines) * 30
    name = re.search(r"%  (.*?)  +#", lines[-1])[1]
    result = run(
        *("apply", posters[0], "--out", tmp_path / "out", "--model", "classification"),
        *("--library", library, "--palette", name),
    )
    assert f"colors: {name}" in result.output
    message = error(run(*arguments[:3], "--count", 200, "--out", library))
    assert re.search("20 posters, [0-9]+ of them with color, are too few for 200 palettes", message)


def test_the_schemes_as_json(tmp_path):
    chart = tmp_path / "chart.png"
    lines = run("palettes").stdout.splitlines()
    result = CliRunner().invoke(
        main, ["palettes", "--chart", str(chart)], env={"RECOLOR_PALETTES_JSON": "1"}
    )
    schemes = json.loads(result.stdout)
    assert len(schemes) == len(lines) == 42 and chart.is_file()
    for line, scheme in zip(lines, schemes, strict=True):
        assert line.split()[0] == str(scheme["number"])
        assert f" {scheme['name']} " in line
        assert line.endswith(" ".join(scheme["colors"]))
    assert sum(scheme["share"] for scheme in schemes) == pytest.approx(1, abs=0.01)


@pytest.mark.slow
def test_evaluate_says_what_was_told(manifest, store, tmp_path):
    figures = tmp_path / "figures.json"
    result = run(
        *("evaluate", "--data", manifest.folder, "--model", "classification", "--json", figures),
        *("--told", "nothing", "--told", "palette", "--told", "best4", "--told", "palette+hints5"),
    )
    assert result.exit_code == 0, result.output
    columns = json.loads(figures.read_text())["columns"]
    assert list(columns)[:4] == [
        "classification", "classification, told palette", "classification, told best4",
        "classification, told palette+hints5",
    ]  # fmt: skip
    assert "lightness under the palette" in columns
    assert columns["classification, told best4"]["diversity"] > 0
    assert columns["classification, told palette"]["palette_distance"] > 0
    assert "'everything' is nothing that can be told" in error(
        run("evaluate", "--data", manifest.folder, "--told", "everything")
    )
