"""What networks compute on the backend that KERAS_BACKEND names; run by test_backends.

Usage: python backend_probe.py INPUT.npz OUTPUT.npz

Beside INPUT.npz there are files of weights, named by their kinds, to recolor a picture with.
"""

import sys
from pathlib import Path

import keras
import numpy as np
from keras import ops
from PIL import Image
from skimage import data as samples

from recolor.datasets.classes import ColorClasses
from recolor.datasets.hints import parse_hints
from recolor.models.catalog import MODELS
from recolor.models.decoding.options import Decoding
from recolor.platform.registry.model import load_model

PICTURE = "picture"
FREE = {"free": Decoding(palette="none", vividness=0.5)}
PALETTE = {
    "palette": Decoding(palette="#0b4f5c,orange:2"),
    "all": Decoding(palette="auto", strength=0.7, hint=parse_hints(["50%,50%=#c1121f"])),
}


def gradients(network, kind, inputs, ab) -> list[np.ndarray]:
    """Gradients of the mean loss, by each framework's own means."""
    variables = network.trainable_variables
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = ops.mean(kind.loss(ab, network(inputs)))
        found = tape.gradient(loss, [variable.value for variable in variables])
    elif backend == "jax":
        import jax

        def mean_loss(values):
            with keras.StatelessScope(list(zip(variables, values, strict=True))):
                return ops.mean(kind.loss(ab, network(inputs)))

        found = jax.jit(jax.grad(mean_loss))([variable.value for variable in variables])
    else:
        ops.mean(kind.loss(ab, network(inputs))).backward()
        found = [variable.value.grad for variable in variables]
    return [ops.convert_to_numpy(gradient) for gradient in found]


def recolored(file: Path) -> dict[str, np.ndarray]:
    """Return a picture as `recolor apply` makes it, decoded in several ways."""
    painter = load_model(str(file)).painter
    picture = Image.fromarray(samples.astronaut()).resize((100, 130))
    ways = FREE | PALETTE if painter.network.takes_palette else FREE
    return {
        f"{PICTURE} {file.stem} {name}": np.asarray(painter.recolor(picture, way))
        for name, way in ways.items()
    }


def main(source: str, target: str) -> None:
    given = np.load(source)
    inputs, ab = [given["lightness"], given["embedding"]], given["ab"]
    results = {}
    for file in sorted(Path(source).parent.glob("*.safetensors")):
        name = file.stem
        kind = MODELS[name](ColorClasses.from_counts(given["counts"]))
        network = kind.build(inputs[0].shape[1])
        weights = [given[f"{name}_{number}"] for number in range(len(network.weights))]
        network.set_weights(weights)
        outputs = network(inputs)
        results[f"{name} outputs"] = ops.convert_to_numpy(outputs)
        results[f"{name} loss"] = ops.convert_to_numpy(kind.loss(ab, outputs))
        results[f"{name} ab"] = ops.convert_to_numpy(kind.decode(outputs, 0.38))
        for number, gradient in enumerate(gradients(network, kind, inputs, ab)):
            results[f"{name} gradient {number}"] = gradient
        results |= recolored(file)
    np.savez(target, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
