"""The input pipeline, and a training step, beside the obvious alternatives."""

from itertools import islice

import numpy as np
import pytest
from PIL import Image
from train_step import dense_loss, paper_classes

from recolor.datasets.color import rgb_to_lab8
from recolor.datasets.demo_posters import generate_demo_posters
from recolor.datasets.embeddings.catalog import EMBEDDINGS
from recolor.datasets.input_pipeline import steps_per_epoch, training_batches
from recolor.datasets.posters import letterbox
from recolor.datasets.preparation import prepare
from recolor.models.paper import Classification, Regression
from recolor.platform.training.devices import Devices
from recolor.platform.training.loop import compiled_network
from recolor.platform.training.settings import Settings

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
    steps = 10 * steps_per_epoch(manifest, "train", BATCH)

    def read():
        return list(islice(training_batches(manifest, BATCH, seed=0, augment="none"), steps))

    benchmark(read)


@pytest.mark.benchmark(group="10 epochs of 60 posters into memory")
def test_from_image_files(benchmark, posters):
    def read():
        for path in posters * 10:
            with Image.open(path) as image:
                square, _ = letterbox(image.convert("RGB"), SIZE)
            rgb_to_lab8(square)

    benchmark(read)


INPUTS = [
    np.random.default_rng(0).integers(0, 256, (BATCH, SIZE, SIZE, 1), np.uint8),
    np.zeros((BATCH, 1000), np.float32),
]
AB = np.random.default_rng(1).integers(-60, 60, (BATCH, SIZE, SIZE, 2)).astype(np.int8)


def step(kind):
    network = compiled_network(kind, SIZE, Settings(kind.name), Devices())
    network.train_on_batch(INPUTS, AB)
    return lambda: network.train_on_batch(INPUTS, AB)


@pytest.mark.benchmark(group="a step of classification, 20 posters at 64 pixels")
def test_five_gathered_logits_a_pixel(benchmark):
    kind = Classification(paper_classes())
    benchmark.pedantic(step(kind), rounds=5)


@pytest.mark.benchmark(group="a step of classification, 20 posters at 64 pixels")
def test_dense_target(benchmark):
    kind = Classification(paper_classes())
    kind.loss = dense_loss(kind)
    benchmark.pedantic(step(kind), rounds=5)


@pytest.mark.benchmark(group="a step of regression, 20 posters at 64 pixels")
def test_stored_embeddings(benchmark):
    benchmark.pedantic(step(Regression()), rounds=5)


@pytest.mark.benchmark(group="a step of regression, 20 posters at 64 pixels")
def test_embeddings_computed_in_every_step(benchmark):
    """As the earlier Keras implementations of this network do."""
    embed = EMBEDDINGS["random"].network(SIZE)
    train = step(Regression())

    def embed_and_train():
        embed.predict_on_batch(INPUTS[0])
        train()

    embed_and_train()
    benchmark.pedantic(embed_and_train, rounds=5)
