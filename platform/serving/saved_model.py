"""The SavedModel that comes with every registered model: a `Recolorer` as a TensorFlow graph.

It runs wherever a SavedModel does: in MLflow's scoring server, in TensorFlow Serving, and in
`recolor apply` and `recolor evaluate` where Keras uses TensorFlow, since it is faster than the
same steps one by one.
"""

from functools import partial
from pathlib import Path

import keras
import tensorflow as tf
import tensorflow_io as tfio

from recolor.datasets.palettes.palette import CELLS
from recolor.models.recolorer import PIECE, Recolorer
from recolor.models.weights import Weights


class RecoloringGraph(Recolorer, tf.Module):
    """A `Recolorer` whose steps are graphs, for pictures of any size.

    It is made as a `Recolorer` is.
    """

    def __init__(self, weights: Weights, embedding: keras.Model | None):
        tf.Module.__init__(self)
        super().__init__(weights, embedding)
        # A variable, since it is measured with these graphs: building them takes seconds.
        self.calibration = tf.Variable(self.calibration, trainable=False, name="calibration")
        outputs = tf.TensorSpec([1, *self.network.output_shape[1:]], tf.float32, "outputs")
        number = {
            name: tf.TensorSpec([], tf.float32, name)
            for name in ("temperature", "vividness", "free_vividness", "strength", "keep")
        }
        rgb = tf.TensorSpec([None, None, 3], tf.uint8, "rgb")
        palette = tf.TensorSpec([CELLS, 3], tf.float32, "palette")
        # Without AutoGraph, which would make the graphs' building take several times as long.
        graph = partial(tf.function, autograph=False)
        self.look = graph(
            super().look, input_signature=[rgb, tf.TensorSpec([None], tf.float32, "embedding")]
        )
        self.paint = graph(
            super().paint,
            input_signature=[
                rgb,
                outputs,
                tf.TensorSpec([None, None], tf.uint8, "lightness"),
                tf.TensorSpec([4], tf.int32, "box"),
                palette,
                tf.TensorSpec([None, 4], tf.float32, "hints"),
                *number.values(),
            ],
        )
        self.serve = graph(
            self._serve,
            input_signature=[
                tf.TensorSpec([None], tf.string, "image"),
                palette,
                *(number[name] for name in ("temperature", "vividness", "strength", "keep")),
            ],
        )

    def save(self, folder: Path) -> None:
        """Write the SavedModel; its default signature is `serve`."""
        signatures = {"serving_default": self.serve, "look": self.look, "paint": self.paint}
        tf.saved_model.save(self, str(folder), signatures=signatures)

    def _serve(self, image, palette, temperature, vividness, strength, keep):
        """Recolor JPEG, PNG, GIF or BMP files, all under one palette, to PNG files."""

        def one(data):
            rgb = _decode(data)
            seen = self.look(rgb, tf.zeros([0]))
            painted = self.paint(
                rgb, seen["outputs"], seen["lightness"], seen["box"], palette, tf.zeros([0, 4]),
                temperature, vividness, vividness, strength, keep,
            )  # fmt: skip
            return tf.io.encode_png(painted["rgb"])

        return {"image": tf.map_fn(one, image, fn_output_signature=tf.string)}

    _rgb_to_lab = staticmethod(tfio.experimental.color.rgb_to_lab)
    _lab_to_rgb = staticmethod(tfio.experimental.color.lab_to_rgb)
    # Keras' own needs to know the size.
    _resize = staticmethod(tf.image.resize)
    _either = staticmethod(tf.cond)

    @staticmethod
    def _in_pieces(function, pictures):
        shape = tf.shape(pictures)
        pixels = tf.reshape(pictures, [-1, pictures.shape[-1]])
        count = tf.shape(pixels)[0]
        piece = tf.clip_by_value(count, 1, PIECE)
        pieces = tf.reshape(
            tf.pad(pixels, [[0, -count % piece], [0, 0]]), [-1, piece, pictures.shape[-1]]
        )
        # One after the other, since each needs memory of its own.
        done = tf.map_fn(function, pieces, parallel_iterations=1)
        channels = done.shape[-1]
        pixels = tf.reshape(done, [-1, channels])[:count]
        return tf.reshape(pixels, tf.concat([shape[:-1], [channels]], axis=0))


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
