"""The U-Net: an encoder that knows ImageNet, trained to be told a palette."""

from functools import cached_property
from types import MappingProxyType

import keras
from keras import layers, ops

from recolor.datasets.classes import SIGMA
from recolor.datasets.embeddings import efficientnet_lite0
from recolor.models.class_distribution import ClassDistribution, annealed_mean
from recolor.models.decoding.palette_constraint import palette_offsets
from recolor.models.paper import conv

# Filters of the decoder at strides of 32 pixels and less.
BRIDGE, DECODER = 192, {16: 192, 8: 128, 4: 96, 2: 64}
FEATURES = 96
# Every third pixel is enough to fit a poster's offsets to its palette.
FITTED = 3
# An error of ten in the ab plane, squared: the unit of the mean color's error.
SQUARED_ERROR_UNIT = 100.0


class UNet(ClassDistribution):
    """Predicts a distribution over Q color classes at a quarter of the resolution.

    The encoder is EfficientNet-Lite0 with the weights of ImageNet. It sees by itself what a picture
    shows, so the network takes no embedding.

    A poster's palette can't be known from its lightness; which pixels take which of its colors
    often can. So most of the loss is the cross-entropy after each class has got the offset, the
    same for all pixels of a poster, that makes it least: what is left is how well the network tells
    the poster's pixels apart. These are also the offsets that decoding under the poster's own
    palette finds. The rest of the loss is the cross-entropy without offsets.

    Attributes:
        pretrained: Whether the encoder begins with the weights of ImageNet.
        encoder_rate: The encoder's learning rate, as a share of that of the layers that begin at
            random; 0 leaves it as it is.
        dropout: Share of the channels that are left out, before each convolution of the decoder.
        told_share, free_share, mean_share: What the parts of the loss count: the cross-entropies
            with and without a palette, and the squared error of the mean color.
        rebalanced: Whether rare colors count more in the cross-entropies, by eq. 3.
        softness: Sigma of the Gaussian that spreads a true color over the classes near it.
    """

    name = "unet"
    batch_size = 32
    epochs = 60
    size_multiple = 32
    takes_embedding = False
    # Schemes are then as colorful as those that the classification chooses.
    scheme_rebalancing = 0.5
    step = 4
    pretrained = True
    encoder_rate = 0.1
    dropout = 0.1
    told_share = 1.0
    free_share = 0.3
    mean_share = 0.0
    rebalanced = False
    softness = SIGMA

    variants = MappingProxyType(
        {
            # For few epochs, in which nothing is learned by heart.
            "quick": {"encoder_rate": 0.2, "dropout": 0.0},
            # Each leaves out or changes one thing, to see what it is worth.
            "random": {"pretrained": False, "encoder_rate": 1.0},
            "frozen": {"encoder_rate": 0.0},
            "dropout": {"dropout": 0.2},
            "half": {"step": 2},
            "eighth": {"step": 8},
            "free": {"told_share": 0.0, "free_share": 1.0},
            "regression": {"told_share": 0.0, "free_share": 0.0, "mean_share": 1.0},
            "both": {"mean_share": 0.3},
            "rebalanced": {"rebalanced": True},
            "soft": {"softness": 2 * SIGMA},
        }
    )

    def build(self, size: int | None) -> keras.Model:
        """Build the network, 4.0 million parameters.

        Its outputs are features ``float32 [batch, S / step, S / step, 96]``.
        """
        lightness = keras.Input((size, size, 1), dtype="uint8", name="lightness")
        skips = efficientnet_lite0.encoder(lightness)
        x = layers.Conv2D(BRIDGE, 1, activation="relu", name="bridge")(skips[32])
        for stride, filters in DECODER.items():
            if stride < self.step:
                break
            x = layers.UpSampling2D(interpolation="bilinear")(x)
            x = layers.Concatenate()([x, skips[stride]])
            if self.dropout:
                x = layers.SpatialDropout2D(self.dropout)(x)
            x = conv(f"decoder_{stride}", filters)(x)
        x = conv("features", FEATURES)(x)
        network = keras.Model([lightness], self.head(x), name="unet")
        for layer in network.layers:
            if any(variable.path in efficientnet_lite0.tensors() for variable in layer.weights):
                layer.trainable = self.encoder_rate > 0
        return network

    def initialize(self, network):
        """Give the encoder the weights of ImageNet."""
        if self.pretrained:
            efficientnet_lite0.load_weights(network)

    def learning_rate_scale(self, path):
        """Let the encoder learn more slowly than what begins at random."""
        return self.encoder_rate if path in efficientnet_lite0.tensors() else 1.0

    def loss(self, ab, features):
        """Return the sum of the loss's parts of each image, as `ModelKind.loss` does."""
        posters, classes = ops.shape(features)[0], len(self.classes)
        logits = ops.reshape(self.logits(features), (posters, -1, classes))
        color = ops.reshape(self.colors_of_steps(ab), (posters, -1))
        targets, weights = (ops.take(table, color, axis=0) for table in self._soft_encoding)
        if self.rebalanced:
            counts = ops.take(self.classes.color_weights, color, axis=0)
        else:
            counts = ops.ones_like(logits[..., 0])
        loss = 0.0
        if self.told_share:
            palette = _mean_target(targets, weights * counts[..., None], classes)
            some = ops.stop_gradient(logits[:, ::FITTED])
            # The derivative by the offsets is zero, since they make the loss least.
            offsets = palette_offsets(some, palette, counts[:, ::FITTED], sharpening=1.0)
            told = _cross_entropy(logits + offsets[:, None], targets, weights, counts)
            loss += self.told_share * told
        if self.free_share:
            loss += self.free_share * _cross_entropy(logits, targets, weights, counts)
        if self.mean_share:
            mean = annealed_mean(logits, self.classes.centers, 1.0)
            loss += self.mean_share * _squared_error(mean, color)
        return loss

    @cached_property
    def _soft_encoding(self):
        return self.classes.soft_encoding_by(self.softness)


def _mean_target(targets, weights, classes: int):
    """Return the palette of each poster: ``float32 [batch, Q]``, with sum 1.

    Args:
        targets: Numbers of the K classes in each pixel's target, ``int32 [batch, pixels, K]``.
        weights: Their probabilities times what the pixel counts, ``float32 [batch, pixels, K]``.
        classes: Q.
    """
    posters = ops.shape(targets)[0]
    first = ops.arange(posters, dtype="int32")[:, None, None] * classes
    sums = ops.segment_sum(
        ops.reshape(weights, (-1,)), ops.reshape(targets + first, (-1,)), posters * classes
    )
    sums = ops.reshape(sums, (posters, classes))
    return sums / ops.sum(sums, axis=-1, keepdims=True)


def _cross_entropy(logits, targets, weights, counts):
    """Return the mean over pixels, ``float32 [batch]``, of ``float32 [batch, pixels, Q]``.

    Each pixel counts as much as ``counts`` has it, ``float32 [batch, pixels]``.
    """
    picked = ops.take_along_axis(logits, targets, axis=-1)
    # The weights sum to one, so -sum(weights log softmax) is this difference.
    entropy = ops.logsumexp(logits, axis=-1) - ops.sum(weights * picked, axis=-1)
    return ops.mean(counts * entropy, axis=-1)


def _squared_error(ab, color):
    """Return the mean squared error, ``float32 [batch]``, in units of `SQUARED_ERROR_UNIT`.

    Args:
        ab: Colors ``float32 [batch, pixels, 2]``.
        color: The true ones, as of `ClassDistribution.colors_of_steps`, ``[batch, pixels]``.
    """
    true = ops.cast(ops.stack([color // 256, color % 256], axis=-1) - 128, "float32")
    return ops.mean(ops.sum(ops.square(ab - true), axis=-1), axis=-1) / SQUARED_ERROR_UNIT
