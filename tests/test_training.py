"""Training runs: what MLflow knows of them, and that a killed one resumes unharmed."""

import json
import shutil
import signal
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from urllib.parse import unquote, urlparse

import git
import keras
import mlflow
import numpy as np
import pytest
from click.testing import CliRunner
from conftest import ROOT, own_store
from keras import layers

from recolor.datasets.errors import RecolorError
from recolor.datasets.input_pipeline import Posters
from recolor.datasets.manifest import DatasetError
from recolor.datasets.preparation import prepare
from recolor.models.catalog import MODELS
from recolor.models.kind import ModelKind, ModelKindError
from recolor.models.weights import assign_by_name, named_values
from recolor.platform.cli.main import main
from recolor.platform.tracking.checkpoint import Checkpoint, Progress
from recolor.platform.tracking.checkpoints import checkpoint_or_none, newest_checkpoint
from recolor.platform.tracking.metric_names import named_validation
from recolor.platform.tracking.outbox import CHECKPOINTS, Outbox
from recolor.platform.tracking.store import RunError
from recolor.platform.training import loop, publication
from recolor.platform.training.devices import Devices
from recolor.platform.training.loop import fit
from recolor.platform.training.saved_settings import (
    DECODING_FILE,
    SETTINGS_FILE,
    saved_decoding,
    saved_settings,
)
from recolor.platform.training.settings import Settings, TrainingError
from recolor.platform.training.tracked import train


def artifacts(run_id: str) -> set[str]:
    return {artifact.path for artifact in mlflow.MlflowClient().list_artifacts(run_id)}


def assert_equal_bit_by_bit(one: Checkpoint, other: Checkpoint) -> None:
    assert one.progress == other.progress
    for part in ("weights", "optimizer", "best"):
        ours, theirs = getattr(one, part), getattr(other, part)
        assert ours.keys() == theirs.keys()
        for path, tensor in ours.items():
            np.testing.assert_array_equal(tensor, theirs[path], err_msg=path)


def validation_loss(manifest, network) -> float:
    """That of a network that answers with colors, poster by poster."""
    errors = []
    for poster in Posters(manifest, "validation"):
        ab = network([poster["lightness"][None], poster["embedding"][None]])
        errors.append(np.mean(np.square(poster["ab"] - np.asarray(ab)[0])))
    return float(np.mean(errors))


def test_a_run_records_all_it_depends_on(trained, manifest):
    run = mlflow.get_run(trained.run_id)
    assert run.info.status == "FINISHED"
    name = f"train classification, epochs 2, batch_size 5 on {manifest.folder.name}"
    assert run.info.run_name == name
    note = run.data.tags["mlflow.note.content"]
    assert note.startswith(f"Version {trained.version} of `poster-recolor`. A classification net")
    expected = {"model": "classification", "epochs": "2", "batch_size": "5", "seed": "0"}
    expected["training_posters"] = "20"
    assert expected.items() <= run.data.params.items()
    assert run.data.tags["dataset.digest"] == manifest.digest
    assert run.data.tags["mlflow.source.git.commit"] == git.Repo(ROOT).head.commit.hexsha
    assert {"version.tensorflow", "version.keras", "version.python"} <= set(run.data.tags)
    (dataset,) = run.inputs.dataset_inputs
    assert manifest.digest.startswith(dataset.dataset.digest)
    assert {"learning_curve.png", "predictions.png", "settings.json", CHECKPOINTS} <= artifacts(
        trained.run_id
    )
    assert saved_settings(trained.run_id) == Settings("classification", epochs=2, batch_size=5)
    # One checkpoint is enough to prolong it.
    files = mlflow.MlflowClient().list_artifacts(trained.run_id, CHECKPOINTS)
    assert [file.path for file in files] == [f"{CHECKPOINTS}/0.npz"]


def test_a_run_has_metrics_for_every_epoch(trained):
    client = mlflow.MlflowClient()
    for name in ("loss", "val_loss", "learning_rate"):
        history = client.get_metric_history(trained.run_id, f"training/{name}")
        assert [metric.step for metric in history] == [1, 2], name
    final = mlflow.get_run(trained.run_id).data.metrics
    assert named_validation(trained.measured).items() <= final.items()


def test_runs_with_the_same_seed_are_equal_bit_by_bit(manifest, trained):
    again = fit(manifest, Settings("classification", epochs=2, batch_size=5), Devices())
    assert_equal_bit_by_bit(again, newest_checkpoint(trained.run_id))


def test_a_run_without_validation_posters_works(posters, tmp_path, store, small_network):
    dataset, _ = prepare(
        posters, tmp_path / "data", size=16, split=(6, 0, 0), embedding="none", seed=0, workers=1
    )
    result = train(dataset, Settings(small_network, epochs=1, batch_size=4))
    assert result.metrics == {}
    assert {"learning_curve.png", "predictions.png"} <= artifacts(result.run_id)


def test_no_run_is_begun_without_training_posters(posters, tmp_path, store):
    out = tmp_path / "data"
    dataset, _ = prepare(
        posters[:6], out, size=16, split=(0, 4, 2), embedding="none", seed=0, workers=1
    )
    before = len(mlflow.search_runs(search_all_experiments=True))
    with pytest.raises(DatasetError, match="has no training posters"):
        train(dataset, Settings("regression"))
    assert len(mlflow.search_runs(search_all_experiments=True)) == before


@pytest.mark.parametrize(
    ("name", "flat", "words"),
    [
        (None, False, r"dense\w*/kernel of a rough network .* give its layer a name"),
        ("ab", True, r"ab/kernel of a rough network .* weights may not depend on the size"),
    ],
)
def test_weights_that_fit_no_other_network_are_found_before_the_training(
    manifest, monkeypatch, name, flat, words
):
    class Rough(ModelKind):
        name, epochs, batch_size, takes_embedding = "rough", 1, 5, False

        def build(self, size):
            lightness = keras.Input((size, size, 1))
            pixels = layers.Flatten()(lightness) if flat else lightness
            ab = layers.Dense(2 * size * size if flat else 2, name=layer)(pixels)
            return keras.Model(lightness, layers.Reshape((size, size, 2))(ab))

        def loss(self, ab, outputs):
            raise AssertionError("the training began")

        def decode(self, outputs, temperature):
            return outputs

    layer = name
    monkeypatch.setitem(MODELS._places, "rough", "")
    monkeypatch.setitem(MODELS._things, "rough", Rough)
    with pytest.raises(ModelKindError, match=words):
        fit(manifest, Settings("rough"), Devices())


def test_a_diverging_run_says_what_to_do(manifest, store):
    with pytest.raises(TrainingError, match="lower `learning_rate`"):
        train(manifest, Settings("classification", epochs=3, batch_size=5, learning_rate=1e30))


def test_a_cosine_lowers_the_learning_rate_and_fixes_the_number_of_epochs(manifest, small_network):
    settings = Settings(
        small_network, epochs=4, batch_size=20, learning_rate=2e-4, schedule="cosine"
    )
    whole, saved = fit(manifest, settings, Devices()), []

    def interrupt(checkpoint):
        saved.append(checkpoint)
        if len(saved) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(manifest, settings, Devices(), after_epoch=interrupt)
    resumed = fit(manifest, settings, Devices(), saved[-1])
    assert resumed.progress.history == whole.progress.history
    rates = [epoch["learning_rate"] for epoch in whole.progress.history]
    # (1 + cos x) / 2 at 0, 45, 90 and 135 degrees.
    expected = np.array([1, 0.5 + 2**0.5 / 4, 0.5, 0.5 - 2**0.5 / 4]) * 2e-4
    np.testing.assert_allclose(rates, expected, rtol=1e-5)
    with pytest.raises(TrainingError, match="ends after 4 epochs by its cosine"):
        replace(settings, epochs=8).check_continues(settings, "it")


@pytest.fixture
def steps(monkeypatch) -> list[tuple[float, dict[str, np.ndarray]]]:
    """The learning rate of every step of a training, and the weights after it."""
    found = []

    class Spy(keras.callbacks.Callback):
        def __init__(self, seed):
            super().__init__()

        def on_train_batch_end(self, batch, logs=None):
            rate = float(self.model.optimizer.learning_rate)
            found.append((rate, named_values(self.model.trainable_variables)))

    monkeypatch.setattr(loop, "_DropoutSeed", Spy)
    return found


@pytest.mark.parametrize("schedule", ["plateau", "cosine"])
def test_the_learning_rate_rises_to_that_of_the_schedule(manifest, small_network, steps, schedule):
    settings = Settings(
        small_network, epochs=4, batch_size=10, learning_rate=4e-4, schedule=schedule, warmup=2
    )
    last = fit(manifest, settings, Devices())
    full = {"plateau": [1.0] * 4, "cosine": [1, 0.5 + 2**0.5 / 4, 0.5, 0.5 - 2**0.5 / 4]}[schedule]
    rises = np.array([1, 2, 3, 4, 4, 4, 4, 4]) / 4
    expected = np.repeat(full, 2) * rises * 4e-4
    np.testing.assert_allclose([rate for rate, _ in steps], expected, rtol=1e-5)
    # That of an epoch's last step is what is logged.
    logged = [epoch["learning_rate"] for epoch in last.progress.history]
    np.testing.assert_allclose(logged, expected[1::2], rtol=1e-5)
    with pytest.raises(TrainingError, match="a warmup of 2 epochs does not fit into 1"):
        fit(manifest, replace(settings, epochs=1), Devices())


# Where two gradients are accumulated, there are two averages for each change of the weights.
@pytest.mark.parametrize(("momentum", "accumulate"), [(0.8, 1), (0.64, 2)])
def test_the_average_of_the_weights_is_what_is_used(
    manifest, small_network, steps, momentum, accumulate
):
    settings = Settings(
        small_network, epochs=3, batch_size=5, learning_rate=1e-2, ema=momentum, clip=1.0,
        accumulate=accumulate,
    )  # fmt: skip
    last = fit(manifest, settings, Devices())
    averages = []
    for number, (_, weights) in enumerate(steps):
        before = weights if number < accumulate else averages[-1]
        averages.append({path: 0.8 * before[path] + 0.2 * weights[path] for path in weights})
    for path, value in averages[4 * last.progress.best_epoch - 1].items():
        np.testing.assert_allclose(last.best[path], value, rtol=1e-5, atol=1e-7)
        # A training continues with the weights themselves.
        np.testing.assert_array_equal(last.weights[path], steps[-1][1][path])
        assert np.abs(last.weights[path] - averages[-1][path]).max() > 1e-4
    # The validation loss is that of the average.
    network = MODELS[small_network](manifest.classes).build(manifest.size)
    assign_by_name(network.weights, last.best)
    assert last.progress.best_loss == pytest.approx(validation_loss(manifest, network), rel=1e-5)


def test_all_at_once_resumes_exactly_from_a_file(manifest, small_network, tmp_path):
    settings = Settings(
        small_network, epochs=3, batch_size=2, learning_rate=1e-2, schedule="cosine", warmup=2,
        weight_decay=0.1, ema=0.9, accumulate=2, clip=1.0, precision="mixed_float16",
    )  # fmt: skip
    saved = []

    def save(checkpoint):
        saved.append(tmp_path / f"{len(saved)}.npz")
        checkpoint.save(saved[-1])

    whole = fit(manifest, settings, Devices(), after_epoch=save)
    # Also where the best epoch is the last one: the best weights are its average.
    assert whole.progress.best_epoch == 3
    assert_equal_bit_by_bit(Checkpoint.load(saved[2]), whole)
    resumed = fit(manifest, settings, Devices(), Checkpoint.load(saved[0]))
    assert_equal_bit_by_bit(resumed, whole)
    without = fit(manifest, replace(settings, weight_decay=None), Devices())
    norms = [np.linalg.norm(one.weights["color_1/kernel"]) for one in (whole, without)]
    assert norms[0] < norms[1]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"batch_size": 7}, TrainingError, "other settings"),
        ({"epochs": 2}, RunError, "raise `epochs`"),
    ],
)
def test_a_finished_run_resumes_only_for_more_epochs(trained, manifest, change, error, words):
    settings = replace(saved_settings(trained.run_id), **change)
    with pytest.raises(error, match=words):
        train(manifest, settings, trained.run_id)


def test_a_run_resumes_only_on_its_own_data(trained, posters, tmp_path):
    other, _ = prepare(
        posters, tmp_path / "data", size=32, split=(8, 0, 0), embedding="none", seed=0, workers=1
    )
    settings = replace(saved_settings(trained.run_id), epochs=3)
    with pytest.raises(RunError, match="other data"):
        train(other, settings, trained.run_id)


def test_an_unknown_run(store):
    """It is said before anything of the data set, which may be elsewhere."""
    result = CliRunner().invoke(main, ["train", "--resume", "abc", "--data", "nowhere"])
    assert result.output.startswith("Error: abc is not a training run of this store")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not a training run of this store: .* JSON"),
        ('{"model": ', "is not a training run of this store: .* JSON"),
        ("[]", "are another version's|is another version's"),
        ('{"unknown": 1}', "are another version's|is another version's"),
    ],
)
def test_settings_and_decoding_that_were_edited(store, text, words):
    with mlflow.start_run() as run:
        for file, read in ((SETTINGS_FILE, saved_settings), (DECODING_FILE, saved_decoding)):
            mlflow.log_text(text, file)
            with pytest.raises(RecolorError, match=words):
                read(run.info.run_id)


class TestCheckpoint:
    @pytest.fixture
    def network(self, small_network):
        network = MODELS[small_network]().build(8)
        network.compile("adam", MODELS[small_network]().loss)
        return network

    @staticmethod
    def step(network):
        rng = np.random.default_rng(0)
        inputs = [rng.integers(0, 256, (2, 8, 8, 1), np.uint8), np.zeros((2, 1000), np.float32)]
        network.train_on_batch(inputs, rng.integers(-50, 50, (2, 8, 8, 2)).astype(np.int8))

    @staticmethod
    def keep(run, network, progress):
        checkpoint = Checkpoint.of(network, named_values(network.weights), progress)
        checkpoint.origin = {"run": run.info.run_id}
        Outbox(run.info.run_id).put(checkpoint)

    @staticmethod
    def folder(run) -> Path:
        """Where the store keeps a run's checkpoints."""
        return Path(unquote(urlparse(run.info.artifact_uri).path)) / CHECKPOINTS

    def test_restores_weights_optimizer_and_progress(self, network, store):
        with mlflow.start_run() as run:
            self.step(network)
            best = named_values(network.weights)
            progress = Progress(3, {"best": 1.5, "wait": 2}, 2, 1.25, [{"loss": 2.5}] * 3)
            self.keep(run, network, progress)
            self.step(network)
            moved = network.get_weights()
            checkpoint = newest_checkpoint(run.info.run_id)
            checkpoint.restore(network)
            assert checkpoint.progress == progress
            for path, tensor in best.items():
                np.testing.assert_array_equal(tensor, checkpoint.best[path])
            assert int(network.optimizer.iterations) == 1
            # The same next step, from the same state, leads to the same place.
            self.step(network)
            for one, other in zip(moved, network.get_weights(), strict=True):
                np.testing.assert_array_equal(one, other)

    def test_best_weights_that_are_the_last_ones_are_kept_once(self, network, tmp_path):
        weights = named_values(network.weights)
        # Of an earlier epoch, or an average.
        others = {path: tensor + 1 for path, tensor in weights.items()}
        sizes = []
        for number, best in enumerate((others, weights)):
            file = tmp_path / f"{number}.npz"
            progress = Progress(2, {}, 2, 1.0, [{"loss": 1.0}] * 2)
            checkpoint = Checkpoint.of(network, best, progress)
            checkpoint.save(file)
            sizes.append(file.stat().st_size)
            assert_equal_bit_by_bit(Checkpoint.load(file), checkpoint)
        assert sizes[1] < 0.8 * sizes[0]

    def test_falls_back_on_the_older_one_when_the_newest_is_cut_off(self, network, store):
        with mlflow.start_run() as run:
            self.step(network)
            for epoch in (1, 2):
                self.keep(run, network, Progress(epoch, history=[{"loss": 1.0}] * epoch))
            newest = self.folder(run) / "0.npz"
            with newest.open("r+b") as file:
                file.truncate(newest.stat().st_size // 2)
            assert newest_checkpoint(run.info.run_id).progress.epoch == 1

    @pytest.mark.parametrize("epochs", [1, 2])
    def test_does_not_start_over_when_all_are_damaged(self, network, store, epochs):
        """Nor is it said that they were removed."""
        with mlflow.start_run() as run:
            self.step(network)
            for epoch in range(1, epochs + 1):
                self.keep(run, network, Progress(epoch, history=[{"loss": 1.0}] * epoch))
            for file in self.folder(run).iterdir():
                file.write_bytes(file.read_bytes()[:-100])
            with pytest.raises(RunError, match="is whole, as the training has left it"):
                newest_checkpoint(run.info.run_id)
            # A trial or a variant does, without anybody who would ask for it.
            assert checkpoint_or_none(run.info.run_id) is None

    def test_does_not_take_another_runs(self, network, store):
        runs = []
        for epoch in (1, 2):
            with mlflow.start_run() as run:
                progress = Progress(epoch, history=[{"loss": 1.0}] * epoch)
                self.keep(run, network, progress)
            runs.append(run)
        ours, theirs = (run.info.run_id for run in runs)
        shutil.copy(self.folder(runs[1]) / "0.npz", self.folder(runs[0]))
        assert newest_checkpoint(ours).progress.epoch == 1
        (self.folder(runs[0]) / "1.npz").unlink()
        with pytest.raises(RunError, match=f"the checkpoint of run {ours} is run {theirs}'s"):
            newest_checkpoint(ours)

    @pytest.mark.parametrize(
        "edit",
        [
            {"epoch": "2"},
            {"epoch": 3},
            {"epoch": -1},
            {"epoch": None},
            {"schedule": []},
            {"schedule": {"best": "low"}},
            {"best_epoch": 3},
            {"best_epoch": 1.5},
            {"best_loss": None},
            {"history": {}},
            {"history": [1.0, 2.0]},
            {"history": [{"loss": "1"}] * 2},
            {"history": [{}] * 2},
            {"unknown": 1},
        ],
        ids=str,
    )
    def test_an_edited_progress_is_not_taken(self, edit, tmp_path):
        progress = Progress(2, {"best": 1.0}, 2, 1.0, [{"loss": 1.0}] * 2)
        assert self.edited(tmp_path, progress, lambda about: about) is not None

        def change(about):
            about["progress"] |= edit
            return about

        assert self.edited(tmp_path, progress, change) is None

    @pytest.mark.parametrize(
        "about",
        [
            [],
            None,
            {"progress": {}},
            {"progress": None, "origin": {}},
            {"progress": {}, "origin": []},
            {"progress": {}, "origin": {"settings": "paper's"}},
            {"progress": {}, "origin": {"decoding": None}},
            {"progress": {}, "origin": {"dataset_digest": 3}},
            {"progress": {}, "origin": {"tags": {"backend": 1}}},
            {"progress": {}, "origin": {"initial": "unet"}},
            {"progress": {}, "origin": {"run": 1}},
        ],
        ids=str,
    )
    def test_an_edited_origin_is_not_taken(self, about, tmp_path):
        assert self.edited(tmp_path, Progress(), lambda _: about) is None

    @staticmethod
    def edited(folder: Path, progress: Progress, change) -> Checkpoint | None:
        """Save a checkpoint, change what it says of itself, and load it."""
        file = folder / "edited.npz"
        Checkpoint(progress, {"kernel": np.zeros(1)}, {}, {"kernel": np.ones(1)}).save(file)
        with np.load(file) as saved:
            content = dict(saved)
        content["about"] = np.array(json.dumps(change(json.loads(str(content["about"])))))
        np.savez(file, **content)
        return Checkpoint.load(file)

    def test_without_any_a_run_starts_over(self, network, store):
        with mlflow.start_run() as run:
            assert newest_checkpoint(run.info.run_id) is None


def test_a_killed_run_resumes_to_the_weights_of_an_uninterrupted_one(
    manifest, small_network, forge, tmp_path, monkeypatch
):
    """A real kill -9 in the middle of a real command."""
    monkeypatch.chdir(tmp_path)
    options = ["--data", manifest.folder, "--model", small_network, "--batch-size", "4"]
    options += ["--epochs", "20", "--learning-rate", "1e-3", "--augment", "full"]
    with own_store(tmp_path) as uri:
        client = mlflow.MlflowClient(uri)
        experiment = client.get_experiment_by_name("recolor")
        command = forge.begin(tmp_path, "train", *options, MLFLOW_TRACKING_URI=uri)
        deadline = time.monotonic() + 200
        killed = None
        while time.monotonic() < deadline and killed is None:
            time.sleep(0.05)
            assert command.runs, f"the run ended before it was killed\n{command.said}"
            for found in client.search_runs([experiment.experiment_id]):
                if 2 <= found.data.metrics.get("epochs", 0) < 19:
                    command.signal(signal.SIGKILL)
                    command.wait()
                    killed = found.info.run_id
        assert killed, "no second epoch in time"
        assert client.get_run(killed).info.status == "RUNNING"

        resume = ["train", "--data", str(manifest.folder), "--resume", killed]
        result = CliRunner().invoke(main, resume)
        assert result.exit_code == 0, result.output
    (finished,) = client.search_runs([experiment.experiment_id])
    assert (finished.info.run_id, finished.info.status) == (killed, "FINISHED")
    assert {m.step for m in client.get_metric_history(killed, "training/loss")} == set(range(1, 21))

    resumed = Checkpoint.load(Path(client.download_artifacts(killed, f"{CHECKPOINTS}/0.npz")))
    settings = Settings(small_network, epochs=20, batch_size=4, learning_rate=1e-3, augment="full")
    assert_equal_bit_by_bit(resumed, fit(manifest, settings, Devices()))


@pytest.mark.parametrize(
    ("model", "epochs"),
    [("regression", 70), ("classification", 150)],
)
@pytest.mark.slow
def test_networks_can_learn_eight_posters_by_heart(model, epochs, posters, learn_by_heart):
    error, gray = learn_by_heart(model, posters, size=16, epochs=epochs)
    assert error < gray / 5


def test_an_extended_run_that_is_interrupted_keeps_its_new_goal(
    manifest, store, small_network, monkeypatch
):
    """--resume alone continues to the last number of epochs that was asked for."""

    def interrupt(*_):
        raise KeyboardInterrupt

    begun = []
    with monkeypatch.context() as patch:
        patch.setattr(publication, "publish", interrupt)
        with pytest.raises(KeyboardInterrupt):
            settings = Settings(small_network, epochs=1, batch_size=10)
            train(manifest, settings, started=begun.append)
        (run_id,) = begun
        # As if it had been begun by an earlier version.
        mlflow.MlflowClient().set_tag(run_id, "version.poster-recolor", "0.0.9")
        longer = replace(saved_settings(run_id), epochs=2)
        with pytest.raises(KeyboardInterrupt):
            train(manifest, longer, run_id)
    assert saved_settings(run_id) == longer
    longer = replace(longer, epochs=3)
    train(manifest, longer, run_id)
    assert saved_settings(run_id) == longer
    run = mlflow.get_run(run_id).data
    epochs = {name: value for name, value in run.params.items() if name.startswith("epochs")}
    assert epochs == {"epochs": "1", "epochs.used": "2", "epochs.used.2": "3"}
    origins = {
        name: value for name, value in run.tags.items() if name.endswith("version.poster-recolor")
    }
    now = version("poster-recolor")
    assert origins == {
        "version.poster-recolor": "0.0.9",
        "resumed.1.version.poster-recolor": now,
        "resumed.2.version.poster-recolor": now,
    }
    with pytest.raises(RunError, match="raise `epochs`"):
        train(manifest, replace(longer, epochs=2), run_id)


def test_every_epoch_is_validated_on_the_whole_split(manifest, small_network):
    """Six batches of one poster: more than any framework reads ahead. The weights hardly move."""
    settings = Settings(small_network, epochs=3, batch_size=1, learning_rate=1e-30)
    last = fit(manifest, settings, Devices())
    network = MODELS[small_network](manifest.classes).build(manifest.size)
    assign_by_name(network.weights, last.weights)
    found = [epoch["val_loss"] for epoch in last.progress.history]
    np.testing.assert_allclose(found, [validation_loss(manifest, network)] * 3, rtol=1e-5)
