"""The paper's experiment at a small scale: its report, its runs, and that it goes on."""

import json
import re
import shlex
import shutil
import subprocess

import mlflow
import pytest
from click.testing import CliRunner
from PIL import Image
from tqdm import tqdm

from recolor.datasets.demo_posters import generate_demo_posters
from recolor.datasets.images import ImageError
from recolor.datasets.manifest import DatasetError
from recolor.datasets.preparation import prepare
from recolor.evaluation.html_page import page
from recolor.evaluation.metrics.catalog import METRICS
from recolor.models.weights import WeightsError
from recolor.platform.cli.main import main
from recolor.platform.experiments import reproduction
from recolor.platform.experiments.reproduction import ReproductionError, reproduce

# One epoch each.
SCALE = 0.004
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def quiet_bar(total=None, label="", items=None):
    return tqdm(items, total=total, disable=True)


def run(manifest, old, out, echo=lambda line: None, **options):
    options = {"scale": SCALE, **options}
    return reproduce(manifest, old, out, echo=echo, bar=quiet_bar, **options)


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old")
    list(generate_demo_posters(folder, 5, "old", seed=1))
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def reproduced(manifest, store, old, tmp_path_factory):
    """A reproduction that was interrupted before the second training, and then went on."""
    out = tmp_path_factory.mktemp("reproduction")

    def interrupt(line: str) -> None:
        if "classification" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(manifest, [old], out, interrupt)
    lines = []
    return run(manifest, [old], out, lines.append), out, lines


def test_it_goes_on_where_it_was_interrupted(reproduced):
    _, out, lines = reproduced
    state = json.loads((out / "reproduction.json").read_text())
    assert set(state["runs"]) == {"regression", "classification"}
    assert re.match(
        f"The regression network is trained already, in run {state['runs']['regression']}", lines[0]
    )
    assert lines[1] == "Training the classification network for 1 of the paper's 260 epochs."
    names = [mlflow.get_run(run_id).info.run_name for run_id in state["runs"].values()]
    assert names == ["train regression", "train classification"]


def test_the_trainings_are_runs_within_the_reproductions(reproduced):
    state = json.loads((reproduced[1] / "reproduction.json").read_text())
    training = mlflow.get_run(state["runs"]["classification"])
    whole = mlflow.get_run(training.data.tags["mlflow.parentRunId"])
    assert (whole.info.run_name, whole.info.status) == ("reproduce", "FINISHED")
    columns = reproduced[0].columns
    assert whole.data.metrics["regression.l2_ab"] == columns["regression"]["l2_ab"]
    assert whole.data.metrics["mean_color.l2_ab"] == columns["mean color"]["l2_ab"]
    assert {"gray", "truth"} < set(columns)
    artifacts = mlflow.MlflowClient().list_artifacts(whole.info.run_id, "report")
    assert {"report/report.md", "report/report.html"} <= {one.path for one in artifacts}


def test_a_broken_old_poster_is_named_and_the_others_are_recolored(reproduced, old):
    done, out, _ = reproduced
    assert [name for name, _ in done.skipped] == ["broken.jpg"]
    whole = {path.name for path in old.iterdir()} - {"broken.jpg"}
    for kind in ("regression", "classification"):
        assert {path.name for path in (out / "recolored" / kind).iterdir()} == whole


def test_the_report_has_the_table_and_every_picture(reproduced, manifest):
    done, _, _ = reproduced
    text = done.report.read_text()
    assert manifest.digest in text
    assert f"{done.columns['classification']['l2_ab']:.1f}" in text
    assert "239.99" not in text and "240.0" in text
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)
    assert len(pictures) == 5
    for name in pictures:
        with Image.open(done.report.parent / name) as picture:
            assert min(picture.size) > 100
    html = done.report.with_suffix(".html").read_text()
    assert html.count("data:image/") == len(pictures)
    assert not re.search(r'(src|href)="(?!data:)', html)


def test_the_report_has_a_command_that_does_the_same(reproduced, manifest, old):
    """Also where it was asked for from Python."""
    words = ["recolor", "reproduce", "--data", str(manifest), "--old", str(old)]
    words += ["--out", str(reproduced[1]), "--scale", str(SCALE)]
    assert shlex.join(words) in reproduced[0].report.read_text()


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_shows_every_picture_without_a_network(reproduced, tmp_path):
    html = reproduced[0].report.with_suffix(".html").read_text()
    # Alone in a folder, with a script that reports what the browser made of it.
    script = (
        "<script>addEventListener('load', () => { document.title = 'widths ' +"
        "[...document.images].map(image => image.naturalWidth).join(' '); })</script>"
    )
    (tmp_path / "report.html").write_text(html.replace("</body>", f"{script}</body>"))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path / 'profile'}"]
    address = (tmp_path / "report.html").as_uri()
    result = subprocess.run([*command, address], capture_output=True, text=True, timeout=120)
    widths = re.search(r"<title>widths ([\d ]+)</title>", result.stdout)
    assert widths, result.stderr[-500:]
    assert len(widths[1].split()) == 5 and min(map(int, widths[1].split())) > 100


def test_trained_models_may_be_given(reproduced, manifest, store, tmp_path):
    uris = {
        kind: f"models:/poster-recolor/{mlflow.get_run(run_id).data.tags['model.version']}"
        for kind, run_id in json.loads((reproduced[1] / "reproduction.json").read_text())[
            "runs"
        ].items()
    }
    runs = len(mlflow.search_runs())
    arguments = ["reproduce", "--data", str(manifest.folder), "--out", str(tmp_path / "again")]
    for kind, uri in uris.items():
        arguments += [f"--{kind}", uri]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "report:" in result.output
    assert len(mlflow.search_runs()) == runs + 1
    text = (tmp_path / "again" / "report" / "report.md").read_text()
    lines = text.splitlines()
    header, *rows = ([cell.strip() for cell in line.split("|")] for line in lines if "|" in line)
    l2_ab = next(row for row in rows if METRICS["l2_ab"].label in row)
    for kind in uris:
        # The models that were given, each in its own column.
        expected = f"{reproduced[0].columns[kind]['l2_ab']:.1f}"
        assert l2_ab[header.index(kind)] == expected
    assert "Old posters" not in text


def test_a_folder_keeps_to_its_data_and_scale(reproduced, manifest, tmp_path):
    _, out, _ = reproduced
    with pytest.raises(ReproductionError, match="another scale"):
        run(manifest, [], out, scale=0.5)
    (tmp_path / reproduction.STATE_FILE).write_text("{")
    with pytest.raises(ReproductionError, match="is damaged"):
        run(manifest, [], tmp_path)


def test_mistakes_are_said_before_the_training(reproduced, manifest, posters, old, tmp_path):
    state = json.loads((reproduced[1] / "reproduction.json").read_text())
    tags = mlflow.get_run(state["runs"]["classification"]).data.tags
    uri = f"models:/poster-recolor/{tags['model.version']}"
    runs = len(mlflow.search_runs())
    with pytest.raises(WeightsError, match="of a classification network, not of a regression"):
        run(manifest, [], tmp_path / "out", given={"regression": uri})
    with pytest.raises(WeightsError, match=r"missing\.npz is no file of weights"):
        run(manifest, [], tmp_path / "out", given={"classification": "missing.npz"})
    with pytest.raises(ImageError, match="no such file or folder"):
        run(manifest, [tmp_path / "missing"], tmp_path / "out")
    untested, _ = prepare(
        posters, tmp_path / "data", size=32, split=(8, 2, 0), embedding="none", seed=0, workers=1
    )
    with pytest.raises(DatasetError, match="the test split is empty"):
        run(untested, [], tmp_path / "out")
    assert len(mlflow.search_runs()) == runs
    with pytest.raises(ImageError, match="would mix with the originals"):
        run(manifest, [old], old / "out")
    assert not (tmp_path / "out").exists()


def test_it_is_one_process(manifest, store, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{}")
    with pytest.raises(ReproductionError, match="unset TF_CONFIG"):
        run(manifest, [], tmp_path / "out")


def test_a_page_escapes_what_is_no_markup(tmp_path):
    text = "# a < b\n\n| x | y |\n| - | - |\n| `1 < 2` | \N{LATIN SMALL LETTER E WITH ACUTE} |\n"
    html = page(text, tmp_path)
    assert "<title>a &lt; b</title>" in html
    assert "<td><code>1 &lt; 2</code></td>" in html and "\u00e9" in html
