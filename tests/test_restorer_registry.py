"""Restoration networks: trained, registered as poster-restore, promoted, loaded, and served."""

import base64
import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import mlflow
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import check_imports, compared, environment, own_store, store_in_use
from mlflow.pyfunc import scoring_server
from PIL import Image
from starlette.testclient import TestClient

from recolor.datasets.ageing import aged
from recolor.datasets.demo_posters import draw_poster
from recolor.evaluation.validation import validate_restoration
from recolor.models.decoding.options import Decoding
from recolor.models.kind import ModelKind
from recolor.models.restoration import Restoration as RestorationKind
from recolor.models.restoring import Restoration, Restorer, views
from recolor.platform.cli.main import main
from recolor.platform.registry import revalidation
from recolor.platform.registry.comparison import Comparison, shortfall
from recolor.platform.registry.model import load_model
from recolor.platform.registry.promotion import promote, rollback
from recolor.platform.registry.sources import find_weights, load_restorer
from recolor.platform.registry.tasks import RECOLORING, RESTORING
from recolor.platform.registry.versions import (
    RegistryError,
    current_champion,
    registered_versions,
)
from recolor.platform.tracking.checkpoints import newest_checkpoint
from recolor.platform.tracking.metric_names import named_validation
from recolor.platform.training.publication import import_weights
from recolor.platform.training.settings import Settings, TrainingError
from recolor.platform.training.tracked import train
from recolor.platform.training.untracked import train_untracked

pytestmark = pytest.mark.usefixtures("bundled_networks_loaded_once")

SETTINGS = Settings("restoration", epochs=2, batch_size=5, learning_rate=0.002)
URI = "models:/poster-restore/1"
OLD = Image.fromarray(
    aged(np.asarray(draw_poster(1, 3, "modern")[1]), np.random.default_rng(0))
).resize((90, 130))


class Wrong(Restorer):
    """A bundled network that makes everything worse than it was."""

    def look(self, poster):
        return Restoration((0.0,) * 3, (0.4,) * 3, (0.1,) * 3)


@pytest.fixture(scope="module")
def restoring_store(manifest, tmp_path_factory):
    """A store with a small training of the restoration network, as version 1."""
    folder = tmp_path_factory.mktemp("restoring")
    with own_store(folder) as uri:
        yield uri, train(manifest, SETTINGS)


@pytest.fixture
def restoring(restoring_store, tmp_path, monkeypatch):
    """The training, in a copy of its store."""
    uri, trained = restoring_store
    shutil.copy(uri.removeprefix("sqlite:///"), tmp_path / "mlflow.db")
    with store_in_use(f"sqlite:///{tmp_path}/mlflow.db") as copied:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", copied)
        yield trained


def promoted() -> str:
    return promote(RESTORING.metric, task=RESTORING)[1]


def error(*arguments: object) -> str:
    """The last line of what a command says when it fails."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code in (1, 2), result.output
    return result.output.splitlines()[-1]


def same(one: Image.Image, other: Image.Image) -> None:
    np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_a_training_registers_a_version_of_its_own_model(restoring, manifest, tmp_path):
    assert (restoring.task, restoring.version) == (RESTORING, "1")
    assert not registered_versions(RECOLORING)
    (version,) = registered_versions(RESTORING)
    run = mlflow.get_run(restoring.run_id)
    assert named_validation(restoring.measured) == {
        name: value for name, value in run.data.metrics.items() if name.startswith("validation/")
    }
    for name in ("aged.delta_e_2000", "left_alone.delta_e_2000", "unaged.delta_e_2000"):
        assert float(version.tags[f"validation.{name}"]) == restoring.metrics[name]
    assert version.tags["model"] == "restoration"
    value = f"restored {restoring.metrics['aged.delta_e_2000']:.4g}"
    assert "artificially aged" in version.description and value in version.description
    card = Path(
        mlflow.artifacts.download_artifacts(f"{URI}/artifacts/model_card", dst_path=str(tmp_path))
    )
    text = (card / "model_card.md").read_text(encoding="utf-8")
    assert "finds nine numbers" in text and "20 to train, 6 to validate" in text
    assert "| CIEDE2000" in text and "left alone" in text
    assert "temperature" not in text and "embedding" not in text
    for name in ("learning_curve.png", "predictions.png"):
        assert f"({name})" in text and (card / name).is_file()
    weights = find_weights(URI)
    assert weights.calibration is None and weights.origin["training_posters"] == 20


def test_the_metrics_are_those_of_the_registered_weights(restoring, manifest):
    weights = find_weights(URI)
    found = validate_restoration(manifest, Restorer(weights.tensors, ""))
    # What is registered is in half precision.
    assert found == pytest.approx(restoring.measured, abs=0.05)


def test_the_network_of_training_and_that_of_single_pictures_agree(restoring, tmp_path):
    weights = find_weights(URI)
    _, network = weights.network()
    seen = views(OLD)
    numbers = network.get_layer("restoration").output
    inner = keras.Model(network.inputs, numbers)
    expected = np.asarray(inner(seen))
    np.testing.assert_allclose(
        Restorer(weights.tensors, "").numbers(seen), expected, rtol=1e-4, atol=1e-6
    )
    # As they are after the last epoch, before they are kept in half precision.
    exact = newest_checkpoint(restoring.run_id).best
    np.testing.assert_allclose(Restorer(exact, "").numbers(seen), expected, atol=2e-3)
    weights.save(tmp_path / "weights.safetensors")
    again = Restorer.load(tmp_path / "weights.safetensors", "again")
    np.testing.assert_array_equal(again.numbers(seen), Restorer(weights.tensors).numbers(seen))
    assert not np.allclose(again.numbers(seen), Restorer.bundled().numbers(seen), atol=1e-3)


def test_without_a_store_the_bundled_network_restores_and_mlflow_is_not_needed(tmp_path):
    code = (
        "from recolor.platform.registry.sources import load_restorer\n"
        "assert load_restorer().about == 'the bundled restoration network'\n"
    )
    variables = {k: v for k, v in environment("").items() if k != "MLFLOW_TRACKING_URI"}
    check_imports(code, "mlflow", "keras", "tensorflow", cwd=tmp_path, env=variables)
    assert not list(tmp_path.iterdir())


def test_a_champion_that_is_not_better_does_not_restore_by_default(restoring, manifest):
    assert load_restorer() is Restorer.bundled()
    client = mlflow.MlflowClient()
    for name, value in (("aged", 50), ("left_alone", 60)):
        tag = f"validation.{name}.delta_e_2000"
        client.set_model_version_tag("poster-restore", "1", tag, str(value))
    message = promoted()
    known = Comparison.of(current_champion(RESTORING))
    bundled = validate_restoration(manifest, Restorer.bundled())
    assert known.bundled == {RESTORING.key: bundled[RESTORING.key]}
    assert known.version == 50 > known.bundled_value
    assert "but not better than the bundled restoration network" in message
    assert "--model models:/poster-restore@champion takes version 1" in message
    found = load_restorer()
    assert found.tensors is Restorer.bundled().tensors
    assert "champion version 1 is not better (aged.delta_e_2000" in found.about
    # That of recoloring has nothing to do with it.
    assert current_champion(RECOLORING) is None


def test_a_champion_that_is_better_restores_by_default(restoring, monkeypatch):
    monkeypatch.setattr(revalidation.Restorer, "bundled", lambda: Wrong({}))
    assert "is the champion now, and restores by default" in promoted()
    monkeypatch.undo()
    assert shortfall(current_champion(RESTORING)) is None
    found = load_restorer()
    assert found.about == "poster-restore version 1 (champion)"
    same(found.look(OLD).applied(OLD), load_model(URI).painter.restorer.look(OLD).applied(OLD))
    assert found.look(OLD) != Restorer.bundled().look(OLD)
    # Other bundled weights were not compared.
    known = Comparison.of(current_champion(RESTORING))
    replace(known, weights="0" * 64).keep("1", RESTORING)
    assert "was not compared" in load_restorer().about


def test_a_version_that_is_worse_than_leaving_posters_alone_needs_force(restoring):
    client = mlflow.MlflowClient()
    client.set_model_version_tag("poster-restore", "1", "validation.aged.delta_e_2000", "99")
    with pytest.raises(RegistryError, match="leaving posters alone is better"):
        promoted()
    assert promote(RESTORING.metric, force=True, task=RESTORING)[0] == "1"


def test_promotion_on_other_data_and_rollback(restoring, tiny):
    client = mlflow.MlflowClient()
    (first,) = registered_versions(RESTORING)
    # The same network, said to be validated on something else.
    tags = {"dataset.digest": "other", "validation.aged.delta_e_2000": "1"}
    client.create_model_version("poster-restore", first.source, tags=tags)
    promoted_first = promote(RESTORING.metric, "1", task=RESTORING)[0]
    result = CliRunner().invoke(
        main, ["promote", "--task", "restore", "--version", "2", "--data", str(tiny.folder)]
    )
    assert result.exit_code == 0, result.output
    assert "version 2 (aged.delta_e_2000" in result.output
    assert str(current_champion(RESTORING).version) == "2"
    assert rollback(task=RESTORING)[0] == promoted_first == "1"


def test_a_metric_of_the_other_task_ranks_nothing(restoring):
    assert "'l2_ab' is not one of aged.delta_e_2000" in error(
        "promote", "--task", "restore", "--metric", "l2_ab"
    )
    assert "is not one of l2_ab" in error("promote", "--metric", "aged.delta_e_2000")
    assert "no version of poster-recolor" in error("promote")


def test_both_registered_models_are_listed(restoring, versions, monkeypatch):
    def models(*options: str) -> str:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow.get_tracking_uri())
        result = CliRunner().invoke(main, ["models", *options])
        assert result.exit_code == 0, result.output
        return result.output

    # `versions` has a store of its own, with poster-recolor alone.
    versions(l2_ab=230)
    compared("data-1", version=230, bundled=300).keep("1")
    promote("l2_ab")
    assert "poster-restore" not in models()
    client = mlflow.MlflowClient()
    client.create_registered_model("poster-restore")
    tags = {"validation.aged.delta_e_2000": "3.987", "dataset.digest": "data-1"}
    client.create_model_version("poster-restore", "nowhere", tags=tags)
    promote(RESTORING.metric, task=RESTORING, reason="clearer skies")
    first, second = models().split("poster-restore:\n")
    assert first.startswith("poster-recolor:\nL2ab") and "230.0" in first
    assert first.endswith("the champion answers by default\n")
    assert "3.99" in second and "the bundled restoration network restores by default" in second
    listed = json.loads(models("--json"))
    assert [one["model"] for one in listed] == ["poster-recolor", "poster-restore"]
    history = models("--history").split("poster-restore:\n")
    assert "l2_ab 230" in history[0] and "clearer skies" in history[1]
    changes = json.loads(models("--history", "--json"))
    assert [one["model"] for one in changes] == ["poster-recolor", "poster-restore"]


@pytest.mark.parametrize("source", ["restoration", URI, "file"])
def test_a_restoration_network_is_a_model_that_restores(restoring, source, tmp_path):
    if source == "file":
        source = str(tmp_path / "mine.safetensors")
        find_weights(URI).save(Path(source))
    model = load_model(source)
    assert model.restores and "pixels" not in model.which
    label, about = {
        "restoration": ("restoration", "the bundled restoration network"),
        URI: ("restoration_v1", "poster-restore version 1"),
    }.get(source, ("restoration_mine", f"the network of {source}"))
    assert (model.label, model.painter.restorer.about) == (label, about)
    assert (model.version is not None) == (source == URI)
    expected = Restorer(find_weights(source).tensors).look(OLD)
    assert model.painter.restorer.look(OLD) == expected
    # Colors are those of the default model.
    assert model.painter.network.kind == "unet"


def test_the_champion_of_restoring_is_named_as_such(restoring):
    promoted()
    model = load_model(RESTORING.champion)
    assert (
        model.which == "poster-restore version 1 (champion, restoration, learned from 20 posters)"
    )
    assert model.painter.restorer.about == "poster-restore version 1 (champion)"
    with pytest.raises(RegistryError, match="poster-recolor has no champion yet"):
        load_model("champion")


def test_missing_files_leave_the_bundled_network(restoring, monkeypatch):
    monkeypatch.setattr(revalidation.Restorer, "bundled", lambda: Wrong({}))
    promoted()
    monkeypatch.undo()
    monkeypatch.setattr(
        "recolor.platform.registry.versions.missing_folder", lambda uri: Path("/no/artifacts")
    )
    found = load_restorer()
    assert found.tensors is Restorer.bundled().tensors
    assert "the champion can't be used: the files of model" in found.about


def test_a_restoration_network_where_a_color_network_is_needed(restoring, manifest, tmp_path):
    for source in ("restoration", URI):
        line = error("export", "--model", source, "--format", "onnx", "--out", tmp_path / "x.onnx")
        assert "has no color network to export" in line
    with pytest.raises(Exception, match="of a restoration network, not of a regression network"):
        train(manifest, Settings("regression", epochs=1, initial_weights="restoration"))
    with pytest.raises(Exception, match="of a unet network, not of a restoration network"):
        train(manifest, Settings("restoration", epochs=1, initial_weights="unet"))
    assert len(registered_versions(RESTORING)) == 1


def test_a_training_begins_with_a_registered_network(restoring, manifest):
    settings = replace(SETTINGS, epochs=1, learning_rate=1e-9, initial_weights=URI)
    second = train(manifest, settings)
    assert second.version == "2"
    for name, value in restoring.metrics.items():
        assert second.metrics[name] == pytest.approx(value, abs=0.05)


def test_every_metric_that_ranks_versions_is_measured_in_validation(restoring):
    assert set(RESTORING.metrics) <= set(restoring.metrics)


def test_options_of_decoding_make_no_sense_for_it(restoring, manifest):
    line = error("train", "--data", manifest.folder, "--model", "restoration", "--temperature", 1)
    assert line == "Error: a restoration network decodes no colors: leave out --temperature"
    given = ["--learning-rate", "1e-4,1e-3", "--vividness", 0.5]
    line = error("tune", "--data", manifest.folder, "--model", "restoration", *given)
    assert line == "Error: a restoration network decodes no colors: leave out --vividness"
    given = ["--objective", "l2_ab"]
    line = error("tune", "--data", manifest.folder, "--model", "restoration", *given)
    assert "'l2_ab' is not one of val_loss, aged.delta_e_2000" in line
    assert len(registered_versions(RESTORING)) == 1


@pytest.mark.slow
def test_a_search_by_what_restoring_is_worth(restoring, manifest, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["tune", "--data", manifest.folder, "--model", "restoration", "--epochs", 1]
    arguments += ["--trials", 1, "--objective", "aged.delta_e_2000", "--batch-size", 5]
    arguments += ["--storage", f"sqlite:///{tmp_path}/optuna.db", "--best-epochs", 1]
    result = CliRunner().invoke(main, [*map(str, arguments), "--train-best"])
    assert result.exit_code == 0, result.output
    assert "aged.delta_e_2000" in result.output
    assert "registered as poster-restore version 2" in result.output
    (newest, _) = registered_versions(RESTORING)
    assert newest.tags["study"] == "restoration"


def test_an_untracked_training_is_imported(restoring, manifest, tmp_path):
    file = tmp_path / "restoration.npz"
    train_untracked(manifest, replace(SETTINGS, epochs=1), file)
    imported = import_weights(manifest, file)
    assert (imported.version, imported.task) == ("2", RESTORING)
    assert imported.metrics["aged.delta_e_2000"] > 0
    with pytest.raises(TrainingError, match="leave out `vividness`"):
        import_weights(manifest, file, Decoding(vividness=0.5))


def test_a_resumed_training_ends_as_an_uninterrupted_one(restoring, manifest):
    part = train(manifest, replace(SETTINGS, epochs=1))
    whole = train(manifest, SETTINGS, resume=part.run_id)
    one, other = (newest_checkpoint(run.run_id) for run in (restoring, whole))
    assert one.progress.history == other.progress.history
    for name, weights in one.weights.items():
        np.testing.assert_array_equal(weights, other.weights[name])


class TestServed:
    @pytest.fixture(scope="class")
    def model(self, restoring_store):
        with store_in_use(restoring_store[0]):
            yield mlflow.pyfunc.load_model(URI)

    @staticmethod
    def as_text(picture: Image.Image) -> str:
        file = io.BytesIO()
        picture.save(file, "PNG")
        return base64.b64encode(file.getvalue()).decode()

    @staticmethod
    def decoded(text: str) -> Image.Image:
        return Image.open(io.BytesIO(base64.b64decode(text)))

    def test_the_scoring_server_gives_the_pixels_of_the_network(self, model, restoring_store):
        with store_in_use(restoring_store[0]):
            restoration = Restorer(find_weights(URI).tensors).look(OLD)
        margin = Image.new("RGB", (300, 300), (128, 128, 128))
        with TestClient(scoring_server.init(model)) as client:

            def restored(picture: Image.Image, **params) -> Image.Image:
                body = {"inputs": {"image": [self.as_text(picture)]}, "params": params}
                answer = client.post("/invocations", json=body)
                assert answer.status_code == 200, answer.text
                return self.decoded(answer.json()["predictions"][0]["image"])

            same(restored(OLD, restore=1.0), restoration.applied(OLD))
            # What one would hardly see is left alone.
            same(restored(OLD), restoration.applied(OLD) if restoration.describe() else OLD)
            same(restored(OLD, restore=0.5), restoration.scaled(0.5).applied(OLD))
            same(restored(OLD, restore=0.0), OLD)
            # A picture without color does not show how it has aged.
            gray = OLD.convert("L").convert("RGB")
            same(restored(gray), gray)
            assert not np.array_equal(np.asarray(restored(gray, restore=1.0)), np.asarray(gray))
            assert restored(margin).size == margin.size
            wrong = client.post("/invocations", json={"inputs": {"image": ["nonsense!"]}})
            assert wrong.status_code == 400 and "image 0: not base64" in wrong.text
            body = {"inputs": {"image": [self.as_text(OLD)]}, "params": {"restore": 2.0}}
            wrong = client.post("/invocations", json=body)
            assert wrong.status_code == 400 and "a number from 0 to 1, not" in wrong.text

    def test_it_takes_images_in_the_forms_that_mlflow_takes(self, model):
        """Each of which a recoloring model is given in tests/test_serving.py."""
        text = self.as_text(OLD)
        file = base64.b64decode(text)
        frame = pd.DataFrame({"image": [file, text]})
        for given in ({"image": [text, text]}, {"image": [file, file]}, frame):
            answers = model.predict(given)
            assert [self.decoded(one["image"]).size for one in answers] == [OLD.size] * 2

    def test_it_needs_no_tensorflow(self, restoring_store, tmp_path):
        with store_in_use(restoring_store[0]):
            folder = mlflow.artifacts.download_artifacts(URI, dst_path=str(tmp_path))
        required = Path(folder, "requirements.txt").read_text()
        assert "tensorflow" not in required and "keras" not in required
        code = (
            "import sys\nsys.meta_path = [f for f in sys.meta_path if 'editable' not in str(f)]\n"
            "sys.modules.update(dict.fromkeys(('tensorflow', 'keras', 'optuna')))\n"
            "import mlflow, pandas\nmodel = mlflow.pyfunc.load_model(sys.argv[1])\n"
            "import recolor.models.painter as painter\n"
            "assert painter.__file__.startswith(sys.argv[1]), painter.__file__\n"
            "answer = model.predict(pandas.DataFrame({'image': [sys.argv[2]]}))\n"
            "assert answer[0]['image']\n"
        )
        variables = environment("")
        variables.pop("PYTHONPATH", None)
        result = subprocess.run(
            [sys.executable, "-c", code, folder, self.as_text(OLD)],
            capture_output=True, text=True, cwd=tmp_path, env=variables,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("wins", [None, False, True])
def test_a_colored_poster_is_restored_without_tensorflow(restoring, wins, tmp_path):
    """Whether a store has no restoration champion, a worse one, or a better one."""
    if wins is not None:
        number = restoring.metrics[RESTORING.metric]
        bundled = {RESTORING.metric: number + (1 if wins else -1)}
        promoted()
        known = Comparison.of(current_champion(RESTORING))
        replace(known, bundled=bundled).keep("1", RESTORING)
    OLD.save(tmp_path / "old.png")
    code = (
        "import sys\nfrom recolor.platform.cli.main import main\n"
        "main(['apply', sys.argv[1], '--out', sys.argv[2]], standalone_mode=False)\n"
        "heavy = {'keras', 'tensorflow', 'jax'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "old.png", tmp_path / "out"],
        capture_output=True, text=True, env=environment(mlflow.get_tracking_uri()),
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    by = "poster-restore version 1 (champion)" if wins else "the bundled restoration network"
    assert f"1 restored in {tmp_path / 'out'} by {by}" in result.stdout
    assert "Traceback" not in result.stderr and "INFO" not in result.stderr


def test_each_task_names_its_bundled_kind_and_model_kinds_name_their_task():
    assert RestorationKind.task == RESTORING.name and RESTORING.bundled == RestorationKind.name
    assert ModelKind.task == RECOLORING.name
