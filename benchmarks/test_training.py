"""The input pipeline, and a training step, beside the obvious alternatives."""

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

from recolor.datasets.classes import ColorClasses
from recolor.datasets.color import rgb_to_lab8
from recolor.datasets.demo_posters import generate_demo_posters
from recolor.datasets.input_pipeline import training_batches
from recolor.datasets.posters import letterbox
from recolor.datasets.preparation import prepare
from recolor.models.classification import Classification

SIZE, BATCH = 64, 20


@pytest.fixture(scope="module")
def posters(tmp_path_factory):
    return list(generate_demo_posters(tmp_path_factory.mktemp("posters"), 60, "modern", seed=0))


@pytest.fixture(scope="module")
def manifest(posters, tmp_path_factory):
    dataset, _ = prepare(
        posters, tmp_path_factory.mktemp("data"), size=SIZE, split=(60, 0, 0), embedding="none",
        seed=0, workers=2,
    )  # fmt: skip
    return dataset


@pytest.mark.benchmark(group="10 epochs of 60 posters into memory")
def test_from_shards(benchmark, manifest):
    benchmark(lambda: list(training_batches(manifest, BATCH, range(10), seed=0, augment=False)))


@pytest.mark.benchmark(group="10 epochs of 60 posters into memory")
def test_from_image_files(benchmark, posters):
    def read():
        for path in posters * 10:
            with Image.open(path) as image:
                square, _ = letterbox(image.convert("RGB"), SIZE)
            rgb_to_lab8(square)

    benchmark(read)


def classification_step(loss):
    network = Classification(CLASSES).network(SIZE)
    network.compile("adam", loss, jit_compile=False)
    generator = np.random.default_rng(0)
    inputs = [
        generator.integers(0, 256, (BATCH, SIZE, SIZE, 1), np.uint8),
        np.zeros((BATCH, 1000), np.float32),
    ]
    ab = generator.integers(-60, 60, (BATCH, SIZE, SIZE, 2)).astype(np.int8)
    network.train_on_batch(inputs, ab)
    return lambda: network.train_on_batch(inputs, ab)


COUNTS = np.zeros(1024, np.int64)
COUNTS[np.random.default_rng(0).choice(1024, 394, replace=False)] = 1
CLASSES = ColorClasses.from_counts(COUNTS)


def dense_loss(ab, logits):
    """Equation 2 with the whole target, 394 numbers a pixel, as it is usually written."""
    kind = Classification(CLASSES)
    neighbors, soft_weights = CLASSES.soft_encoding
    color = kind._half_resolution_color(ab)
    one_hot = ops.one_hot(ops.take(neighbors, color, axis=0), len(CLASSES))
    target = ops.sum(one_hot * ops.take(soft_weights, color, axis=0)[..., None], axis=-2)
    weights = ops.take(CLASSES.color_weights, color, axis=0)
    return ops.mean(
        weights * keras.losses.categorical_crossentropy(target, logits, from_logits=True)
    )


@pytest.mark.benchmark(group="a step of classification, 20 posters at 64 pixels")
def test_five_gathered_logits_a_pixel(benchmark):
    benchmark.pedantic(classification_step(Classification(CLASSES).loss), rounds=5)


@pytest.mark.benchmark(group="a step of classification, 20 posters at 64 pixels")
def test_dense_target(benchmark):
    benchmark.pedantic(classification_step(dense_loss), rounds=5)
