"""The graph that is saved with every model: from a gray image to colors, at any resolution.

It is made of plain TensorFlow operations, so it runs wherever a SavedModel does: in MLflow's
scoring server, in TensorFlow Serving, in `recolor apply`.
"""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tensorflow_io as tfio

from recolor.datasets.color import L_SCALE
from recolor.datasets.shards import EMBEDDING_SIZE
from recolor.platform.guided_upsampling import guided_upsampling
from recolor.platform.vividness import vivid

# Half the side of guided upsampling's window, as a share of the network's squares.
WINDOW = 1 / 10
# Pixels that are finished at once.
PIECE = 2**17


class Recolorer(tf.Module):
    """A network with all that stands before and behind it.

    Args:
        kind: A model kind of `recolor.models.catalog`; it knows how to decode the outputs.
        network: The trained network.
        embedding: The embedding network, or None for zeros.
        size: Side of the square that the network was trained on.
        calibration: Of its colors, from `recolor.platform.vividness`.
    """

    def __init__(
        self,
        kind,
        network: keras.Model,
        embedding: keras.Model | None,
        size: int,
        calibration: np.ndarray,
    ):
        super().__init__()
        self.kind = kind
        self.network = network
        self.embedding = embedding
        self.size = size
        self.calibration = tf.constant(calibration, tf.float32)
        self.predict_ab = tf.function(
            self._predict_ab,
            input_signature=[
                tf.TensorSpec([None, None, None, 1], tf.uint8, "lightness"),
                tf.TensorSpec([None, EMBEDDING_SIZE], tf.float32, "embedding"),
                tf.TensorSpec([], tf.float32, "temperature"),
                tf.TensorSpec([], tf.float32, "vividness"),
            ],
        )

    def _predict_ab(self, lightness, embedding, temperature, vividness):
        """Predict ab ``float32 [batch, S, S, 2]`` from stored L ``[batch, S, S, 1]`` and embedding.

        S may differ from the network's own size. These are the colors of the picture that comes
        out: those that sRGB doesn't have at their lightness are clipped, as in any RGB picture.
        """
        small = tf.image.resize(lightness, (self.size, self.size), antialias=True)
        ab = self._decoded(tf.cast(tf.round(small), tf.uint8), embedding, temperature)
        lightness = tf.cast(lightness, tf.float32) / L_SCALE
        rgb = self._colored(ab, small / L_SCALE, lightness, vividness)
        return {"ab": tfio.experimental.color.rgb_to_lab(rgb)[..., 1:]}

    def _decoded(self, lightness, embedding, temperature):
        """Predict ab ``float32 [batch, size, size, 2]`` at the network's own size."""
        outputs = self.network([lightness, embedding], training=False)
        ab = self.kind.decode(outputs, temperature)
        return tf.ensure_shape(ab, [None, self.size, self.size, 2])

    def _colored(self, ab, small_lightness, lightness, vividness):
        """Join the network's colors and pictures of any size: sRGB ``float32``, in [0, 1]."""
        radius = max(1, round(self.size * WINDOW))
        ab = guided_upsampling(ab, small_lightness, lightness, radius)

        def finished(pixels):
            lightness, ab = pixels[:, :1], pixels[:, 1:]
            # Last, since the colors calibrated are those that come out of the upsampling.
            ab = vivid(lightness, ab, self.calibration, vividness)
            rgb = tfio.experimental.color.lab_to_rgb(tf.concat([lightness, ab], axis=-1))
            return tf.clip_by_value(rgb, 0, 1)

        return _in_pieces(finished, tf.concat([lightness, ab], axis=-1))

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, 3], tf.uint8, "rgb"),
            tf.TensorSpec([], tf.float32, "temperature"),
            tf.TensorSpec([], tf.float32, "vividness"),
        ]
    )
    def recolor(self, rgb, temperature, vividness):
        """Recolor an image ``uint8 [height, width, 3]`` at its own resolution.

        Its lightness stays as it is, at full resolution; its colors are not looked at.
        """
        small, (top, left, height, width) = self._letterbox(rgb)
        small = tf.reshape(small, [1, self.size, self.size, 1])
        if self.embedding is None:
            embedding = tf.zeros([1, EMBEDDING_SIZE])
        else:
            embedding = self.embedding(small, training=False)
        ab = self._decoded(small, embedding, temperature)
        ab, small = (
            array[:, top : top + height, left : left + width]
            for array in (ab, tf.cast(small, tf.float32) / L_SCALE)
        )
        lightness = _rgb_to_lab(rgb)[None, ..., :1]
        colored = self._colored(ab, small, lightness, vividness)[0]
        return {"rgb": tf.cast(tf.round(colored * 255), tf.uint8)}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "image"),
            tf.TensorSpec([], tf.float32, "temperature"),
            tf.TensorSpec([], tf.float32, "vividness"),
        ]
    )
    def serve(self, image, temperature, vividness):
        """Recolor JPEG, PNG, GIF or BMP files, to PNG files."""

        def one(data):
            rgb = _decode(data)
            return tf.io.encode_png(self.recolor(rgb, temperature, vividness)["rgb"])

        return {"image": tf.map_fn(one, image, fn_output_signature=tf.string)}

    def save(self, folder: Path) -> None:
        """Write the SavedModel; its default signature is `serve`."""
        signatures = {
            "serving_default": self.serve,
            "recolor": self.recolor,
            "predict_ab": self.predict_ab,
        }
        tf.saved_model.save(self, str(folder), signatures=signatures)

    def _letterbox(self, rgb):
        """Bring an image into the square as `recolor.datasets.posters.letterbox` does.

        Returns:
            Stored L ``uint8 [size, size, 1]``, and the box: top, left, height, width.
        """
        shape = tf.cast(tf.shape(rgb)[:2], tf.float32)
        scaled = tf.maximum(
            1, tf.cast(tf.round(shape * (self.size / tf.reduce_max(shape))), tf.int32)
        )
        height, width = scaled[0], scaled[1]
        top, left = (self.size - height) // 2, (self.size - width) // 2
        small = tf.image.resize(rgb, scaled, method="bicubic", antialias=True)
        small = tf.round(tf.clip_by_value(small, 0, 255))
        lightness = tf.cast(tf.round(_rgb_to_lab(small)[..., :1] * L_SCALE), tf.uint8)
        padding = [[top, self.size - height - top], [left, self.size - width - left], [0, 0]]
        return tf.pad(lightness, padding, constant_values=255), (top, left, height, width)


def _in_pieces(function, pictures):
    """Apply a function of pixels ``[n, 3]`` piece by piece, so that memory is bounded."""
    pixels = tf.reshape(pictures, [-1, 3])
    count = tf.shape(pixels)[0]
    pieces = tf.reshape(tf.pad(pixels, [[0, -count % PIECE], [0, 0]]), [-1, PIECE, 3])
    done = tf.map_fn(function, pieces, parallel_iterations=1)
    return tf.reshape(tf.reshape(done, [-1, 3])[:count], tf.shape(pictures))


def _rgb_to_lab(rgb):
    return tfio.experimental.color.rgb_to_lab(tf.cast(rgb, tf.float32) / 255)


def _decode(data):
    """Decode a file to ``uint8 [height, width, 3]``, with transparency laid over white."""
    image = tf.io.decode_image(data, expand_animations=False)
    image.set_shape([None, None, None])
    channels = tf.shape(image)[-1]
    has_alpha = channels % 2 == 0
    image = tf.cast(image, tf.float32)
    opacity = tf.where(has_alpha, image[..., -1:] / 255, 1.0)
    color = image[..., : channels - tf.cast(has_alpha, tf.int32)]
    color = tf.broadcast_to(color, tf.concat([tf.shape(image)[:2], [3]], axis=0))
    return tf.cast(tf.round(color * opacity + 255 * (1 - opacity)), tf.uint8)
