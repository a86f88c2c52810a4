"""Weights in a compact file: whole, small, and good to go on from."""

import json
import pickle
from dataclasses import replace

import keras
import mlflow
import numpy as np
import pytest

from recolor.datasets.classes import ColorClasses, cell_centers
from recolor.models.catalog import MODELS
from recolor.models.decoding.vividness import no_calibration
from recolor.models.weights import ABOUT, Weights, WeightsError
from recolor.platform.registry.weight_sources import find_weights
from recolor.platform.training.checkpoint import Checkpoint
from recolor.platform.training.settings import Settings, TrainingError
from recolor.platform.training.tracked import saved_settings, train
from recolor.platform.training.untracked import train_untracked

CELLS = [500, 501, 528, 529, 530, 560]


def some_classes(cells=CELLS) -> np.ndarray:
    counts = np.zeros(1024, np.int64)
    counts[cells] = np.arange(1, len(cells) + 1)
    return counts


@pytest.fixture(params=list(MODELS))
def weights(request) -> Weights:
    counts = some_classes()
    keras.utils.set_random_seed(1)
    network = MODELS[request.param](ColorClasses.from_counts(counts)).network(16)
    origin = {"settings": {"epochs": 3}, "tags": {}}
    calibration = no_calibration()
    calibration[1] *= 1.5
    arrays = network.get_weights()
    return Weights(request.param, 16, "none", 0.3, 0.2, counts, calibration, arrays, origin)


def test_a_file_gives_back_what_was_saved_in_half_precision(weights, tmp_path):
    file = tmp_path / "weights.npz"
    weights.save(file)
    again = Weights.load(file)
    for name in ABOUT:
        assert getattr(again, name) == getattr(weights, name)
    np.testing.assert_array_equal(again.cell_counts, weights.cell_counts)
    np.testing.assert_allclose(again.calibration, weights.calibration, rtol=2**-10)
    for saved, read in zip(weights.arrays, again.arrays, strict=True):
        assert read.dtype == np.float32
        np.testing.assert_allclose(read, saved, rtol=2**-10, atol=1e-7)
    assert file.stat().st_size < 2.1 * sum(array.size for array in weights.arrays)
    lightness = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 1), np.uint8)
    outputs = []
    for one in (weights, again):
        kind, network = one.network()
        features = network([lightness, np.zeros((2, 1000), np.float32)])
        outputs.append(np.asarray(kind.decode(features, one.temperature)))
    np.testing.assert_allclose(*outputs, atol=0.2)


@pytest.mark.parametrize("cut", [0, 10, 1000, -1])
def test_a_damaged_file_is_refused(weights, tmp_path, cut):
    file = tmp_path / "weights.npz"
    weights.save(file)
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(WeightsError, match=r"weights\.npz is no whole file"):
        Weights.load(file)


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_file_with_other_bytes_inside_is_refused(weights, tmp_path, place):
    file = tmp_path / "weights.npz"
    weights.save(file)
    content = bytearray(file.read_bytes())
    start = int(len(content) * place)
    content[start : start + 64] = bytes(64)
    file.write_bytes(content)
    with pytest.raises(WeightsError, match=r"weights\.npz is no whole file"):
        Weights.load(file)


@pytest.mark.parametrize("change", [{"about": '"text"'}, {"cell_counts": np.ones(3, int)}])
def test_a_file_with_other_content_is_refused(weights, tmp_path, change):
    file = tmp_path / "weights.npz"
    weights.save(file)
    with np.load(file) as content:
        arrays = dict(content)
    np.savez(file, **{**arrays, **change})
    with pytest.raises(WeightsError, match=r"weights\.npz is no whole file"):
        Weights.load(file)


def test_weights_of_another_shape_are_refused(weights):
    kind = MODELS[weights.model](ColorClasses.from_counts(weights.cell_counts))
    for arrays in (weights.arrays[:-1], [array[..., :1] for array in weights.arrays]):
        other = replace(weights, arrays=arrays)
        with pytest.raises(WeightsError, match="are not those of"):
            other.network()
        with pytest.raises(WeightsError, match="are not those of"):
            other.begin(kind.network(16), kind)


def test_a_training_is_no_file_of_weights(manifest, tmp_path):
    file = tmp_path / "training.npz"
    train_untracked(manifest, Settings("regression", epochs=1, batch_size=20), file)
    with pytest.raises(WeightsError, match="recolor import-weights"):
        Weights.load(file)


def test_a_pickle_is_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (exec, ("raise SystemExit('the pickle was run')",))

    file = tmp_path / "trap.npz"
    np.savez(file, about=np.array([Trap()], dtype=object))
    with pytest.raises(WeightsError, match="no whole file"):
        Weights.load(file)
    file.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(WeightsError, match="no whole file"):
        Weights.load(file)


def test_another_format_is_refused(weights, tmp_path):
    file = tmp_path / "weights.npz"
    weights.save(file)
    with np.load(file) as content:
        arrays = dict(content)
    about = {**json.loads(str(arrays["about"])), "format": 9}
    np.savez(file, **{**arrays, "about": np.array(json.dumps(about))})
    with pytest.raises(WeightsError, match=r"is of format 9, another version's: make it anew"):
        Weights.load(file)


def test_weights_of_another_size_and_other_classes_begin_a_training(weights):
    """Each new class has the logits of the old class that lies nearest."""
    counts = some_classes([500, 528, 530, 561, 700])
    classes = ColorClasses.from_counts(counts)
    kind = MODELS[weights.model](classes)
    network = kind.network(32)
    weights.begin(network, kind)
    old, new = weights.arrays, network.get_weights()
    if weights.model == "regression":
        for one, other in zip(old, new, strict=True):
            np.testing.assert_array_equal(one, other)
        return
    for one, other in zip(old[:-2], new[:-2], strict=True):
        np.testing.assert_array_equal(one, other)
    olds, news = cell_centers(CELLS), classes.centers
    for number, center in enumerate(news):
        nearest = min(range(len(olds)), key=lambda n: np.abs(olds[n] - center).sum())
        np.testing.assert_array_equal(new[-2][:, number], old[-2][:, nearest])
        assert new[-1][number] == old[-1][nearest]


def test_weights_of_the_other_kind_are_refused(weights):
    (other,) = set(MODELS) - {weights.model}
    kind = MODELS[other](ColorClasses.from_counts(weights.cell_counts))
    with pytest.raises(WeightsError, match=f"of a {weights.model} network"):
        weights.begin(kind.network(16), kind)


def test_a_run_keeps_its_weights_and_another_begins_with_them(trained, manifest, tmp_path):
    uri = f"models:/poster-recolor/{trained.version}"
    first = find_weights(uri)
    assert first.origin["settings"]["epochs"] == 2
    assert first.origin["dataset_digest"] == manifest.digest
    assert first.origin["tags"]["version.keras"] == keras.__version__
    # So small a learning rate that what is learned is nothing to what was there before.
    settings = Settings(
        "classification", epochs=1, batch_size=5, learning_rate=1e-9, initial_weights=uri
    )
    second = train(manifest, settings)
    assert saved_settings(second.run_id).initial_weights == uri
    found = find_weights(f"models:/poster-recolor/{second.version}")
    assert found.origin["initial"] == first.origin
    for one, other in zip(first.arrays, found.arrays, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)

    file = tmp_path / "first.npz"
    first.save(file)
    untracked = tmp_path / "untracked.npz"
    settings = replace(settings, initial_weights=str(file))
    last = train_untracked(manifest, settings, untracked)
    assert Checkpoint.load(untracked).origin["initial"] == first.origin
    for one, other in zip(first.arrays, last.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_weights_that_are_not_there_begin_nothing(manifest, store, tmp_path):
    runs = len(mlflow.search_runs())
    for source in ("models:/poster-recolor/999", "missing.npz"):
        settings = Settings("regression", epochs=1, initial_weights=source)
        with pytest.raises(WeightsError, match=source):
            train(manifest, settings)
    assert len(mlflow.search_runs()) == runs
    with pytest.raises(WeightsError, match=r"missing\.npz"):
        train_untracked(manifest, settings, tmp_path / "out.npz")
    with pytest.raises(TrainingError):
        settings.check_continues(replace(settings, initial_weights=None), "it")
