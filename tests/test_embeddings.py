"""Inception-ResNet-v2 as the describer of the gray image: sources, determinism, and no leak."""

import numpy as np
import pytest
from PIL import Image

from recolor.datasets.color import rgb_to_lab8
from recolor.datasets.embeddings import EmbeddingError, embedding_identity, embedding_network
from recolor.datasets.input_pipeline import Posters
from recolor.datasets.manifest import file_digest
from recolor.datasets.preparation import prepare
from recolor.models.catalog import MODELS
from recolor.models.decoding.options import Decoding
from recolor.models.decoding.vividness import no_calibration
from recolor.models.recolorer import Recolorer

SIZE = 32


@pytest.fixture(scope="module")
def network():
    return embedding_network("random", SIZE)


def lightness_images(number: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (number, SIZE, SIZE, 1), np.uint8)


def test_none_is_no_network():
    assert embedding_network("none", SIZE) is None


@pytest.mark.slow
def test_answers_are_distributions_over_1000_classes(network):
    answers = network.predict_on_batch(lightness_images())
    assert answers.shape == (3, 1000)
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-4)
    assert np.abs(answers[0] - answers[1]).max() > 0


@pytest.mark.slow
def test_a_weights_file_is_the_same_network_elsewhere(network, tmp_path):
    """Also a check that random weights are always the same: the network is built anew."""
    inception = network.layers[-1]
    path = tmp_path / "inception.weights.h5"
    inception.save_weights(path)
    again = embedding_network(str(path), SIZE)
    images = lightness_images()
    np.testing.assert_array_equal(network.predict_on_batch(images), again.predict_on_batch(images))
    identity = embedding_identity(str(path))
    assert identity == {"source": str(path), "sha256": file_digest(path)}


@pytest.mark.slow
def test_a_file_that_holds_no_such_weights(tmp_path):
    path = tmp_path / "other.weights.h5"
    path.write_bytes(b"not a weights file")
    with pytest.raises(EmbeddingError, match="can't be loaded") as caught:
        embedding_network(str(path), SIZE)
    assert "\n" not in str(caught.value)


def test_an_unknown_source():
    with pytest.raises(EmbeddingError, match="neither imagenet, random, none nor a weights file"):
        embedding_identity("vgg")


@pytest.mark.slow
def test_a_poster_and_its_gray_copy_give_the_network_the_same(tmp_path):
    """The leak test, end to end: files in, stored inputs out.

    The colorful poster is made so that each pixel has the stored L of a gray of 8 bits; only
    then does a gray copy in 8 bits have exactly its lightness.
    """
    generator = np.random.default_rng(1)
    colors = generator.integers(0, 256, (200_000, 3), np.uint8)
    stored = rgb_to_lab8(colors)[0]
    levels = np.arange(256, dtype=np.uint8)
    stored_gray = rgb_to_lab8(np.repeat(levels[:, None], 3, axis=1))[0]
    usable = [level for level in levels if (stored == stored_gray[level]).sum() > 20]
    gray = generator.choice(usable, (SIZE, SIZE))
    colorful = np.empty((SIZE, SIZE, 3), np.uint8)
    for level in usable:
        chosen = generator.choice(np.flatnonzero(stored == stored_gray[level]), (SIZE, SIZE))
        colorful[gray == level] = colors[chosen][gray == level]
    folder = tmp_path / "posters"
    folder.mkdir()
    Image.fromarray(colorful).save(folder / "colorful.png")
    Image.fromarray(np.repeat(gray[..., None], 3, axis=2)).save(folder / "gray.png")

    dataset, _ = prepare(
        [folder], tmp_path / "data", size=SIZE, split=(2, 0, 0), embedding="random", seed=0,
        workers=1,
    )  # fmt: skip
    one, other = Posters(dataset, "train")
    assert {str(one["id"]), str(other["id"])} == {"colorful.png", "gray.png"}
    np.testing.assert_array_equal(one["lightness"], other["lightness"])
    np.testing.assert_array_equal(one["embedding"], other["embedding"])
    assert one["embedding"].max() > 0
    assert np.abs(one["ab"].astype(int) - other["ab"]).mean() > 10


@pytest.mark.slow
def test_the_served_graph_computes_the_embedding_itself(network):
    """With the embedding in the graph, the answer is that for the stored embedding."""
    kind = MODELS["regression"]()
    regression = kind.build(SIZE)
    # Weights that make the embedding matter.
    regression.set_weights([weight * 2 for weight in regression.get_weights()])
    recolorer = Recolorer(kind, regression, network, SIZE, no_calibration())
    image = np.random.default_rng(2).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    picture, decoding = Image.fromarray(image), Decoding()

    def recolored(recolorer, embedding=None) -> np.ndarray:
        painter = recolorer.painter(temperature=0.38, vividness=0.0)
        seen = painter.see(picture, decoding, embedding)
        return np.asarray(painter.painted(seen, None, decoding)).astype(int)

    lightness = rgb_to_lab8(image)[0][None, ..., None]
    colored = recolored(recolorer)
    stored = recolored(recolorer, np.asarray(network(lightness))[0])
    assert np.abs(colored - stored).max() <= 1
    without = recolored(Recolorer(kind, regression, None, SIZE, no_calibration()))
    assert np.abs(colored - without).max() > 0
