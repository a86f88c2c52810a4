"""EfficientNet-Lite0 of ImageNet, which comes with recolor: an embedding that needs no download.

The architecture is that of M. Tan and Q. Le, *EfficientNet* (2019), in its "lite" form without
squeeze-and-excitation and with ReLU6. The batch normalizations are folded into the convolutions
before them, so there is nothing that behaves otherwise in training. The weights are described in
NOTICE; `recolor.datasets.embeddings.efficientnet_lite0_conversion` has made their file.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recolor.datasets.embeddings.embedding import Embedding

if TYPE_CHECKING:
    import keras

WEIGHTS = Path(__file__).with_name("efficientnet_lite0.safetensors")
INPUT_SIDE = 224
# Expansion, kernel, stride of the first block, filters and number of blocks of each stage.
STAGES = [
    (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1),
]  # fmt: skip
STEM, HEAD, CLASSES = 32, 1280, 1000
# From [0, 255] to about [-1, 1], as in the training of the weights.
SCALE, OFFSET = 1 / 128, -127 / 128


class EfficientNetLite0(Embedding):
    """Its distribution over ImageNet's 1000 classes."""

    name = "efficientnet-lite0"
    size = CLASSES

    def network(self, side: int) -> keras.Model:
        """See `Embedding.network`."""
        import keras
        from keras import layers

        lightness = keras.Input((side, side, 1), dtype="uint8", name="lightness")
        x = layers.Rescaling(1.0, dtype="float32")(lightness)
        x = layers.Resizing(INPUT_SIDE, INPUT_SIDE, dtype="float32")(x)
        x = layers.Dense(CLASSES, dtype="float32", name="logits")(_pooled(x))
        network = keras.Model(lightness, layers.Softmax(dtype="float32")(x), name="embedding")
        load_weights(network)
        network.trainable = False
        return network


def feature_network() -> keras.Model:
    """Build the network from RGB pictures to the features that ImageNet's classes are told from.

    Returns:
        A model from ``uint8 [batch, 224, 224, 3]`` to ``float32 [batch, 1280]``.
    """
    import keras

    pictures = keras.Input((INPUT_SIDE, INPUT_SIDE, 3), dtype="uint8", name="pictures")
    network = keras.Model(pictures, _pooled(pictures), name="features")
    load_weights(network)
    return network


def _pooled(pictures):
    from keras import layers

    x = encoder(pictures, dtype="float32")[32]
    x = layers.Conv2D(HEAD, 1, activation="relu6", name="head", dtype="float32")(x)
    return layers.GlobalAveragePooling2D(dtype="float32")(x)


def encoder(pictures, **options) -> dict[int, keras.KerasTensor]:
    """Build the convolutions, as far as they keep places apart.

    Args:
        pictures: Lightness or RGB, 0 to 255, ``[batch, h, w, 1 or 3]``, of any size.
        options: For each layer, such as ``dtype``.

    Returns:
        The last features at each stride: of 2, 4, 8, 16 and 32 pixels, with 16, 24, 40, 112 and 320
        channels.
    """
    from keras import layers

    def convolution(name: str, filters: int, kernel: int = 1, stride: int = 1, activation=None):
        return layers.Conv2D(
            filters, kernel, strides=stride, padding="same", activation=activation, name=name,
            **options,
        )  # fmt: skip

    x = layers.Rescaling(SCALE, OFFSET, **options)(pictures)
    x = convolution("stem", STEM, 3, 2, "relu6")(x)
    stride, number, features = 2, 0, {}
    for expansion, kernel, first_stride, filters, blocks in STAGES:
        for block in range(blocks):
            number += 1
            before, channels, step = x, x.shape[-1], first_stride if block == 0 else 1
            if expansion > 1:
                x = convolution(f"block_{number}_expand", channels * expansion, 1, 1, "relu6")(x)
            x = layers.DepthwiseConv2D(
                kernel, strides=step, padding="same", activation="relu6",
                name=f"block_{number}_depthwise", **options,
            )(x)  # fmt: skip
            x = convolution(f"block_{number}_project", filters)(x)
            if step == 1 and channels == filters:
                x = layers.Add(**options)([before, x])
            stride *= step
            features[stride] = x
    return features


@cache
def tensors() -> dict[str, np.ndarray]:
    """Read the weights by their variables' paths, ``float32``."""
    from safetensors.numpy import load_file

    return {name: tensor.astype(np.float32) for name, tensor in load_file(WEIGHTS).items()}


def load_weights(network: keras.Model) -> None:
    """Give those of a network's variables that are among them the weights of ImageNet."""
    known = tensors()
    for variable in network.variables:
        if variable.path in known:
            value = known[variable.path]
            if variable.path == "stem/kernel" and variable.shape[2] == 1:
                # The three colors of a gray picture are the same.
                value = value.sum(axis=2, keepdims=True)
            variable.assign(value)


LITE0 = EfficientNetLite0()
