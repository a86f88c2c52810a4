"""The restoration network: it looks at a colored poster, and finds how it has aged."""

import keras
import numpy as np
from keras import layers, ops

from recolor.datasets.ageing import BLACK, aged, badly_lit, printed_in_one_ink, scanned
from recolor.datasets.color import lab8_to_rgb, linear_of_srgb, srgb_of_linear
from recolor.datasets.posters import Box
from recolor.models.catalog import RESTORE
from recolor.models.decoding.lab import light_to_lab
from recolor.models.kind import ModelKind
from recolor.models.restoring import (
    CHANNELS,
    HIDDEN,
    QUANTILES,
    STEP,
    THUMBNAIL,
    Restorer,
    sampled,
)

# Of the posters in training, those that have not aged, those in one ink, and those in bad light, of
# which half have aged as well.
UNAGED, ONE_INK, BADLY_LIT = 0.15, 0.06, 0.5
# JPEG's quality for the pixels of a thumbnail. They are not neighbors, so JPEG harms them more: its
# errors are then as large as they are in the whole posters.
QUALITY = (93, 99)


class Restoration(ModelKind):
    """Predicts the nine numbers of `recolor.models.restoring.Restoration` from a thumbnail.

    It is trained on posters that were aged by `recolor.datasets.ageing`, each time in another way,
    and on some that were not. The loss is the difference between the restored thumbnail and the
    true one, as eyes see it, so it needs no color classes and no embedding.
    """

    name = "restoration"
    task = RESTORE
    batch_size = 64
    epochs = 60
    takes_embedding = False

    def build(self, size: int | None) -> keras.Model:
        """Build the network, 230 thousand parameters, for thumbnails whatever the data's size.

        Its output is the restored thumbnail in linear light, ``float32 [batch, 96, 64, 3]``; of
        negative values it is meant to be black, and above 1 white.
        """
        thumbnail = keras.Input((*THUMBNAIL, 3), dtype="uint8", name="thumbnail")
        light = _Light(name="light", dtype="float32")(thumbnail)
        density = _Density(name="density", dtype="float32")(light)
        features = [_Quantiles(name="quantiles")(density)]
        x = density
        for number, filters in enumerate(CHANNELS):
            convolution = layers.Conv2D(
                filters, 3, 2, "same", activation="relu", name=f"conv_{number}"
            )
            x = convolution(x)
        features += [layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)]
        x = layers.Concatenate()(features)
        for number, units in enumerate(HIDDEN):
            x = layers.Dense(units, activation="relu", name=f"dense_{number}")(x)
        x = layers.Dense(9, kernel_initializer="zeros", name="numbers", dtype="float32")(x)
        x = _Numbers(name="restoration", dtype="float32")(x)
        restored = _Restored(name="restored", dtype="float32")([light, x])
        return keras.Model([thumbnail], restored, name=self.name)

    def inputs(self, poster):
        """Return the thumbnail of a poster as it is: ``uint8 [96, 64, 3]``."""
        return (_true_thumbnail(poster),)

    def example(self, poster, generator):
        """Age a poster: the aged thumbnail, and the true one, both ``uint8 [96, 64, 3]``."""
        true = _true_thumbnail(poster)
        if generator.random() < ONE_INK:
            true = printed_in_one_ink(true, generator)
        ages = generator.random() >= UNAGED
        lit = ages and generator.random() < BADLY_LIT
        seen = badly_lit(true, generator) if lit else true
        if ages and not (lit and generator.random() < 0.5):
            seen = aged(seen, generator, QUALITY)
        elif lit or generator.random() < 0.5:
            seen = scanned(seen, generator, QUALITY)
        return (seen,), true

    def loss(self, true, outputs):
        """Return the mean CIE94 difference of each thumbnail, with lightness as CIEDE2000 has it.

        CIE94 is nearly CIEDE2000, and has a gradient everywhere.

        Args:
            true: sRGB, ``uint8 [batch, 96, 64, 3]``.
            outputs: The network's.
        """
        true = _to_light(true[:, ::STEP, ::STEP])
        found = outputs[:, ::STEP, ::STEP]
        # What is lighter than white is clipped to it, so nothing else would pull it back.
        beyond = ops.mean(ops.relu(found - 1), axis=(1, 2, 3))
        a, b = light_to_lab(ops.clip(found, 0, 1)), light_to_lab(true)
        difference = a - b
        chroma = [ops.sqrt(ops.sum(ops.square(one[..., 1:]), axis=-1) + 1e-4) for one in (a, b)]
        more = chroma[0] - chroma[1]
        turned = ops.relu(ops.sum(ops.square(difference[..., 1:]), axis=-1) - ops.square(more))
        middle = ops.square(b[..., 0] - 50)
        squared = (
            ops.square(difference[..., 0] / (1 + 0.015 * middle / ops.sqrt(20 + middle)))
            + ops.square(more / (1 + 0.045 * chroma[1]))
            + turned / ops.square(1 + 0.015 * chroma[1])
        )
        return ops.mean(ops.sqrt(squared + 0.01), axis=(1, 2)) + 5 * beyond

    def decode(self, outputs, temperature):
        """A restoration network has no colors to decode."""
        raise NotImplementedError


def network_of(restorer: Restorer) -> keras.Model:
    """Return a restorer as layers: thumbnails to haze, kept and stain.

    It takes ``uint8 [batch, 96, 64, 3]`` and gives ``float32 [batch, 9]``.
    """
    whole = Restoration().build(None)
    for layer in whole.layers:
        for variable in layer.weights:
            variable.assign(restorer.tensors[f"{layer.name}/{variable.name}"])
    return keras.Model(whole.inputs, whole.get_layer("restoration").output, name="restorer")


def curves_of(numbers):
    """Return the new sRGB value in [0, 255] of each 8-bit value, for each channel: ``[256, 3]``.

    Args:
        numbers: Haze, kept and stain in a row, ``float32 [9]``.
    """
    light = _to_light(ops.arange(256, dtype="int32"))[:, None]
    linear = ops.clip(_undone(light, ops.reshape(numbers, (9,))), 0, 1)
    return 255 * srgb_of_linear(linear, ops)


def _true_thumbnail(poster) -> np.ndarray:
    inside = Box.of(poster).slices
    rows, columns = map(sampled, poster["ab"][inside].shape[:2], THUMBNAIL)
    some = np.ix_(rows, columns)
    return lab8_to_rgb(poster["lightness"][inside][..., 0][some], poster["ab"][inside][some])


def _to_light(srgb):
    """Convert ``uint8`` sRGB to linear light, ``float32``, 0 to 1."""
    return linear_of_srgb(ops.cast(srgb, "float32") / 255, ops)


def _undone(light, numbers):
    """Undo ageing, with haze, kept and stain in the last axis of ``numbers``."""
    haze, kept, stain = ops.split(numbers, 3, axis=-1)
    clear = ops.relu((light - haze) / (1 - haze))
    density = (_density_of(clear) - stain) / kept
    return (ops.power(10.0, -density) - BLACK) / (1 - BLACK)


def _density_of(light):
    return -ops.log10(BLACK + (1 - BLACK) * light)


class _Light(layers.Layer):
    def call(self, srgb):
        return _to_light(srgb)


class _Density(layers.Layer):
    def call(self, light):
        return _density_of(light)


class _Quantiles(layers.Layer):
    """Quantiles of each channel, ``[batch, 3 n]``."""

    def call(self, density):
        some = density[:, ::STEP, ::STEP]
        pixels = some.shape[1] * some.shape[2]
        ordered = ops.sort(ops.reshape(some, (-1, pixels, 3)), axis=1)
        places = np.rint(np.array(QUANTILES) * (pixels - 1)).astype("int32")
        return ops.reshape(ops.take(ordered, places, axis=1), (-1, 3 * len(places)))


class _Numbers(layers.Layer):
    """From any numbers to haze, kept and stain within their ranges, ``[batch, 9]``."""

    def call(self, x):
        haze = 0.08 * ops.sigmoid(x[:, :3] - 3.5)
        kept = ops.clip(ops.exp(0.5 * ops.minimum(x[:, 3:6], 0.6)), 0.1, 1.3)
        stain = 0.1 * ops.softplus(x[:, 6:] - 3)
        return ops.concatenate([haze, kept, stain], axis=-1)


class _Restored(layers.Layer):
    """Undo ageing: linear light ``[batch, h, w, 3]``, as `recolor.models.restoring` does it."""

    def call(self, inputs):
        light, numbers = inputs
        return _undone(light, numbers[:, None, None])
