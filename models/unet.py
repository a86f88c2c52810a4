"""The U-Net: an encoder that knows ImageNet, trained to be told a palette."""

from functools import cached_property
from types import MappingProxyType

import keras
import numpy as np
from keras import layers, ops

from recolor.datasets.classes import SIGMA
from recolor.datasets.color_maps import FOLDED, ColorMap
from recolor.datasets.embeddings import efficientnet_lite0
from recolor.models.class_distribution import ClassDistribution, annealed_mean
from recolor.models.decoding.palette_constraint import palette_offsets
from recolor.models.paper import conv

# Filters of the decoder at strides of 32 pixels and less.
BRIDGE, DECODER = 192, {16: 192, 8: 128, 4: 96, 2: 64}
FEATURES = 96
# Filters of the color stem at strides of 2 pixels and more.
COLOR_STEM = {2: 24, 4: 48, 8: 64, 16: 96, 32: 128}
# ab by which the color stem divides its input.
COLOR_UNIT = 32.0
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

    It also sees the colors that a poster has. They say which of its pixels belong together, but not
    what their colors should be: in training they are changed by a random `ColorMap`. A small stem
    of convolutions brings them to each stride of the decoder, where they are added. What is added
    is zero at first, so training may begin with the weights of a network without a color stem.

    Attributes:
        pretrained: Whether the encoder begins with the weights of ImageNet.
        encoder_rate: The encoder's learning rate, as a share of that of the layers that begin at
            random; 0 leaves it as it is.
        dropout: Share of the channels that are left out, before each convolution of the decoder.
        told_share, free_share, mean_share: What the parts of the loss count: the cross-entropies
            with and without a palette, and the squared error of the mean color.
        rebalanced: Whether rare colors count more in the cross-entropies, by eq. 3.
        softness: Sigma of the Gaussian that spreads a true color over the classes near it.
        sees_source: Whether the network has a color stem.
        gray_share, same_share: Of which share of the posters in training the color stem sees no
            colors, and of which it sees the true ones.
        folded_share: Which share of the color maps that the others are under fold.
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
    sees_source = True
    gray_share = 0.3
    same_share = 0.1
    folded_share = FOLDED

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
            "gray": {"sees_source": False},
            "rarely_gray": {"gray_share": 0.1},
            "often_gray": {"gray_share": 0.5},
            "true_colors": {"same_share": 0.7},
            "other_colors": {"same_share": 0.0},
            "unfolded": {"folded_share": 0.0},
        }
    )

    def build(self, size: int | None) -> keras.Model:
        """Build the network, 4.3 million parameters, of which the color stem has 0.3 million.

        Its outputs are features ``float32 [batch, S / step, S / step, 96]``.
        """
        inputs = [keras.Input((size, size, 1), dtype="uint8", name="lightness")]
        skips, colors = efficientnet_lite0.encoder(inputs[0]), {}
        if self.sees_source:
            inputs.append(keras.Input((size, size, 2), dtype="int8", name="source"))
            colors = _color_stem(inputs[1])
        x = layers.Conv2D(BRIDGE, 1, activation="relu", name="bridge")(skips[32])
        x = _with_colors(x, colors, 32)
        for stride, filters in DECODER.items():
            if stride < self.step:
                break
            x = layers.UpSampling2D(interpolation="bilinear")(x)
            x = layers.Concatenate()([x, skips[stride]])
            if self.dropout:
                x = layers.SpatialDropout2D(self.dropout)(x)
            x = conv(f"decoder_{stride}", filters)(x)
            x = _with_colors(x, colors, stride)
        x = conv("features", FEATURES)(x)
        network = keras.Model(inputs, self.head(x), name="unet")
        for layer in network.layers:
            if any(variable.path in efficientnet_lite0.tensors() for variable in layer.weights):
                layer.trainable = self.encoder_rate > 0
        return network

    def inputs(self, poster):
        """Return the lightness, and, with a color stem, the source's ab."""
        lightness = poster["lightness"]
        return (lightness, poster["source"]) if self.sees_source else (lightness,)

    def example(self, poster, generator):
        """Let the color stem see other colors than the true ones, or none."""
        if self.sees_source:
            poster = {**poster, "source": self._source(poster, generator)}
        return super().example(poster, generator)

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

    def _source(self, poster, generator):
        """Draw the colors that the color stem sees of a poster: ``int8 [S, S, 2]``."""
        drawn, ab = generator.random(), poster["ab"]
        if drawn < self.gray_share:
            return np.zeros_like(ab)
        if drawn < self.gray_share + self.same_share:
            return ab
        color_map = ColorMap.drawn(generator, self.folded_share)
        return color_map.applied(poster["lightness"][..., 0], ab)


def _color_stem(source):
    """Return features of a source's colors at each stride.

    Args:
        source: ab, ``int8 [batch, S, S, 2]``; zeros for a gray picture.
    """
    source = layers.Rescaling(1 / COLOR_UNIT, dtype="float32")(source)
    # What is neutral in a picture that has colors is not what is unknown.
    known = ops.cast(ops.max(ops.abs(source), axis=(1, 2, 3), keepdims=True) > 0, "float32")
    x = layers.Concatenate()([source, ops.ones_like(source[..., :1]) * known])
    features = {}
    for stride, filters in COLOR_STEM.items():
        x = layers.Conv2D(
            filters, 3, strides=2, padding="same", activation="relu", name=f"color_{stride}"
        )(x)
        features[stride] = x
    return features


def _with_colors(x, colors, stride):
    """Add the color stem's features at a stride, if there are any."""
    if not colors:
        return x
    join = layers.Conv2D(x.shape[-1], 1, kernel_initializer="zeros", name=f"color_join_{stride}")
    return layers.Add()([x, join(colors[stride])])


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
