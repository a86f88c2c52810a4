"""Networks, losses and decoding against independent computations."""

from collections.abc import Iterator

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from recolor.datasets.classes import ColorClasses
from recolor.models.catalog import MODELS, RESTORE
from recolor.models.class_distribution import annealed_mean
from recolor.models.option import options_of
from recolor.models.paper import Classification, Regression
from recolor.models.restoring import THUMBNAIL
from recolor.platform.training.devices import Devices
from recolor.platform.training.loop import compiled_network
from recolor.platform.training.settings import Settings

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def classes() -> ColorClasses:
    counts = np.zeros(1024, np.int64)
    cells = RNG.choice(np.arange(200, 900), 60, replace=False)
    counts[cells] = RNG.integers(1, 1000, 60)
    return ColorClasses.from_counts(counts)


def inputs(batch: int, size: int) -> list[np.ndarray]:
    """What the paper's networks take."""
    return [
        RNG.integers(0, 256, (batch, size, size, 1), np.uint8),
        RNG.random((batch, 1000), np.float32),
    ]


def inputs_of(kind, batch: int, size: int) -> list[np.ndarray]:
    """What a kind takes of posters that fill their squares, or of their thumbnails."""
    if kind.task == RESTORE:
        return [thumbnails(batch)]
    rest = {"box": np.array([0, 0, size, size], np.int32)}
    rest["source"] = RNG.integers(-60, 60, (size, size, 2)).astype(np.int8)
    posters = [
        kind.inputs({"lightness": lightness, "embedding": embedding, **rest})
        for lightness, embedding in zip(*inputs(batch, size), strict=True)
    ]
    return [np.stack(values) for values in zip(*posters, strict=True)]


def thumbnails(batch: int) -> np.ndarray:
    return RNG.integers(0, 256, (batch, *THUMBNAIL, 3), np.uint8)


def true_of(kind, batch: int, size: int) -> np.ndarray:
    """What a kind is to answer."""
    if kind.task == RESTORE:
        return thumbnails(batch)
    return RNG.integers(-60, 60, (batch, size, size, 2)).astype(np.int8)


def test_regression_has_the_parameters_of_the_paper():
    network = Regression().build(256)
    assert network.count_params() == 6_573_794
    assert network.output_shape == (None, 256, 256, 2)


def test_classification_has_features_and_logits_at_half_resolution(classes):
    kind = Classification(classes)
    network = kind.build(256)
    assert network.output_shape == (None, 128, 128, 128)
    assert kind.logits(np.zeros((1, 4, 4, 128))).shape == (1, 4, 4, len(classes))
    assert kind.head.kernel.path in {weight.path for weight in network.trainable_weights}


def test_encoder_is_that_of_the_paper():
    convolutions = [
        (layer.filters, layer.strides[0], layer.kernel_size)
        for layer in Regression().build(64).layers
        if isinstance(layer, layers.Conv2D)
    ]
    assert convolutions[:9] == [
        (64, 2, (3, 3)), (128, 1, (3, 3)), (128, 2, (3, 3)), (256, 1, (3, 3)), (256, 2, (3, 3)),
        (512, 1, (3, 3)), (512, 1, (3, 3)), (256, 1, (3, 3)), (256, 1, (1, 1)),
    ]  # fmt: skip
    assert [filters for filters, *_ in convolutions[9:]] == [128, 64, 64, 32, 2]


def test_fusion_equals_replicating_appending_and_convolving():
    """The paper's fusion, spelled out in NumPy, with the network's own weights."""
    network = Regression().build(32)
    features = next(layer for layer in network.layers if layer.name.startswith("re_lu"))
    dense = next(layer for layer in network.layers if isinstance(layer, layers.Dense))
    one_by_one = next(
        layer
        for layer in network.layers
        if isinstance(layer, layers.Conv2D) and layer.kernel_size == (1, 1)
    )
    probe = keras.Model(network.inputs, [one_by_one.input, features.output])
    given = inputs(2, 32)
    encoded, fused = (np.asarray(value) for value in probe(given))
    replicated = np.broadcast_to(given[1][:, None, None, :], (*encoded.shape[:3], 1000))
    appended = np.concatenate([encoded, replicated], axis=-1)
    kernel = np.concatenate([np.asarray(one_by_one.kernel)[0, 0], np.asarray(dense.kernel)])
    assert kernel.shape == (256 + 1000, 256)
    expected = np.maximum(appended @ kernel + np.asarray(one_by_one.bias), 0)
    np.testing.assert_allclose(fused, expected, atol=1e-5)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_weights_do_not_depend_on_the_size(name, classes):
    kind = MODELS[name](classes)
    small, large = (kind.build(size) for size in (32, 64))
    large.set_weights(small.get_weights())
    assert large(inputs_of(kind, 1, 64)).shape[0] == 1


def test_regression_stays_within_the_ab_range():
    network = Regression().build(16)
    network.set_weights([weight * 20 for weight in network.get_weights()])
    ab = np.asarray(network(inputs(2, 16)))
    assert np.abs(ab).max() <= 128


def test_l2_loss_is_equation_1():
    ab = RNG.integers(-100, 100, (3, 8, 8, 2)).astype(np.int8)
    predicted = RNG.normal(0, 40, (3, 8, 8, 2)).astype(np.float32)
    expected = []
    for true_image, image in zip(ab, predicted, strict=True):
        total = 0.0
        for k in range(2):
            for h in range(8):
                for w in range(8):
                    total += (float(true_image[h, w, k]) - float(image[h, w, k])) ** 2
        expected.append(total / (2 * 8 * 8))
    np.testing.assert_allclose(Regression().loss(ab, predicted), expected, rtol=1e-5)


def with_logits(classes) -> Classification:
    """A kind whose features are the logits: its last layer changes nothing."""
    kind = Classification(classes)
    kind.head.build((None, len(classes)))
    kind.head.set_weights([np.eye(len(classes)), np.zeros(len(classes))])
    return kind


def test_classification_loss_is_equation_2(classes):
    """Brute force: loops over pixels, a dense target, all distances sorted."""
    size = 6
    ab = RNG.integers(-90, 90, (2, size, size, 2)).astype(np.int8)
    logits = RNG.normal(0, 3, (2, size // 2, size // 2, len(classes))).astype(np.float32)
    centers = [(-124.5 + 8 * (cell // 32), -124.5 + 8 * (cell % 32)) for cell in classes.cells]
    inverse = [1 / (f + 1 / len(classes)) for f in classes.frequency]
    scale = sum(f * w for f, w in zip(classes.frequency, inverse, strict=True))
    expected = []
    for image, outputs in zip(ab.astype(float), logits.astype(float), strict=True):
        total = 0.0
        for h in range(size // 2):
            for w in range(size // 2):
                a, b = np.round(image[2 * h : 2 * h + 2, 2 * w : 2 * w + 2].mean(axis=(0, 1)))
                distance = [np.hypot(a - x, b - y) for x, y in centers]
                nearest = sorted(range(len(classes)), key=lambda q: (round(distance[q], 6), q))[:5]
                gauss = np.array([np.exp(-(distance[q] ** 2) / 50) for q in nearest])
                if not gauss.sum():
                    gauss = np.array([1.0, 0, 0, 0, 0])
                target = np.zeros(len(classes))
                target[nearest] = gauss / gauss.sum()
                log_softmax = outputs[h, w] - np.log(np.exp(outputs[h, w]).sum())
                v = inverse[int(np.argmax(target))] / scale
                total -= v * float((target * log_softmax).sum())
        expected.append(total / (size // 2) ** 2)
    np.testing.assert_allclose(with_logits(classes).loss(ab, logits), expected, rtol=1e-4)


@pytest.mark.parametrize("temperature", [0.05, 0.38, 1.0, 3.0])
def test_annealed_mean_is_equation_4(temperature):
    logits = RNG.normal(0, 4, (5, 7))
    centers = RNG.uniform(-100, 100, (7, 2))
    for row, answer in zip(logits, annealed_mean(logits, centers, temperature), strict=True):
        z = np.exp(row) / np.exp(row).sum()
        annealed = np.exp(np.log(z) / temperature)
        expected = (annealed / annealed.sum()) @ centers
        np.testing.assert_allclose(answer, expected, atol=1e-3)


def test_annealed_mean_ends_are_mode_and_mean():
    logits, centers = np.log([[0.2, 0.5, 0.3]]), np.array([[0.0, 0], [10, 20], [40, -20]])
    np.testing.assert_allclose(annealed_mean(logits, centers, 1e-3), [[10, 20]], atol=1e-3)
    np.testing.assert_allclose(annealed_mean(logits, centers, 1.0), [[17, 4]], atol=1e-3)


def test_decoded_colors_are_upsampled_bilinearly(classes):
    logits = np.full((1, 2, 2, len(classes)), -1e4, np.float32)
    for (row, column), q in {(0, 0): 3, (0, 1): 9, (1, 0): 3, (1, 1): 9}.items():
        logits[0, row, column, q] = 0
    ab = np.asarray(with_logits(classes).decode(logits, 0.38))[0]
    left, right = classes.centers[3], classes.centers[9]
    for column, share in enumerate([0, 0.25, 0.75, 1]):
        np.testing.assert_allclose(ab[0, column], left + share * (right - left), atol=1e-3)


def test_losses_are_finite_for_extreme_logits(classes):
    ab = np.zeros((1, 4, 4, 2), np.int8)
    logits = np.zeros((1, 2, 2, len(classes)), np.float32)
    logits[..., 0] = 1e4
    assert np.isfinite(np.asarray(with_logits(classes).loss(ab, logits))).all()


def test_gradients_of_the_classification_loss_are_those_of_the_dense_one(classes):
    """TensorFlow's own derivatives of eq. 2 with the whole target, in double precision."""
    kind = Classification(classes)
    kind.head.build((None, 6))
    ab = RNG.integers(-90, 90, (2, 8, 8, 2)).astype(np.int8)
    features, bias = RNG.normal(0, 1, (2, 4, 4, 6)), RNG.normal(0, 1, len(classes))
    kernel = RNG.normal(0, 2, (6, len(classes)))
    neighbors, soft_weights = classes.soft_encoding
    color = np.asarray(kind.colors_of_steps(ab))
    target = np.zeros((2, 4, 4, len(classes)))
    np.put_along_axis(target, neighbors[color], soft_weights[color], axis=-1)
    shares = tf.constant([0.3, 0.7], tf.float64)
    with tf.GradientTape() as tape:
        dense = [tf.Variable(value) for value in (features, kernel, bias)]
        log_softmax = tf.nn.log_softmax(dense[0] @ dense[1] + dense[2])
        entropy = -tf.reduce_sum(target * log_softmax, axis=-1)
        losses = tf.reduce_mean(classes.color_weights[color] * entropy, (1, 2))
        total = tf.reduce_sum(shares * losses)
    expected = tape.gradient(total, dense)
    kind.head.set_weights([kernel, bias])
    with tf.GradientTape() as tape:
        given = tf.Variable(features, dtype=tf.float32)
        total = tf.reduce_sum(tf.cast(shares, tf.float32) * kind.loss(ab, given))
    found = tape.gradient(total, [given, kind.head.kernel.value, kind.head.bias.value])
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def every_precision() -> Iterator:
    """All pairs of kinds and precisions; large ones are slow, but for one in float16."""
    for name in sorted(MODELS):
        for precision in options_of(Settings)["precision"].choices:
            # Of all precisions, float16 is the hardest.
            hardest = (name, precision) == ("classification", "mixed_float16")
            slow = name in ("classification", "unet") and not hardest
            yield pytest.param(name, precision, marks=pytest.mark.slow if slow else ())


@pytest.mark.parametrize(("name", "precision"), [*every_precision()])
def test_weights_outputs_and_losses_are_single_precision_in_every_precision(
    name, precision, classes
):
    settings = Settings(name, precision=precision, clip=1.0, accumulate=2)
    kind = MODELS[name](classes)
    size = kind.size_multiple
    network = compiled_network(kind, size, settings, Devices())
    assert {weight.dtype for weight in network.weights} == {"float32"}
    computed = {layer.compute_dtype for layer in network.layers if layer.weights}
    assert precision.removeprefix("mixed_") in computed
    given = inputs_of(kind, 2, size)
    true = true_of(kind, 2, size)
    outputs = network(given)
    assert keras.backend.standardize_dtype(outputs.dtype) == "float32"
    reference = MODELS[name](classes).build(size)
    reference.set_weights(network.get_weights())
    expected = np.asarray(reference(given))
    np.testing.assert_allclose(outputs, expected, atol=0.03 * np.abs(expected).max())
    before = network.get_weights()
    # In float16 the loss is scaled, by less and less until no gradient is too large a number.
    for _ in range(30 if precision == "mixed_float16" else 2):
        assert np.isfinite(network.train_on_batch(given, true, return_dict=True)["loss"])
        after = network.get_weights()
        moved = [np.abs(one - other).max() for one, other in zip(before, after, strict=True)]
        if max(moved) > 0:
            break
    assert 0 < max(moved) < 0.1
    assert keras.config.dtype_policy().name == "float32"


def moments(network) -> list[np.ndarray]:
    """Adam's first moments: after one step, a tenth of the gradients that it was given."""
    variables = [v for v in network.optimizer.variables if "momentum" in v.path]
    assert len(variables) == len(network.trainable_variables)
    return [np.asarray(variable) for variable in variables]


def test_accumulated_steps_equal_one_of_the_whole_batch(classes):
    """Two batches of two posters, accumulated, and one of all four."""
    given, ab = inputs(4, 16), RNG.integers(-60, 60, (4, 16, 16, 2)).astype(np.int8)
    networks = [
        compiled_network(Regression(), 16, Settings("regression", accumulate=steps), Devices())
        for steps in (2, 1)
    ]
    networks[1].set_weights(networks[0].get_weights())
    for half in (slice(0, 2), slice(2, 4)):
        networks[0].train_on_batch([part[half] for part in given], ab[half])
    networks[1].train_on_batch(given, ab)
    for one, other in zip(*map(moments, networks), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4 * np.abs(other).max())


def test_gradients_longer_than_the_norm_are_scaled_down():
    given, ab = inputs(2, 16), RNG.integers(-60, 60, (2, 16, 16, 2)).astype(np.int8)
    network = compiled_network(Regression(), 16, Settings("regression", clip=0.5), Devices())
    network.train_on_batch(given, ab)
    norm = np.sqrt(sum(np.square(moment).sum() for moment in moments(network))) / 0.1
    np.testing.assert_allclose(norm, 0.5, rtol=1e-3)
