"""The SavedModel that comes with every registered model: a `Recolorer` as a TensorFlow graph.

It runs wherever a SavedModel does: in MLflow's scoring server, in TensorFlow Serving, and in
`recolor apply` and `recolor evaluate` where Keras uses TensorFlow, since it is faster than the
same steps one by one.
"""

from functools import cache, partial
from pathlib import Path

import keras
import tensorflow as tf
import tensorflow_io as tfio

from recolor.datasets.color import L_SCALE
from recolor.datasets.palettes.palette import CELLS
from recolor.models.decoding.palette_transfer import CARRIED, NODES
from recolor.models.decoding.vividness import BANDS
from recolor.models.painter import PIECE
from recolor.models.recolorer import Recolorer, centers
from recolor.models.restoration import curves_of, network_of
from recolor.models.restoring import COPY_SIDE, THUMBNAIL, VIEWS, Restorer
from recolor.models.weights import Weights
from recolor.platform.serving.xla import start_xla

# Without AutoGraph, which would make the graphs' building take several times as long.
graph = partial(tf.function, autograph=False)


class RecoloringGraph(Recolorer, tf.Module):
    """A `Recolorer` whose steps are graphs, for pictures of any size.

    It is made as a `Recolorer` is.
    """

    def __init__(self, weights: Weights, embedding: keras.Model | None):
        start_xla()
        tf.Module.__init__(self)
        super().__init__(weights, embedding)
        # A variable, since it is measured with these graphs: building them takes seconds.
        self.calibration = tf.Variable(self.calibration, trainable=False, name="calibration")
        outputs = tf.TensorSpec([1, *self.network.output_shape[1:]], tf.float32, "outputs")
        box = tf.TensorSpec([4], tf.int32, "box")
        palette = tf.TensorSpec([CELLS, 3], tf.float32, "palette")
        number = {
            name: tf.TensorSpec([], tf.float32, name)
            for name in (
                *("temperature", "vividness", "free_vividness", "strength"),
                *("share", "keep", "restore", "paper"),
            )
        }
        whole = {name: tf.TensorSpec([], tf.int32, name) for name in ("top", "width", "height")}
        self.look = graph(
            super().look,
            input_signature=[
                tf.TensorSpec([self.size, self.size, 1], tf.uint8, "square"),
                tf.TensorSpec([self.size, self.size, 2], tf.int8, "source"),
                box,
                tf.TensorSpec([None], tf.float32, "embedding"),
                tf.TensorSpec([], tf.bool, "gray"),
            ],
        )
        self.assign = graph(
            super().assign,
            input_signature=[
                outputs,
                box,
                tf.TensorSpec([CARRIED**2, None], tf.float32, "memberships"),
                tf.TensorSpec([None], tf.float32, "colorful"),
                number["paper"],
                palette,
                number["temperature"],
                number["vividness"],
            ],
        )
        self.choose = graph(
            super().choose,
            input_signature=[
                outputs,
                tf.TensorSpec(outputs.shape, tf.float32, "alike"),
                tf.TensorSpec([None, None], tf.uint8, "lightness"),
                box,
                tf.TensorSpec([CARRIED, CARRIED, 3], tf.uint8, "some"),
                whole["width"],
                whole["height"],
                palette,
                tf.TensorSpec([None, 4], tf.float32, "hints"),
                *(
                    number[name]
                    for name in ("temperature", "vividness", "free_vividness", "strength")
                ),
            ],
        )
        self.paint_rows = graph(
            self.paint,
            input_signature=[
                tf.TensorSpec([None, None, 3], tf.uint8, "rgb"),
                whole["top"],
                whole["height"],
                tf.TensorSpec([None, None, 4], tf.float32, "free_lines"),
                tf.TensorSpec([None, None, 4], tf.float32, "palette_lines"),
                tf.TensorSpec([None, None, 6], tf.float32, "hint_lines"),
                tf.TensorSpec([2, BANDS, NODES, NODES], tf.float32, "free_moves"),
                tf.TensorSpec([2, NODES, NODES], tf.float32, "palette_moves"),
                *(number[name] for name in ("share", "keep")),
            ],
        )
        self.serve = graph(
            self._serve,
            input_signature=[
                tf.TensorSpec([None], tf.string, "image"),
                palette,
                *(number[name] for name in ("temperature", "vividness", "strength", "keep")),
                number["restore"],
            ],
        )

    def paint(self, *rows, **given):
        """Paint as a `Recolorer` does, but by compiled steps, which are several times as fast.

        This is not a graph itself, so only the steps that a picture needs are built.
        """
        return super().paint(*rows, **given, run=_run_compiled)

    @property
    def steps(self) -> dict[str, tf.types.experimental.PolymorphicFunction]:
        """The graphs of the steps, by name."""
        return {
            "look": self.look,
            "assign": self.assign,
            "choose": self.choose,
            "paint": self.paint_rows,
        }

    def save(self, folder: Path, restorer: Restorer | None = None) -> None:
        """Write the SavedModel; its default signature is `serve`.

        Args:
            folder: Where to.
            restorer: What restores pictures in `serve`; by default the bundled one.
        """
        # Here, since only `serve` needs it.
        self.restorer = network_of(restorer or Restorer.bundled())
        signatures = {"serving_default": self.serve, **self.steps}
        built = {name: step.get_concrete_function() for name, step in signatures.items()}
        # Only the variables beside them: of this object, all graphs would be built once more.
        saved = tf.Module()
        used = (variable for step in built.values() for variable in step.variables)
        saved.weights = list({variable.ref(): variable for variable in used}.values())
        tf.saved_model.save(saved, str(folder), signatures=built)

    def _serve(self, image, palette, temperature, vividness, strength, keep, restore):
        """Restore and recolor JPEG, PNG, GIF or BMP files, all in one way, to PNG files."""

        def one(data):
            rgb = self._restored(_decode(data), restore)
            height, width = tf.unstack(tf.shape(rgb)[:2])
            square, box = self._letterbox(rgb)
            unseen = tf.zeros([self.size, self.size, 2], tf.int8)
            seen = self.look(square, unseen, box, tf.zeros([0]), tf.constant(True))
            top, left, h, w = tf.unstack(box)
            rows, columns = centers(CARRIED, height), centers(CARRIED, width)
            chosen = self.choose(
                seen["outputs"], seen["alike"], square[top : top + h, left : left + w, 0], box,
                tf.gather(tf.gather(rgb, rows), columns, axis=1), width, height, palette,
                tf.zeros([0, 4]), temperature, vividness, vividness, strength,
            )  # fmt: skip
            # By no compiled steps, which TensorFlow Serving may refuse on a CPU.
            painted = Recolorer.paint(self, rgb, 0, height, **chosen, keep=keep)
            return tf.io.encode_png(painted["rgb"])

        # By this ending TensorFlow Serving knows that it is to be base64 text in JSON.
        return {"image_bytes": tf.map_fn(one, image, fn_output_signature=tf.string)}

    def _restored(self, rgb, share):
        """Restore a picture as `recolor.models.restoring.Restorer` does, by a share of 0 to 1."""

        def restored():
            sides = tf.shape(rgb)[:2]
            small = _resized(rgb, COPY_SIDE)
            views = tf.cast(tf.stack([_view(small, *view) for view in VIEWS]), tf.uint8)
            numbers = tf.reduce_mean(self.restorer(views, training=False), axis=0)
            nothing = tf.repeat([0.0, 1.0, 0.0], 3)
            curves = tf.round(curves_of(nothing + share * (numbers - nothing)))
            channels = tf.broadcast_to([0, 1, 2], [*tf.unstack(sides), 3])
            places = tf.stack([tf.cast(rgb, tf.int32), channels], axis=-1)
            return tf.cast(tf.gather_nd(curves, places), tf.uint8)

        return self._either(share > 0, restored, lambda: rgb)

    def _letterbox(self, rgb):
        """Bring an image into the square as `recolor.datasets.posters.letterbox` does.

        Returns:
            Stored L ``uint8 [size, size, 1]``, and the box: top, left, height, width.
        """
        small = _resized(rgb, self.size)
        height, width = tf.unstack(tf.shape(small)[:2])
        top, left = (self.size - height) // 2, (self.size - width) // 2
        lightness = tfio.experimental.color.rgb_to_lab(small / 255)[..., :1]
        lightness = tf.cast(tf.round(lightness * L_SCALE), tf.uint8)
        padding = [[top, self.size - height - top], [left, self.size - width - left], [0, 0]]
        square = tf.pad(lightness, padding, constant_values=255)
        return tf.reshape(square, (self.size, self.size, 1)), tf.stack([top, left, height, width])

    @graph(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)])
    def _as_pixels(self, rgb):
        return _whole_pieces(super()._as_pixels(rgb))

    @graph(
        input_signature=[
            tf.TensorSpec([None, None, None], tf.float32),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([], tf.int32),
        ]
    )
    def _at_rows(self, lines, rows, height):
        return _whole_pieces(super()._at_rows(lines, rows, height))

    # Keras' own needs to know the size.
    _resize = staticmethod(tf.image.resize)

    @staticmethod
    def _either(condition, one, other):
        # What is known while the graph is built is decided then.
        if isinstance(condition, bool):
            return one() if condition else other()
        return tf.cond(condition, one, other)


def _whole_pieces(pixels):
    """Pad a list of pixels, since each new length would be compiled again."""
    return tf.pad(pixels, [[0, -tf.shape(pixels)[0] % PIECE], [0, 0]])


@cache
def _compiled(step):
    return graph(step, jit_compile=True)


def _run_compiled(step, *arrays):
    return _compiled(step)(*arrays)


def _resized(rgb, size):
    """Resize a picture as `recolor.datasets.posters.fit` does: whole numbers, ``float32``."""
    sides = tf.cast(tf.shape(rgb)[:2], tf.float32)
    scaled = tf.cast(tf.round(sides * (size / tf.reduce_max(sides))), tf.int32)
    small = tf.image.resize(
        tf.cast(rgb, tf.float32), tf.maximum(1, scaled), "bicubic", antialias=True
    )
    return tf.round(tf.clip_by_value(small, 0, 255))


def _view(small, down, across, mirrored):
    """Return one of `recolor.models.restoring.views`: ``float32 [96, 64, 3]``."""
    for axis, (count, place) in enumerate(zip(THUMBNAIL, (down, across), strict=True)):
        side = tf.cast(tf.shape(small)[axis], tf.float32)
        steps = (tf.range(count, dtype=tf.float32) + place) * side / count
        small = tf.gather(small, tf.cast(steps, tf.int32), axis=axis)
    return small[:, ::-1] if mirrored else small


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
