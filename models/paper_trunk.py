"""The trunk that both networks share: encoder, fusion with the embedding, first decoder steps.

The networks take two inputs, for pictures whose sides are multiples of 8 pixels:

- ``lightness``: L as stored, ``uint8 [batch, h, w, 1]``, brought to [-1, 1] inside;
- ``embedding``: what the gray image shows, ``float32 [batch, n]``; in the paper, the 1000
  numbers of Inception-ResNet-v2's softmax.
"""

import keras
from keras import layers

# (filters, stride) of the encoder's 3x3 convolutions (paper, Fig. 1).
ENCODER = [(64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 1), (256, 1)]


def conv(name: str, filters: int, stride: int = 1, **options) -> layers.Conv2D:
    """A 3x3 convolution with ReLU and "same" padding, as everywhere in the networks."""
    options = {"activation": "relu", "padding": "same", **options}
    return layers.Conv2D(filters, 3, strides=stride, name=name, **options)


def trunk(
    size: int | None, embedding_size: int
) -> tuple[list[keras.KerasTensor], keras.KerasTensor]:
    """Build the part up to the features at half resolution.

    Args:
        size: Side of the squares in pixels, a multiple of 8, or None for pictures of any shape. The
            weights do not depend on it.
        embedding_size: Length of the embedding.

    Returns:
        The two inputs, and features ``[batch, h/2, w/2, 64]``.
    """
    lightness = keras.Input((size, size, 1), dtype="uint8", name="lightness")
    embedding = keras.Input((embedding_size,), name="embedding")

    x = layers.Rescaling(1 / 127.5, offset=-1)(lightness)
    for number, (filters, stride) in enumerate(ENCODER, 1):
        x = conv(f"encoder_{number}", filters, stride)(x)

    # Fusion. The paper replicates the embedding to every position, appends it to the features and
    # convolves 1x1. That is a sum of two linear maps, and the embedding's need be computed only
    # once an image: same weights, same result, a fifth of the arithmetic.
    x = layers.Conv2D(256, 1, name="fusion")(x)
    semantics = layers.Dense(256, use_bias=False, name="fusion_embedding")(embedding)
    x = layers.Add()([layers.Reshape((1, 1, 256))(semantics), x])
    x = layers.ReLU()(x)

    x = conv("decoder_1", 128)(x)
    x = layers.UpSampling2D()(x)
    x = conv("decoder_2", 64)(x)
    x = conv("decoder_3", 64)(x)
    return [lightness, embedding], layers.UpSampling2D()(x)
