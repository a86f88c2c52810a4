"""The optimizer."""

from collections.abc import Callable

import keras


class ScaledAdam(keras.optimizers.Adam):
    """Adam with a learning rate that is multiplied for some variables; only kernels decay.

    Args:
        learning_rate: For variables whose scale is 1.
        scale: From a variable's path to what its learning rate is multiplied by.
        options: Those of `keras.optimizers.Adam`.
    """

    def __init__(self, learning_rate: float, scale: Callable[[str], float], **options):
        # A name of its own, since Keras' depends on what else was made before.
        super().__init__(learning_rate, name="adam", **options)
        self.scale = scale
        # Of no use to what only shifts or scales.
        self.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])

    def build(self, variables):
        """Make the optimizer's variables."""
        self._scales = [self.scale(variable.path) for variable in variables]
        super().build(variables)

    def update_step(self, gradient, variable, learning_rate):
        """Update a variable."""
        scale = self._scales[self._get_variable_index(variable)]
        super().update_step(gradient, variable, learning_rate * scale)
