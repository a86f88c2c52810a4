"""The U-Net: an encoder that knows ImageNet, trained to be told a palette."""

import keras
from keras import layers, ops

from recolor.datasets.embeddings import efficientnet_lite0
from recolor.models.class_distribution import ClassDistribution
from recolor.models.decoding.palette_constraint import palette_offsets
from recolor.models.paper_trunk import conv

# Filters of the decoder at strides of 32, 16, 8 and 4 pixels.
BRIDGE, DECODER = 192, {16: 192, 8: 128, 4: 96}
FEATURES = 96
# The encoder's learning rate, as a share of that of the layers that begin at random.
ENCODER_RATE = 0.2
# What the answer without a palette counts in the loss.
FREE_SHARE = 0.3
# One pixel of so many is enough to fit a poster's offsets to its palette.
FITTED = 3


class UNet(ClassDistribution):
    """Predicts a distribution over Q color classes at a quarter of the resolution.

    The encoder is EfficientNet-Lite0 with the weights of ImageNet. It sees by itself what a picture
    shows, so the network takes no embedding.

    A poster's palette can't be known from its lightness; which pixels take which of its colors
    often can. So most of the loss is the cross-entropy after each class has got the offset, the
    same for all pixels of a poster, that makes it least: what is left is how well the network tells
    the poster's pixels apart. These are also the offsets that decoding under the poster's own
    palette finds. The rest of the loss is the cross-entropy without offsets.
    """

    name = "unet"
    batch_size = 32
    epochs = 60
    size_multiple = 32
    takes_embedding = False
    step = 4

    def build(self, size: int | None) -> keras.Model:
        """Build the network, 4.1 million parameters: features ``float32 [batch, S/4, S/4, 96]``."""
        lightness = keras.Input((size, size, 1), dtype="uint8", name="lightness")
        skips = efficientnet_lite0.encoder(lightness)
        x = layers.Conv2D(BRIDGE, 1, activation="relu", name="bridge")(skips[32])
        for stride, filters in DECODER.items():
            x = layers.UpSampling2D(interpolation="bilinear")(x)
            x = layers.Concatenate()([x, skips[stride]])
            x = conv(f"decoder_{stride}", filters)(x)
        x = conv("features", FEATURES)(x)
        return keras.Model([lightness], self.head(x), name=self.name)

    def inputs(self, poster):
        """Return its lightness alone."""
        return (poster["lightness"],)

    def initialize(self, network):
        """Give the encoder the weights of ImageNet."""
        efficientnet_lite0.load_weights(network)

    def learning_rate_scale(self, path):
        """Let the encoder learn more slowly than what begins at random."""
        return ENCODER_RATE if path in efficientnet_lite0.tensors() else 1.0

    def loss(self, ab, features):
        """Return the cross-entropy with a palette and, for a smaller part, without.

        Args:
            ab: True colors, integers in [-128, 127], ``[batch, h, w, 2]``.
            features: The network's outputs.

        Returns:
            ``float32 [batch]``.
        """
        posters, classes = ops.shape(features)[0], len(self.classes)
        logits = ops.reshape(self.logits(features), (posters, -1, classes))
        color = ops.reshape(self.colors_of_steps(ab), (posters, -1))
        targets, weights = (ops.take(table, color, axis=0) for table in self.classes.soft_encoding)
        palette = _mean_target(targets, weights, classes)
        some = ops.stop_gradient(logits[:, ::FITTED])
        # The derivative by the offsets is zero, since they make the loss least.
        offsets = palette_offsets(some, palette, ops.ones_like(some[..., 0]), sharpening=1.0)
        told = _cross_entropy(logits + offsets[:, None], targets, weights)
        return told + FREE_SHARE * _cross_entropy(logits, targets, weights)


def _mean_target(targets, weights, classes: int):
    """Return the palette of each poster: ``float32 [batch, Q]``, with sum 1.

    Args:
        targets: Numbers of the K classes in each pixel's target, ``int32 [batch, pixels, K]``.
        weights: Their probabilities, ``float32 [batch, pixels, K]``.
        classes: Q.
    """
    posters = ops.shape(targets)[0]
    first = ops.arange(posters, dtype="int32")[:, None, None] * classes
    sums = ops.segment_sum(
        ops.reshape(weights, (-1,)), ops.reshape(targets + first, (-1,)), posters * classes
    )
    sums = ops.reshape(sums, (posters, classes))
    return sums / ops.sum(sums, axis=-1, keepdims=True)


def _cross_entropy(logits, targets, weights):
    """Return the mean over pixels, ``float32 [batch]``, of ``float32 [batch, pixels, Q]``."""
    picked = ops.take_along_axis(logits, targets, axis=-1)
    # The weights sum to one, so -sum(weights log softmax) is this difference.
    return ops.mean(ops.logsumexp(logits, axis=-1) - ops.sum(weights * picked, axis=-1), axis=-1)
