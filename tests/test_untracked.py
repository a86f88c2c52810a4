"""Training into a file: without a run, resumable, and imported as one."""

import mlflow
import numpy as np
import pytest

from recolor.datasets.preparation import prepare
from recolor.models.decoding.options import Decoding
from recolor.platform.registry.registration import load_registered, model_info
from recolor.platform.tracking.checkpoint import Checkpoint
from recolor.platform.training.publication import import_weights
from recolor.platform.training.settings import Settings, TrainingError
from recolor.platform.training.untracked import load_checkpoint, train_untracked

pytestmark = pytest.mark.usefixtures("small_network")


def settings(**change) -> Settings:
    return Settings(
        **{"model": "small", "epochs": 2, "batch_size": 5, "augment": "full", "seed": 3, **change}
    )


@pytest.fixture(scope="module")
def file(manifest, small_network, tmp_path_factory):
    file = tmp_path_factory.mktemp("untracked") / "weights.npz"
    train_untracked(manifest, settings(), file)
    return file


@pytest.fixture(scope="module")
def imported(manifest, file, store):
    return import_weights(manifest, file)


def test_a_training_in_two_parts_equals_one_in_one_part(manifest, file, tmp_path):
    parts = tmp_path / "weights.npz"
    for epochs in (1, 2):
        train_untracked(manifest, settings(epochs=epochs), parts)
    whole, resumed = Checkpoint.load(file), Checkpoint.load(parts)
    assert whole.progress == resumed.progress
    for name in ("weights", "optimizer", "best"):
        for one, other in zip(getattr(whole, name), getattr(resumed, name), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("change", "words"),
    [({}, "2 epochs already"), ({"epochs": 3, "seed": 4}, "other settings")],
)
def test_a_file_goes_on_only_with_its_own_settings(change, words, manifest, file):
    before = file.read_bytes()
    with pytest.raises(TrainingError, match=words):
        train_untracked(manifest, settings(**change), file)
    assert file.read_bytes() == before


def test_a_file_goes_on_only_with_its_own_data(posters, file, tmp_path, store):
    other, _ = prepare(
        posters, tmp_path / "data", size=32, split=(8, 0, 0), embedding="none", seed=0, workers=1
    )
    with pytest.raises(TrainingError, match="other data"):
        train_untracked(other, settings(epochs=3), file)
    with pytest.raises(TrainingError, match="other data"):
        import_weights(other, file)


@pytest.mark.parametrize("content", [b"", b"PK", b"not a checkpoint" * 100, None])
def test_anything_else_is_not_imported(content, manifest, store, tmp_path):
    file = tmp_path / "weights.npz"
    if content is not None:
        file.write_bytes(content)
    runs = len(mlflow.search_runs())
    with pytest.raises(TrainingError, match=r"weights\.npz is not a complete file"):
        import_weights(manifest, file)
    assert len(mlflow.search_runs()) == runs


def test_a_file_that_lacks_what_a_training_keeps_is_not_imported(manifest, file, tmp_path):
    for lacking in ("settings", "decoding", "dataset_digest", "tags", "initial"):
        checkpoint = Checkpoint.load(file)
        del checkpoint.origin[lacking]
        checkpoint.save(tmp_path / "weights.npz")
        with pytest.raises(TrainingError, match=r"weights\.npz is not a complete file"):
            load_checkpoint(tmp_path / "weights.npz", manifest)


def test_an_imported_model_predicts_what_was_trained(manifest, file, imported):
    run = mlflow.get_run(imported.run_id)
    assert run.data.params["model"] == "small"
    assert run.data.tags["trained.backend"] == "tensorflow"
    progress = Checkpoint.load(file).progress
    history, best = progress.history, progress.history[progress.best_epoch - 1]
    client = mlflow.MlflowClient()
    logged = client.get_metric_history(imported.run_id, "training/val_loss")
    assert [metric.value for metric in logged] == [epoch["val_loss"] for epoch in history]
    # Scored again, with colors rounded to integers: all by the same amount, after so few epochs.
    assert imported.metrics["l2_ab"] == pytest.approx(best["val_loss"], rel=5e-2)
    uri = f"models:/poster-recolor/{imported.version}"
    assert load_registered(uri).metadata.metadata["dataset_digest"] == manifest.digest


def test_how_it_decodes_may_be_chosen_when_it_is_imported(manifest, file, imported):
    trained = import_weights(manifest, file, Decoding(vividness=1.0))
    metadata = model_info(f"models:/poster-recolor/{trained.version}")[0].metadata
    assert (metadata["temperature"], metadata["vividness"]) == (0.38, 1.0)
    # The validation is of what it answers by default.
    assert trained.metrics["colorfulness"] > 1.1 * imported.metrics["colorfulness"]
