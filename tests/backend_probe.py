"""What a network computes on the backend that KERAS_BACKEND names; run by test_backends.

Usage: python backend_probe.py INPUT.npz OUTPUT.npz
"""

import sys

import keras
import numpy as np
from keras import ops

from recolor.datasets.classes import ColorClasses
from recolor.models.catalog import MODELS


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


def main(source: str, target: str) -> None:
    given = np.load(source)
    inputs, ab = [given["lightness"], given["embedding"]], given["ab"]
    results = {}
    for name, model in MODELS.items():
        kind = model(ColorClasses.from_counts(given["counts"]))
        network = kind.build(inputs[0].shape[1])
        weights = [given[f"{name}_{number}"] for number in range(len(network.weights))]
        network.set_weights(weights)
        outputs = network(inputs)
        results[f"{name} outputs"] = ops.convert_to_numpy(outputs)
        results[f"{name} loss"] = ops.convert_to_numpy(kind.loss(ab, outputs))
        results[f"{name} ab"] = ops.convert_to_numpy(kind.decode(outputs, 0.38))
        for number, gradient in enumerate(gradients(network, kind, inputs, ab)):
            results[f"{name} gradient {number}"] = gradient
    np.savez(target, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
