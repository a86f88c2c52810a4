"""Learning rates of one's own for some variables, against Adam's first step computed by hand."""

import keras
import numpy as np
import pytest

from recolor.platform.training.optimizer import ScaledAdam


@pytest.mark.parametrize("jit", [False, True])
def test_variables_learn_by_their_own_learning_rates(jit):
    # Some initial weights give a gradient so small that Adam's epsilon shortens its step.
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    x = keras.layers.Dense(3, name="encoder")(inputs)
    frozen = keras.layers.Dense(3, name="frozen", trainable=False)(x)
    network = keras.Model(inputs, keras.layers.Dense(1, name="head")(frozen))
    scales = {"encoder/kernel": 0.1, "encoder/bias": 0.0}
    network.compile(ScaledAdam(0.01, lambda path: scales.get(path, 1.0)), "mse", jit_compile=jit)
    before = {variable.path: np.array(variable) for variable in network.weights}
    generator = np.random.default_rng(0)
    network.train_on_batch(generator.normal(size=(8, 3)), generator.normal(size=(8, 1)))
    for variable in network.weights:
        # Adam's first step has the learning rate's length in every weight.
        expected = 0.01 * scales.get(variable.path, 1.0) * variable.trainable
        moved = np.abs(np.array(variable) - before[variable.path])
        np.testing.assert_allclose(moved, expected, rtol=0.05, atol=1e-8)


def test_kernels_decay_by_their_own_learning_rates_and_nothing_else_does():
    inputs = keras.Input((3,))
    x = keras.layers.BatchNormalization(name="normal")(inputs)
    x = keras.layers.Dense(3, name="encoder")(x)
    network = keras.Model(inputs, keras.layers.Dense(1, name="head")(x))
    for variable in network.trainable_variables:
        variable.assign(np.random.default_rng(0).uniform(1, 2, variable.shape))
    optimizer = ScaledAdam(0.5, lambda path: 0.2 if "encoder" in path else 1.0, decay=0.1)
    before = {variable.path: np.array(variable) for variable in network.trainable_variables}
    # Without a gradient, Adam itself moves nothing.
    optimizer.apply([np.zeros_like(one) for one in before.values()], network.trainable_variables)
    left = {"head/kernel": 1 - 0.5 * 0.1, "encoder/kernel": 1 - 0.5 * 0.2 * 0.1}
    for variable in network.trainable_variables:
        expected = before[variable.path] * left.get(variable.path, 1)
        np.testing.assert_allclose(np.array(variable), expected, rtol=1e-6)
