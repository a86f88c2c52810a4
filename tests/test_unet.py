"""The U-Net: its encoder, and a loss that only the differences between pixels count for."""

import itertools
from copy import deepcopy

import keras
import numpy as np
import pytest
from PIL import Image
from scipy.optimize import minimize
from scipy.special import entr, log_softmax, softmax

from recolor.datasets.classes import ColorClasses, cell_index, color_index
from recolor.datasets.embeddings import efficientnet_lite0
from recolor.datasets.preparation import prepare
from recolor.models.catalog import MODELS
from recolor.models.decoding.options import Decoding
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.models.decoding.vividness import no_calibration
from recolor.models.recolorer import Recolorer
from recolor.models.unet import SQUARED_ERROR_UNIT, UNet
from recolor.models.weights import Weights, named_values
from recolor.platform.training.devices import Devices
from recolor.platform.training.loop import fit
from recolor.platform.training.settings import Settings, TrainingError

RNG = np.random.default_rng(7)
FEATURES = 6


@pytest.fixture(scope="module")
def classes() -> ColorClasses:
    counts = np.zeros(1024, int)
    # Eight colors around neutral.
    for a, b in itertools.product((-28, -4, 20), repeat=2):
        counts[cell_index(np.array([a, b]))] = 10
    return ColorClasses.from_counts(counts)


@pytest.fixture(scope="module")
def kind(classes) -> UNet:
    kind = UNet(classes)
    kind.head.build((None, FEATURES))
    kind.head.set_weights([RNG.normal(0, 1, (FEATURES, 9)), RNG.normal(0, 1, 9)])
    return kind


def example(posters: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """True colors of 24x24 pixels, and features of 6x6 of which every third one stands for all."""
    ab = RNG.integers(-30, 30, (posters, 2, 6, 2))
    ab = ab.repeat(3, axis=2).reshape(posters, 6, 6, 2).repeat(4, axis=1).repeat(4, axis=2)
    features = RNG.normal(0, 1, (posters, 12, FEATURES)).repeat(3, axis=1)
    return ab.astype(np.int8), features.reshape(posters, 6, 6, FEATURES).astype(np.float32)


def cross_entropy(kind, ab, features, offsets) -> float:
    """That of one poster, spelled out; the colors are even within each 4x4 pixels."""
    places = itertools.product(range(6), repeat=2)
    return sum(cross_entropy_of_pixel(kind, ab, features, offsets, *one) for one in places) / 36


def cross_entropy_of_pixel(kind, ab, features, offsets, row, column) -> float:
    neighbors, weights = kind.classes.soft_encoding
    logits = features @ np.asarray(kind.head.kernel) + np.asarray(kind.head.bias) + offsets
    color = color_index(ab[4 * row, 4 * column])
    target = np.zeros(len(kind.classes))
    target[neighbors[color]] = weights[color]
    return -target @ log_softmax(logits[row, column].astype(np.float64))


@pytest.mark.slow
def test_the_loss_is_that_of_the_best_offsets_and_a_part_of_that_without(kind):
    ab, features = example()
    for loss, true, seen in zip(kind.loss(ab, features), ab, features, strict=True):
        free = cross_entropy(kind, true, seen, 0.0)
        best = minimize(
            lambda v, true=true, seen=seen: cross_entropy(kind, true, seen, v), np.zeros(9)
        )
        assert float(loss) == pytest.approx(best.fun + UNet.free_share * free, rel=0.01)
        assert best.fun < free


def test_a_color_that_is_everywhere_costs_nothing_under_its_palette(kind):
    """Which color it is can't be known, and so must not be learned by heart."""
    _, features = example(1)
    features[:] = features[:, :1, :1]
    ab = np.full((1, 24, 24, 2), 20, np.int8)
    rare = float(kind.loss(ab, features)[0]) - UNet.free_share * cross_entropy(
        kind, ab[0], features[0], 0.0
    )
    entropy = entr(kind.classes.soft_encoding[1]).sum(-1)
    assert rare == pytest.approx(entropy[color_index(ab[0, 0, 0])], abs=0.02)


def test_it_begins_with_the_weights_of_imagenet_and_they_learn_slowly(classes):
    kind = UNet(classes)
    network = kind.build(64)
    kind.initialize(network)
    known = efficientnet_lite0.tensors()
    for variable in network.weights:
        encoder = variable.path in known
        assert kind.learning_rate_scale(variable.path) == (UNet.encoder_rate if encoder else 1)
        if encoder and variable.path != "stem/kernel":
            np.testing.assert_array_equal(np.asarray(variable), known[variable.path])
    assert kind.learning_rate_scale("decoder_8/kernel") == 1
    assert "block_16_project/kernel" in {variable.path for variable in network.weights}


def test_it_answers_at_a_quarter_of_the_size_of_any_rectangle(classes):
    kind = UNet(classes)
    network = kind.build(None)
    source = np.zeros((1, 96, 64, 2), np.int8)
    features = network([RNG.integers(0, 256, (1, 96, 64, 1), np.uint8), source])
    assert features.shape == (1, 24, 16, 96)
    ab = np.asarray(kind.decode(features, 0.5))
    assert ab.shape == (1, 96, 64, 2)
    # Doubled twice: between the centers of two distributions colors change step by step.
    assert (
        np.abs(np.diff(ab[0, 2:-2, 30], axis=0)).max()
        < np.abs(np.diff(ab[0, 2::4, 30], axis=0)).max()
    )


def test_rare_colors_count_more_where_they_are_rebalanced(classes, kind):
    ab, features = example(1)

    def entropy(offsets) -> float:
        return np.mean(
            [
                cross_entropy_of_pixel(kind, ab[0], features[0], offsets, row, column)
                * classes.color_weights[color_index(ab[0, 4 * row, 4 * column])]
                for row, column in itertools.product(range(6), repeat=2)
            ]
        )

    free = with_the_head_of(kind, UNet.variant("free", "rebalanced")(classes))
    assert float(free.loss(ab, features)[0]) == pytest.approx(entropy(0.0), rel=1e-4)
    told = with_the_head_of(kind, UNet.variant("rebalanced")(classes))
    expected = minimize(entropy, np.zeros(9)).fun + UNet.free_share * entropy(0.0)
    assert float(told.loss(ab, features)[0]) == pytest.approx(expected, rel=2e-3)


def test_the_error_of_the_mean_color_may_be_the_loss(classes, kind):
    ab, features = example(1)
    regression = with_the_head_of(kind, UNet.variant("regression")(classes))
    logits = features[0] @ np.asarray(kind.head.kernel) + np.asarray(kind.head.bias)
    mean = softmax(logits.astype(np.float64), axis=-1) @ classes.centers
    error = np.square(ab[0, ::4, ::4] - mean).sum(axis=-1).mean() / SQUARED_ERROR_UNIT
    assert float(regression.loss(ab, features)[0]) == pytest.approx(error, rel=1e-4)
    both = with_the_head_of(kind, UNet.variant("both")(classes))
    more = float(both.loss(ab, features)[0]) - float(kind.loss(ab, features)[0])
    assert more == pytest.approx(both.mean_share * error, rel=1e-3)


def test_softer_targets_are_spread_over_the_same_classes(classes, kind):
    ab, features = example(1)
    soft = with_the_head_of(kind, UNet.variant("free", "soft")(classes))
    logits = features[0] @ np.asarray(kind.head.kernel) + np.asarray(kind.head.bias)
    total = 0.0
    for row, column in itertools.product(range(6), repeat=2):
        distance = np.linalg.norm(classes.centers - ab[0, 4 * row, 4 * column], axis=1)
        nearest = classes.soft_encoding[0][color_index(ab[0, 4 * row, 4 * column])]
        target = np.exp(-np.square(distance[nearest]) / (2 * 10.0**2))
        total -= target / target.sum() @ log_softmax(logits[row, column].astype(float))[nearest]
    assert float(soft.loss(ab, features)[0]) == pytest.approx(total / 36, rel=1e-4)


def with_the_head_of(kind, other):
    other.head.build((None, FEATURES))
    other.head.set_weights(kind.head.get_weights())
    return other


@pytest.mark.parametrize(("name", "step"), [("half", 2), ("eighth", 8)])
def test_classes_may_be_finer_and_coarser(classes, name, step):
    kind = MODELS[f"unet+{name}"](classes)
    given = [np.zeros((1, 64, 64, 1), np.uint8), np.zeros((1, 64, 64, 2), np.int8)]
    features = kind.build(64)(given)
    assert features.shape == (1, 64 // step, 64 // step, 96)
    assert np.asarray(kind.decode(features, 0.5)).shape == (1, 64, 64, 2)


def test_an_encoder_that_does_not_learn_or_knows_nothing(classes):
    known = efficientnet_lite0.tensors()
    frozen = MODELS["unet+frozen+dropout"](classes)
    assert (frozen.name, frozen.dropout) == ("unet+frozen+dropout", 0.2)
    learning = {variable.path for variable in frozen.build(32).trainable_variables}
    assert learning and not learning & set(known)
    random = MODELS["unet+random"](classes)
    network = random.build(32)
    random.initialize(network)
    stem = next(one for one in network.weights if one.path == "block_2_expand/kernel")
    assert not np.allclose(np.asarray(stem), known[stem.path])
    assert random.learning_rate_scale(stem.path) == 1


def test_variants_are_known_by_name_but_not_listed():
    assert "unet+soft+half" in MODELS and "unet+nothing" not in MODELS
    assert "regression+soft" not in MODELS and "unet+" not in MODELS
    assert not [name for name in MODELS if "+" in name]
    with pytest.raises(KeyError):
        MODELS["unet+nothing"]


def random_weights(name, cells):
    keras.utils.set_random_seed(0)
    counts = np.zeros(1024, int)
    counts[cells] = np.arange(1, len(cells) + 1) ** 2
    kind = MODELS[name](ColorClasses.from_counts(counts))
    network = kind.build(32)
    tensors = named_values(network.weights)
    weights = Weights(name, 32, "none", OwnDecoding(), counts, no_calibration(), tensors, {})
    return kind, network, weights


def test_schemes_are_ranked_with_rare_colors_made_stronger(classes, monkeypatch):
    kind, _, weights = random_weights("unet", classes.cells)
    picture = Image.fromarray(RNG.integers(0, 256, (32, 24), np.uint8)).convert("RGB")

    def shares():
        return Recolorer(weights, None).painter().see(picture, Decoding()).look.shares

    stronger = shares()
    monkeypatch.setattr(UNet, "scheme_rebalancing", 0.0)
    plain = shares()
    expected = plain[classes.cells] * np.sqrt(kind.classes.weights)
    np.testing.assert_allclose(stronger[classes.cells], expected / expected.sum(), rtol=1e-4)
    assert plain.sum() == pytest.approx(1, abs=1e-4)
    # Rarer first: the smallest count has gained most.
    gain = stronger[classes.cells] / plain[classes.cells]
    assert gain[0] > 1.05 and (np.diff(gain) < 0).all()


def test_a_color_stem_begins_with_what_a_network_without_one_knows(classes):
    """And learns to see colors."""
    _, without, weights = random_weights("unet+gray", classes.cells)
    kind = MODELS["unet"](classes)
    network = kind.build(32)
    weights.begin(network, kind)
    posters = [RNG.integers(0, 256, (2, 32, 32, 1), np.uint8)]
    sources = [RNG.integers(-60, 60, (2, 32, 32, 2)).astype(np.int8) for _ in range(2)]
    expected = np.asarray(without(posters))
    for source in (*sources, np.zeros_like(sources[0])):
        np.testing.assert_allclose(np.asarray(network([*posters, source])), expected, atol=1e-5)
    for variable in network.weights:
        if variable.path.startswith("color_join"):
            variable.assign(RNG.normal(0, 0.1, variable.shape))
    answers = [np.asarray(network([*posters, source])) for source in (*sources, 0 * sources[0])]
    for one, other in itertools.combinations(answers, 2):
        assert np.abs(one - other).max() > 0.01


def test_a_color_stem_sees_other_colors_in_training_or_none(classes):
    kind = MODELS["unet"](classes)
    ab = np.zeros((32, 32, 2), np.int8)
    ab[8:] = np.resize([[20, 10], [-15, 5], [0, -20]], (24, 32, 2))
    poster = {"lightness": np.full((32, 32, 1), 128, np.uint8), "ab": ab}
    kinds = []
    for seed in range(400):
        (lightness, source), true = kind.example(poster, np.random.default_rng(seed))
        assert lightness is poster["lightness"] and true is ab and source.dtype == np.int8
        kinds.append("same" if source is ab else "other" if source.any() else "none")
        # Paper stays paper, and what has one color keeps having one.
        assert not source[:8].any()
        assert len(np.unique(source[8:].reshape(-1, 2), axis=0)) <= 3
    shares = {name: kinds.count(name) / len(kinds) for name in set(kinds)}
    assert shares == pytest.approx({"none": 0.3, "same": 0.1, "other": 0.6}, abs=0.06)


def test_weights_of_a_variant_are_read_again(classes, tmp_path):
    _, network, weights = random_weights("unet+gray+half", classes.cells)
    weights.save(tmp_path / "it.safetensors")
    again, found = Weights.load(tmp_path / "it.safetensors").network()
    assert (again.name, again.step) == ("unet+gray+half", 2)
    lightness = RNG.integers(0, 256, (1, 32, 32, 1), np.uint8)
    # The file has half precision.
    np.testing.assert_allclose(
        np.asarray(found([lightness])), np.asarray(network([lightness])), rtol=0.05, atol=0.02
    )


@pytest.mark.slow
def test_a_resumed_training_leaves_out_the_same_as_one_that_was_not_interrupted(posters, tmp_path):
    options = {"split": (4, 0, 0), "embedding": "none", "seed": 0, "workers": 1}
    data_set, _ = prepare(posters[:4], tmp_path / "data", size=32, **options)
    settings = Settings("unet+frozen", epochs=3, batch_size=2)
    kept = []
    whole = fit(data_set, settings, Devices(), after_epoch=lambda one: kept.append(deepcopy(one)))
    assert len(kept) == 3
    resumed = fit(data_set, settings, Devices(), start=kept[0])
    assert [epoch["loss"] for epoch in resumed.progress.history] == [
        epoch["loss"] for epoch in whole.progress.history
    ]
    for path, value in whole.weights.items():
        np.testing.assert_array_equal(resumed.weights[path], value)


def test_squares_that_do_not_fit_are_refused(posters, tmp_path):
    settings = {"split": (4, 0, 0), "embedding": "none", "seed": 0, "workers": 1}
    data_set, _ = prepare(posters[:4], tmp_path / "data", size=40, **settings)
    with pytest.raises(TrainingError, match=r"multiple of 32, and those in .*data have 40 pixels"):
        fit(data_set, Settings("unet"), Devices())
