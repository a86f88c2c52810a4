"""The U-Net: its encoder, and a loss that only the differences between pixels count for."""

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import entr, log_softmax

from recolor.datasets.classes import ColorClasses, cell_index, color_index
from recolor.datasets.embeddings import efficientnet_lite0
from recolor.datasets.preparation import prepare
from recolor.models.unet import UNet
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
    neighbors, weights = kind.classes.soft_encoding
    logits = features @ np.asarray(kind.head.kernel) + np.asarray(kind.head.bias) + offsets
    total = 0.0
    for row, column in itertools.product(range(6), repeat=2):
        color = color_index(ab[4 * row, 4 * column])
        target = np.zeros(len(kind.classes))
        target[neighbors[color]] = weights[color]
        total -= target @ log_softmax(logits[row, column].astype(np.float64))
    return total / 36


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
    lightness = RNG.integers(0, 256, (1, 96, 64, 1), np.uint8)
    features = network([lightness])
    assert features.shape == (1, 24, 16, 96)
    ab = np.asarray(kind.decode(features, 0.5))
    assert ab.shape == (1, 96, 64, 2)
    # Doubled twice: between the centers of two distributions colors change step by step.
    assert (
        np.abs(np.diff(ab[0, 2:-2, 30], axis=0)).max()
        < np.abs(np.diff(ab[0, 2::4, 30], axis=0)).max()
    )


def test_squares_that_do_not_fit_are_refused(posters, tmp_path):
    settings = {"split": (4, 0, 0), "embedding": "none", "seed": 0, "workers": 1}
    data_set, _ = prepare(posters[:4], tmp_path / "data", size=40, **settings)
    with pytest.raises(TrainingError, match=r"multiple of 32, and those in .*data have 40 pixels"):
        fit(data_set, Settings("unet"), Devices())
