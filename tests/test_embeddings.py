"""Inception-ResNet-v2 as the describer of the gray image: sources, determinism, and no leak."""

import numpy as np
import pytest
from PIL import Image

from recolor.datasets.checksums import file_digest
from recolor.datasets.color import rgb_to_lab8
from recolor.datasets.embeddings.catalog import EMBEDDINGS, embedding_of, find_embedding
from recolor.datasets.embeddings.embedding import Embedding, EmbeddingError
from recolor.datasets.embeddings.inception_resnet_v2 import InceptionResNetV2
from recolor.datasets.input_pipeline import Posters, read_posters
from recolor.datasets.manifest import Manifest
from recolor.datasets.preparation import prepare
from recolor.evaluation.answers import Column
from recolor.evaluation.scoring import score
from recolor.models.catalog import MODELS
from recolor.models.decoding.options import Decoding
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.models.decoding.vividness import no_calibration
from recolor.models.weights import Weights, named_values
from recolor.platform.experiments.evaluation import predictors_told
from recolor.platform.registry.model import load_model
from recolor.platform.serving.saved_model import RecoloringGraph

pytestmark = pytest.mark.usefixtures("bundled_networks_loaded_once")

SIZE = 32


@pytest.fixture(scope="module")
def network():
    return EMBEDDINGS["random"].network(SIZE)


def lightness_images(number: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (number, SIZE, SIZE, 1), np.uint8)


def test_none_is_no_network():
    assert EMBEDDINGS["none"].network(SIZE) is None


@pytest.mark.slow
def test_answers_are_distributions_over_1000_classes(network):
    answers = network.predict_on_batch(lightness_images())
    assert answers.shape == (3, 1000)
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-4)
    assert np.abs(answers[0] - answers[1]).max() > 0


def test_a_file_that_holds_no_such_weights(tmp_path):
    path = tmp_path / "other.weights.h5"
    path.write_bytes(b"not a weights file")
    with pytest.raises(EmbeddingError, match="can't be loaded") as caught:
        find_embedding(str(path)).network(SIZE)
    assert "\n" not in str(caught.value)


def test_an_unknown_source():
    with pytest.raises(
        EmbeddingError,
        match="neither imagenet, efficientnet-lite0, random, none nor a weights file",
    ):
        find_embedding("vgg")


class Quarters(Embedding):
    """The mean lightness of each quarter of the square."""

    name = "quarters"
    size = 4

    def network(self, side):
        import keras
        from keras import layers

        lightness = keras.Input((side, side, 1), dtype="uint8")
        x = layers.Rescaling(1.0, dtype="float32")(lightness)
        return keras.Model(lightness, layers.Flatten()(layers.AveragePooling2D(side // 2)(x)))


@pytest.fixture
def quarters():
    EMBEDDINGS.register("quarters", Quarters())
    yield
    EMBEDDINGS.unregister("quarters")


SETTINGS = {"size": SIZE, "split": (4, 0, 0), "seed": 0, "workers": 1}


def test_an_embedding_of_ones_own_is_stored_at_its_own_length(quarters, posters, tmp_path):
    dataset, _ = prepare(posters[:4], tmp_path / "data", embedding="quarters", **SETTINGS)
    assert (dataset.embedding, dataset.embedding_id, dataset.embedding_size) == (
        "quarters", "quarters", 4,
    )  # fmt: skip
    assert isinstance(embedding_of(dataset), Quarters)
    (batch,) = read_posters(dataset, "train", 4)
    lightness, half = batch["lightness"].astype(float), SIZE // 2
    means = lightness.reshape(4, 2, half, 2, half).mean((2, 4)).reshape(4, 4)
    np.testing.assert_allclose(batch["embedding"], means, rtol=1e-5)


def test_a_model_computes_its_own_where_a_data_set_has_others(quarters, posters, tmp_path):
    model, found = load_model("regression"), []
    for embedding in ("none", "quarters"):
        settings = {**SETTINGS, "split": (2, 0, 2), "embedding": embedding}
        dataset, _ = prepare(posters[:4], tmp_path / embedding, **settings)
        columns = score(dataset, "test", predictors_told(model, dataset))
        found.append(columns[Column("regression")].result())
    assert found[0] == found[1]


def test_an_embedding_that_is_not_registered_any_more(quarters, posters, tmp_path):
    dataset, _ = prepare(posters[:4], tmp_path / "data", embedding="quarters", **SETTINGS)
    EMBEDDINGS.register("quarters", EMBEDDINGS["none"])
    with pytest.raises(EmbeddingError, match="'quarters' that is not there any more, or has"):
        embedding_of(dataset)


def test_an_embedding_that_lies_about_its_size(quarters, posters, tmp_path):
    EMBEDDINGS["quarters"].size = 5
    with pytest.raises(EmbeddingError, match="says that it has 5 numbers"):
        prepare(posters[:4], tmp_path / "data", embedding="quarters", **SETTINGS)


class TestWeightsInAFile:
    """A data set keeps what they are, not where they lie."""

    @pytest.fixture
    def dataset(self, posters, tmp_path, monkeypatch) -> Manifest:
        """Prepared with a file without real weights, as if by the embedding `quarters`."""
        monkeypatch.setattr(InceptionResNetV2, "network", Quarters().network)
        monkeypatch.setattr(InceptionResNetV2, "size", 4)
        monkeypatch.delenv("RECOLOR_EMBEDDING", raising=False)
        monkeypatch.chdir(tmp_path)
        (tmp_path / "there").mkdir()
        file = tmp_path / "there" / "inception.h5"
        file.write_bytes(b"weights")
        dataset, _ = prepare(posters[:4], tmp_path / "data", embedding=str(file), **SETTINGS)
        return dataset

    def test_no_path_is_kept(self, dataset, tmp_path):
        text = (dataset.folder / "dataset.json").read_text()
        assert "inception.h5" in text
        assert str(tmp_path) not in text and "there" not in text

    def test_the_same_weights_under_another_name_give_the_same_data_set(
        self, dataset, posters, tmp_path
    ):
        (tmp_path / "other.h5").write_bytes(b"weights")
        again, _ = prepare(posters[:4], tmp_path / "again", embedding="other.h5", **SETTINGS)
        assert again.digest == dataset.digest

    @pytest.mark.parametrize("place", ["inception.h5", "data/inception.h5", "elsewhere.h5"])
    def test_they_are_found_on_another_machine(self, dataset, tmp_path, monkeypatch, place):
        (tmp_path / "there" / "inception.h5").rename(tmp_path / place)
        if place == "elsewhere.h5":
            monkeypatch.setenv("RECOLOR_EMBEDDING", str(tmp_path / place))
        found = embedding_of(Manifest.load(dataset.folder))
        assert found.sha256 == dataset.embedding_id == file_digest(tmp_path / place)

    @pytest.mark.parametrize("other", [False, True])
    def test_missing_or_other_weights(self, dataset, tmp_path, other):
        if other:
            (tmp_path / "inception.h5").write_bytes(b"other weights")
        with pytest.raises(EmbeddingError, match=r"RECOLOR_EMBEDDING$") as caught:
            embedding_of(dataset)
        assert f"the weights in inception.h5 (sha256 {dataset.embedding_id[:12]}" in str(
            caught.value
        )


@pytest.mark.slow
def test_a_poster_and_its_gray_copy_give_the_network_of_a_file_the_same(network, tmp_path):
    """The leak test, end to end: files in, stored inputs out.

    Also a check that a file of weights is the same network elsewhere, where it is built again. The
    colorful poster is made so that each pixel has the stored L of a gray of 8 bits; only
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

    weights = tmp_path / "inception.weights.h5"
    network.layers[-1].save_weights(weights)
    dataset, _ = prepare(
        [folder], tmp_path / "data", size=SIZE, split=(2, 0, 0), embedding=str(weights), seed=0,
        workers=1,
    )  # fmt: skip
    assert find_embedding(str(weights)).identity == {
        "name": "inception-resnet-v2", "size": 1000, "sha256": file_digest(weights)
    }  # fmt: skip
    one, other = Posters(dataset, "train")
    assert {str(one["id"]), str(other["id"])} == {"colorful.png", "gray.png"}
    np.testing.assert_array_equal(one["lightness"], other["lightness"])
    np.testing.assert_array_equal(one["embedding"], other["embedding"])
    # Three, as above: for another number TensorFlow would make its graph again.
    expected = network.predict_on_batch(np.stack([one["lightness"]] * 3))
    np.testing.assert_allclose(one["embedding"], expected[0], rtol=1e-4)
    assert one["embedding"].max() > 0
    assert np.abs(one["ab"].astype(int) - other["ab"]).mean() > 10


@pytest.mark.parametrize("name", ["quarters", pytest.param("random", marks=pytest.mark.slow)])
def test_the_served_graph_computes_the_embedding_itself(name, quarters):
    """With the embedding in the graph, the answer is that for the stored embedding."""
    embedding = EMBEDDINGS[name]
    network = embedding.network(SIZE)
    regression = MODELS["regression"](embedding_size=embedding.size).build(SIZE)
    # Weights that make the embedding matter.
    tensors = {path: 2 * tensor for path, tensor in named_values(regression.weights).items()}
    counts = np.zeros(1024, np.int64)
    counts[[500, 501, 528, 529, 530]] = 1
    weights = Weights(
        "regression", SIZE, name, OwnDecoding(), counts,
        no_calibration(), tensors, origin={}, embedding_size=embedding.size,
    )  # fmt: skip
    image = np.random.default_rng(2).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    picture, decoding = Image.fromarray(image), Decoding()

    def recolored(recolorer, embedding=None) -> np.ndarray:
        painter = recolorer.painter()
        seen = painter.see(picture, decoding, embedding)
        return np.asarray(painter.painted(seen, None, decoding)).astype(int)

    lightness = rgb_to_lab8(image)[0][None, ..., None]
    recolorer = RecoloringGraph(weights, network)
    colored = recolored(recolorer)
    stored = recolored(recolorer, np.asarray(network(lightness))[0])
    assert np.abs(colored - stored).max() <= 1
    without = recolored(RecoloringGraph(weights, None))
    assert np.abs(colored - without).max() > 0
