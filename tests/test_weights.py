"""Weights in a compact file: whole, small, and good to resume from."""

import json
import pickle
import re
from dataclasses import replace
from pathlib import Path

import keras
import mlflow
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from recolor.datasets.classes import ColorClasses, cell_centers
from recolor.datasets.preparation import prepare
from recolor.models.catalog import MODELS, PAPER
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.models.decoding.vividness import no_calibration
from recolor.models.weights import ABOUT, Weights, WeightsError, _digest, named_values
from recolor.platform.registry.revalidation import may_know
from recolor.platform.registry.sources import find_weights
from recolor.platform.tracking.checkpoint import Checkpoint
from recolor.platform.training.lineage import check_initial_weights
from recolor.platform.training.saved_settings import saved_settings
from recolor.platform.training.settings import Settings, TrainingError
from recolor.platform.training.tracked import train
from recolor.platform.training.untracked import train_untracked

CELLS = [500, 501, 528, 529, 530, 560]


def some_classes(cells=CELLS) -> np.ndarray:
    counts = np.zeros(1024, np.int64)
    counts[cells] = np.arange(1, len(cells) + 1)
    return counts


@pytest.fixture(params=PAPER)
def weights(request) -> Weights:
    counts = some_classes()
    keras.utils.set_random_seed(1)
    network = MODELS[request.param](ColorClasses.from_counts(counts)).build(16)
    origin = {"settings": {"epochs": 3}, "tags": {}}
    calibration = no_calibration()
    calibration[1] *= 1.5
    return Weights(
        request.param, 16, "none", OwnDecoding(temperature=0.3, vividness=0.2), counts, calibration,
        named_values(network.weights), origin,
    )  # fmt: skip


def test_a_file_gives_back_what_was_saved_in_half_precision(weights, tmp_path):
    file = tmp_path / "weights.safetensors"
    weights.save(file)
    again = Weights.load(file)
    assert again.describe() == weights.describe() and again.origin == weights.origin
    np.testing.assert_array_equal(again.cell_counts, weights.cell_counts)
    np.testing.assert_allclose(again.calibration, weights.calibration, rtol=2**-10)
    assert next(iter(weights.tensors)) == "encoder_1/kernel"
    assert again.tensors.keys() == weights.tensors.keys()
    for path, saved in weights.tensors.items():
        assert again.tensors[path].dtype == np.float32
        np.testing.assert_allclose(again.tensors[path], saved, rtol=2**-10, atol=1e-7)
    assert file.stat().st_size < 2.1 * sum(tensor.size for tensor in weights.tensors.values())
    lightness = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 1), np.uint8)
    outputs = []
    for one in (weights, again):
        kind, network = one.network()
        features = network([lightness, np.zeros((2, 1000), np.float32)])
        outputs.append(np.asarray(kind.decode(features, one.decoding.temperature)))
    np.testing.assert_allclose(*outputs, atol=0.2)


@pytest.mark.parametrize("cut", [0, 10, 1000, -1])
def test_a_damaged_file_is_refused(weights, tmp_path, cut):
    file = tmp_path / "weights.safetensors"
    weights.save(file)
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(WeightsError, match=r"weights\.safetensors is not a complete file"):
        Weights.load(file)


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_file_with_other_bytes_inside_is_refused(weights, tmp_path, place):
    file = tmp_path / "weights.safetensors"
    weights.save(file)
    content = bytearray(file.read_bytes())
    start = int(len(content) * place)
    content[start : start + 64] = bytes(64)
    file.write_bytes(content)
    with pytest.raises(WeightsError, match=r"weights\.safetensors is not a complete file"):
        Weights.load(file)


def rewritten(file: Path, tensors: dict | None = None, **about) -> None:
    """Change tensors and description of a file, and digest it again."""
    with safe_open(file, framework="numpy") as content:
        description = json.loads(content.metadata()[ABOUT])
    tensors = {**load_file(file), **(tensors or {})}
    del description["digest"]
    description |= about
    description["digest"] = _digest(tensors, description)
    save_file(tensors, file, {ABOUT: json.dumps(description)})


@pytest.mark.parametrize(
    "change", [{"origins": "text"}, {"tensors": {"cell_counts": np.ones(3, int)}}]
)
def test_a_file_with_other_content_is_refused(weights, tmp_path, change):
    file = tmp_path / "weights.safetensors"
    weights.save(file)
    rewritten(file, **change)
    with pytest.raises(WeightsError, match=r"weights\.safetensors is not a complete file"):
        Weights.load(file)


def nested(depth: int) -> dict:
    return {"initial": nested(depth - 1)} if depth else {}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": 100_000}, "size: Input should be less than or equal to 2048"),
        ({"size": 0}, "size: Input should be greater than or equal to 8"),
        ({"size": -8}, "size: "),
        ({"size": "32"}, "size: Input should be a valid integer"),
        ({"size": 32.5}, "size: "),
        ({"size": True}, "size: "),
        ({"size": None}, "size: "),
        ({"coarse_size": 100_000}, "coarse_size: "),
        ({"embedding_size": 10**9}, "embedding_size: "),
        ({"embedding": 5}, "embedding: Input should be a valid string"),
        ({"model": ["regression"]}, "model: "),
        ({"temperature": "hot"}, "temperature: "),
        ({"temperature": 0.0}, "temperature must be a number from 0.001 to 100"),
        ({"temperature": float("nan")}, "temperature: Input should be a finite number"),
        ({"vividness": 2.0}, "vividness must be a number from 0 to 1"),
        ({"origin": "a text"}, "origin: "),
        ({"origin": []}, "origin: "),
        ({"origin": {"initial": "a text"}}, "origin.initial: "),
        ({"origin": {"initial": {"held_out": 5}}}, "origin.initial.held_out: "),
        ({"origin": {"training_posters": "many"}}, "origin.training_posters: "),
        ({"origin": nested(500)}, "origin.initial"),
        ({"tensors": {"cell_counts": np.full(1024, -1)}}, "whole numbers of at least 0"),
        ({"tensors": {"cell_counts": np.full(1024, np.nan)}}, "whole numbers of at least 0"),
        ({"tensors": {"cell_counts": np.full(1024, 0.5)}}, "whole numbers of at least 0"),
        ({"tensors": {"network/encoder_1/bias": np.full(64, np.nan)}}, "encoder_1/bias holds a"),
        ({"tensors": {"network/encoder_1/bias": np.full(64, -np.inf)}}, "encoder_1/bias holds a"),
        ({"tensors": {"network/encoder_1/bias": np.full(64, 1e300)}}, "encoder_1/bias holds a"),
        ({"tensors": {"calibration": np.full((3, 16, 65, 65), np.inf)}}, "calibration holds a"),
    ],
)
def test_values_that_no_training_gives_are_refused(weights, tmp_path, change, words):
    """Before a network is built of them, which a large size would need gigabytes for."""
    file = tmp_path / "weights.safetensors"
    weights.save(file)
    rewritten(file, **change)
    with pytest.raises(WeightsError, match=re.escape(words)) as raised:
        Weights.load(file)
    assert str(file) in str(raised.value) and "\n" not in str(raised.value)


def test_a_size_or_a_calibration_that_no_network_has_is_refused(weights):
    with pytest.raises(WeightsError, match="multiple of 8 pixels, not 20"):
        replace(weights, size=20).network()
    with pytest.raises(WeightsError, match=r"shape .*, and not \(3, 16\)"):
        replace(weights, calibration=np.zeros((3, 16))).network()


def test_a_changed_description_is_refused(weights, tmp_path):
    file = tmp_path / "weights.safetensors"
    weights.save(file)
    file.write_bytes(file.read_bytes().replace(b"temperature", b"tempera7ure"))
    with pytest.raises(WeightsError, match=r"not a complete file of weights \(it was changed\)"):
        Weights.load(file)


def test_what_half_precision_can_not_hold_is_kept_in_single(weights, tmp_path):
    file = tmp_path / "weights.safetensors"
    large = {**weights.tensors, "encoder_1/bias": np.full(64, 70000.0, np.float32)}
    replace(weights, tensors=large).save(file)
    assert load_file(file)["network/encoder_1/bias"].dtype == np.float32
    assert load_file(file)["network/encoder_2/bias"].dtype == np.float16
    np.testing.assert_array_equal(Weights.load(file).tensors["encoder_1/bias"], 70000.0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_not_written(weights, tmp_path, value):
    file = tmp_path / "weights.safetensors"
    broken = {**weights.tensors, "encoder_1/bias": np.full(64, value, np.float32)}
    with pytest.raises(WeightsError, match="encoder_1/bias hold a value that is not a finite"):
        replace(weights, tensors=broken).save(file)
    assert not list(tmp_path.iterdir())


def test_weights_are_found_by_name_in_whatever_order(weights, tmp_path):
    shuffled = dict(sorted(weights.tensors.items(), reverse=True))
    (_, one), (_, other) = weights.network(), replace(weights, tensors=shuffled).network()
    for before, after in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_weights_of_another_shape_are_refused(weights):
    kind = MODELS[weights.model](ColorClasses.from_counts(weights.cell_counts))
    fewer = dict(list(weights.tensors.items())[:-1])
    smaller = {path: tensor[..., :1] for path, tensor in weights.tensors.items()}
    for tensors in (fewer, smaller, {**weights.tensors, "more/kernel": np.zeros(1)}):
        other = replace(weights, tensors=tensors)
        with pytest.raises(WeightsError, match="do not fit this"):
            other.network()
        with pytest.raises(WeightsError, match="do not fit this"):
            other.begin(kind.build(16), kind)


def test_a_training_is_no_file_of_weights(manifest, small_network, tmp_path):
    file = tmp_path / "training.npz"
    train_untracked(manifest, Settings(small_network, epochs=1, batch_size=20), file)
    with pytest.raises(WeightsError, match="recolor import-weights"):
        Weights.load(file)


def test_a_pickle_is_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (exec, ("raise SystemExit('the pickle was run')",))

    file = tmp_path / "trap.safetensors"
    with file.open("wb") as stream:
        np.savez(stream, about=np.array([Trap()], dtype=object))
    with pytest.raises(WeightsError, match="not a complete file"):
        Weights.load(file)
    file.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(WeightsError, match="not a complete file"):
        Weights.load(file)


def test_another_format_is_refused(weights, tmp_path):
    file = tmp_path / "weights.safetensors"
    weights.save(file)
    rewritten(file, format=9)
    with pytest.raises(WeightsError, match=r"is of format 9, another version's: make it again"):
        Weights.load(file)


def test_weights_of_another_size_and_other_classes_begin_a_training(weights):
    """Each new class has the logits of the old class that lies nearest."""
    counts = some_classes([500, 528, 530, 561, 700])
    classes = ColorClasses.from_counts(counts)
    kind = MODELS[weights.model](classes)
    network = kind.build(32)
    weights.begin(network, kind)
    old, new = weights.tensors, named_values(network.weights)
    head = {"class_head/kernel", "class_head/bias"}
    for path in new.keys() - head:
        np.testing.assert_array_equal(new[path], old[path])
    if weights.model == "regression":
        return
    olds, news = cell_centers(CELLS), classes.centers
    for number, center in enumerate(news):
        nearest = min(range(len(olds)), key=lambda n: np.abs(olds[n] - center).sum())
        for path in head:
            np.testing.assert_array_equal(new[path][..., number], old[path][..., nearest])


def test_weights_of_the_other_kind_are_refused(weights):
    (other,) = set(PAPER) - {weights.model}
    kind = MODELS[other](ColorClasses.from_counts(weights.cell_counts))
    with pytest.raises(WeightsError, match=f"of a {weights.model} network"):
        weights.begin(kind.build(16), kind)


@pytest.fixture(scope="module")
def first(manifest, trained, small_network):
    """A run with one epoch, and its version.

    It comes after `trained`, which may replace all that the store holds.
    """
    return train(manifest, Settings(small_network, epochs=1, batch_size=20, learning_rate=1e-3))


def test_a_run_keeps_its_weights_and_another_begins_with_them(first, manifest, tmp_path):
    uri = f"models:/poster-recolor/{first.version}"
    kept = find_weights(uri)
    assert kept.origin["settings"]["learning_rate"] == 1e-3
    assert kept.origin["dataset_digest"] == manifest.digest
    assert kept.origin["tags"]["version.keras"] == keras.__version__
    # So small a learning rate that what is learned is nothing to what was there before.
    settings = Settings("small", epochs=1, batch_size=5, learning_rate=1e-9, initial_weights=uri)
    second = train(manifest, settings)
    assert saved_settings(second.run_id).initial_weights == uri
    found = find_weights(f"models:/poster-recolor/{second.version}")
    assert found.origin["initial"] == kept.origin
    for path, tensor in kept.tensors.items():
        np.testing.assert_allclose(tensor, found.tensors[path], atol=1e-4)

    file = tmp_path / "first.safetensors"
    kept.save(file)
    untracked = tmp_path / "untracked.npz"
    settings = replace(settings, initial_weights=str(file))
    last = train_untracked(manifest, settings, untracked)
    assert Checkpoint.load(untracked).origin["initial"] == kept.origin
    for path, tensor in kept.tensors.items():
        np.testing.assert_allclose(tensor, last.weights[path], atol=1e-4)


def test_weights_that_may_know_posters_held_out_begin_nothing(trained, posters, tmp_path):
    other, _ = prepare(
        posters, tmp_path / "other", size=16, split=(0.6, 0.2, 0.2), embedding="none", seed=99,
        workers=1,
    )  # fmt: skip
    uri = f"models:/poster-recolor/{trained.version}"
    settings = Settings("classification", epochs=1, initial_weights=uri)
    with pytest.raises(TrainingError, match=r"other splits.*`force_initial`"):
        train(other, settings)
    weights = find_weights(uri)
    check_initial_weights(weights, other, replace(settings, force_initial=True))
    same = replace(weights, origin={**weights.origin, "held_out": other.held_out})
    check_initial_weights(same, other, settings)


def test_weights_of_which_nobody_knows_what_they_learned_from_are_told_of(manifest, caplog):
    """Such are the bundled classification's: no training that led to them says what it held out."""
    settings = Settings("classification", epochs=1, initial_weights="classification")
    weights = find_weights("classification")
    assert weights.held_out_like(manifest.held_out) is None
    assert may_know(manifest, "classification")
    check_initial_weights(weights, manifest, replace(settings, force_initial=True))
    assert not caplog.messages
    check_initial_weights(weights, manifest, settings)
    (message,) = caplog.messages
    assert message.startswith(f"classification may have learned from posters that {manifest} holds")
    origin = {"held_out": manifest.held_out, "initial": weights.origin}
    assert replace(weights, origin=origin).held_out_like(manifest.held_out) is None
    assert replace(weights, origin=origin).held_out_like("others") is False
    assert replace(weights, origin={}).held_out_like(manifest.held_out) is None


def test_a_version_keeps_its_own_weights_when_its_training_goes_on(first, manifest):
    uri = f"models:/poster-recolor/{first.version}"
    before = find_weights(uri)
    settings = replace(saved_settings(first.run_id), epochs=2)
    second = train(manifest, settings, first.run_id)
    assert second.run_id == first.run_id and second.version != first.version
    after = find_weights(uri)
    assert after.origin["epochs"] == 1
    for path, tensor in before.tensors.items():
        np.testing.assert_array_equal(after.tensors[path], tensor)
    assert find_weights(f"models:/poster-recolor/{second.version}").origin["epochs"] == 2


def test_an_earlier_versions_file_is_refused(tmp_path):
    file = tmp_path / "weights.npz"
    np.savez(file, about=np.array("{}"))
    with pytest.raises(WeightsError, match=r"they end in \.safetensors.*import-weights"):
        Weights.load(file)


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
