"""ONNX beside TensorFlow: a network alone, and whole pictures. Read the ratios within a group."""

import numpy as np
import pytest
from test_recoloring import SIZES, WAYS, picture

from recolor.models.catalog import DEFAULT
from recolor.platform.cli.main import main
from recolor.platform.registry.model import load_model


@pytest.fixture(scope="module")
def painters(tmp_path_factory):
    file = tmp_path_factory.mktemp("exported") / f"{DEFAULT}.onnx"
    arguments = ["export", "--model", DEFAULT, "--format", "onnx", "--out", str(file)]
    main(arguments, standalone_mode=False)
    return {"tensorflow": load_model(DEFAULT).painter, "onnx": load_model(str(file)).painter}


@pytest.mark.parametrize("runtime", ["tensorflow", "onnx"])
def test_the_network_alone(benchmark, painters, runtime):
    benchmark.group = "look"
    painter = painters[runtime]
    side = painter.network.size
    given = {
        "square": np.random.default_rng(0).integers(0, 256, (side, side, 1), np.uint8),
        "source": np.zeros((side, side, 2), np.int8),
        "box": np.int32([0, 0, side, side]),
        "embedding": np.zeros(0, np.float32),
        "gray": np.bool_(True),
    }
    benchmark.pedantic(painter.network.look, kwargs=given, rounds=20, warmup_rounds=2)


@pytest.mark.parametrize("runtime", ["tensorflow", "onnx"])
@pytest.mark.parametrize("way", ["free", "palette"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_picture(benchmark, painters, size, way, runtime):
    benchmark.group = f"recolor {size[0]}x{size[1]}, {way}"
    source = picture(size)
    benchmark.pedantic(painters[runtime].recolor, (source, WAYS[way]), rounds=10, warmup_rounds=1)
