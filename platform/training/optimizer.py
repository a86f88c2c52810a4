"""The optimizer."""

from collections.abc import Callable

import keras


class ScaledAdam(keras.optimizers.Adam):
    """Adam, or AdamW, with a learning rate that is multiplied for some variables.

    Keras' own weight decay does not know of these learning rates.

    Args:
        learning_rate: For variables whose scale is 1.
        scale: From a variable's path to what its learning rate is multiplied by.
        decay: Decoupled weight decay: in each step a kernel is multiplied by 1 - its learning rate
            x decay. Biases, and the weights of batch normalization, do not decay.
        options: Those of `keras.optimizers.Adam`.
    """

    def __init__(
        self, learning_rate: float, scale: Callable[[str], float], decay: float = 0.0, **options
    ):
        # A name of its own, since Keras' depends on what else was made before.
        super().__init__(learning_rate, name="adam", **options)
        self.scale = scale
        self.decay = decay

    def build(self, variables):
        """Make the optimizer's variables."""
        self._scales = [self.scale(variable.path) for variable in variables]
        self._decays = [self.decay * (v.path.split("/")[-1] == "kernel") for v in variables]
        super().build(variables)

    def update_step(self, gradient, variable, learning_rate):
        """Update a variable."""
        number = self._get_variable_index(variable)
        rate = learning_rate * self._scales[number]
        if self._decays[number]:
            self.assign_sub(variable, variable * rate * self._decays[number])
        super().update_step(gradient, variable, rate)
