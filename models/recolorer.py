"""The graph that is saved with every model: from a gray image to colors, at any resolution.

It is made of plain TensorFlow operations, so it runs wherever a SavedModel does: in MLflow's
scoring server, in TensorFlow Serving, in `recolor apply`. It works in two steps: `look` is what
depends on the gray picture alone, and `paint` makes colors of it. What a picture looks like to the
network is kept between them, so that another palette answers at once.
"""

from functools import partial
from pathlib import Path

import keras
import tensorflow as tf
import tensorflow_io as tfio

from recolor.datasets.color import L_SCALE
from recolor.datasets.palettes.library import PaletteLibrary
from recolor.datasets.palettes.palette import CELLS, classes_of_cells
from recolor.models.decoding.guided_upsampling import guided_upsampling
from recolor.models.decoding.hinting import FREE, UNDER_PALETTE, hinted
from recolor.models.decoding.palette_constraint import (
    SMALLEST_SHARE,
    mean_distribution,
    palette_offsets,
)
from recolor.models.decoding.palette_transfer import CARRIED, move, transfer_moves
from recolor.models.decoding.vividness import vivid
from recolor.models.painter import Painter
from recolor.models.weights import Weights

# Half the side of guided upsampling's window, as a share of the network's squares. A free answer
# gains by being evened out; under a palette it is sure enough to keep its details.
WINDOW, PALETTE_WINDOW = 1 / 10, 1 / 40
# What the answer for the smaller square counts.
COARSE = 0.4
# Pixels that are finished at once.
PIECE = 2**17
# A palette is fitted to so many rows and columns of a picture's pixels.
FITTED = 28


class Recolorer(tf.Module):
    """A network with all that stands before and behind it.

    A network may look at a smaller square as well, of the weights' ``coarse_size``. Details are
    seen in the large one, and what belongs together over long distances in the small one.

    Args:
        weights: The trained network.
        embedding: The embedding network, or None for zeros.

    Raises:
        WeightsError: If the weights are another network's.
    """

    def __init__(self, weights: Weights, embedding: keras.Model | None):
        super().__init__()
        self.decoding = weights.decoding
        self.kind, self.network = weights.network()
        self.embedding = embedding
        self.size, self.coarse_size = weights.size, weights.coarse_size
        self.calibration = tf.constant(weights.calibration, tf.float32)
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
            self._look, input_signature=[rgb, tf.TensorSpec([None], tf.float32, "embedding")]
        )
        self.paint = graph(
            self._paint,
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

    def _look(self, rgb, embedding):
        """Look at the lightness of an image ``uint8 [height, width, 3]``.

        Args:
            rgb: The image.
            embedding: That of its gray picture, ``float32 [n]``; empty to have it computed.

        Returns:
            The network's ``outputs`` for the square, the picture's stored ``lightness`` at the
            network's resolution, ``uint8 [h, w]``, its ``box`` in the square (top, left, height,
            width), and ``shares``, the mean of its distributions over the cells of the ab plane,
            ``float32 [1024]``; zeros where the network has none.
        """
        square, (top, left, height, width) = self._letterbox(rgb)
        square = tf.ensure_shape(square, [self.size, self.size, 1])[None]
        computed = (
            (lambda: tf.zeros([self.kind.embedding_size]))
            if self.embedding is None
            else (lambda: self.embedding(square, training=False)[0])
        )
        known = tf.cond(
            tf.size(embedding) > 0,
            lambda: tf.reshape(embedding, [-1]),
            computed,
        )
        box = tf.stack([top, left, height, width])
        outputs = self._outputs(square[0], tf.ensure_shape(known, [self.kind.embedding_size]), box)
        shares = tf.zeros([CELLS])
        if self.kind.takes_palette:
            mean = mean_distribution(self.kind.logits(self._some(outputs, box)))
            shares = tf.scatter_nd(self.kind.classes.cells[:, None], mean, [CELLS])
        lightness = square[0, top : top + height, left : left + width, 0]
        return {"outputs": outputs, "lightness": lightness, "box": box, "shares": shares}

    def _paint(
        self, rgb, outputs, lightness, box, palette, hints, temperature, vividness,
        free_vividness, strength, keep,
    ):  # fmt: skip
        """Give an image colors; its lightness stays as it is, at full resolution.

        Args:
            rgb: The image, ``uint8 [height, width, 3]``.
            outputs, lightness, box: What `_look` has returned for it.
            palette: Share, a and b of every cell of the ab plane, ``float32 [1024, 3]``; all zero
                for none.
            hints: x, y, a, b of each, as `recolor.datasets.hints.hint_array` has them.
            temperature: T of the annealed mean.
            vividness: Under the palette, 0 to 1.
            free_vividness: Without the palette, 0 to 1.
            strength: From the free answer, 0, to the palette's, 1.
            keep: How much of the image's own colors is blended in, 0 to 1.

        Returns:
            ``rgb``, the colored image, ``uint8 [height, width, 3]``.
        """
        lab = _rgb_to_lab(rgb)[None]
        large = lab[..., :1]
        small = tf.cast(lightness, tf.float32)[None, ..., None] / L_SCALE

        def free():
            ab = self._decoded(outputs, box, temperature)
            ab = self._upsampled(ab, small, large, WINDOW)
            return _in_pieces(
                lambda pixels: vivid(
                    pixels[:, :1], pixels[:, 1:], self.calibration, free_vividness
                ),
                tf.concat([large, ab], axis=-1),
            )

        if not self.kind.takes_palette:
            ab = free()
        else:

            def under_palette():
                return self._under_palette(
                    outputs, small, large, box, palette, temperature, vividness
                )

            told = (tf.reduce_sum(palette[:, 0]) > 0) & (strength > 0)
            share = tf.where(told, strength, 0.0)
            # What counts nothing is not computed.
            nothing = tf.zeros([1, 1, 1, 2])
            ab = share * tf.cond(share > 0, under_palette, lambda: nothing)
            ab += (1 - share) * tf.cond(share < 1, free, lambda: nothing)
            ab = tf.cond(
                tf.shape(hints)[0] > 0,
                lambda: self._with_hints(ab, outputs, small, large, box, hints, told),
                lambda: ab,
            )
        ab += keep * (lab[..., 1:] - ab)

        def finished(pixels):
            return tf.clip_by_value(tfio.experimental.color.lab_to_rgb(pixels), 0, 1)

        colored = _in_pieces(finished, tf.concat([large, ab], axis=-1))[0]
        return {"rgb": tf.cast(tf.round(colored * 255), tf.uint8)}

    def _outputs(self, square, embedding, box):
        """Run the network on a square ``uint8 [size, size, 1]``, and on a smaller copy."""
        poster = {"lightness": square, "embedding": embedding, "box": box}
        outputs = self._run(poster)
        if self.coarse_size is None:
            return outputs
        side = (self.coarse_size, self.coarse_size)
        small = tf.cast(tf.round(tf.image.resize(square, side, antialias=True)), tf.uint8)
        coarse = self._run({**poster, "lightness": small, "box": box * side[0] // self.size})
        coarse = tf.image.resize(coarse, outputs.shape[1:3])
        return (1 - COARSE) * outputs + COARSE * coarse

    def _run(self, poster):
        """Run the network on one poster: ``float32 [1, ...]``."""
        inputs = [value[None] for value in self.kind.inputs(poster)]
        # Not as `network(...)`, which insists on the size that it was built for.
        return tf.cast(self.network.call(inputs, training=False), tf.float32)

    def _under_palette(self, outputs, small, large, box, palette, temperature, vividness):
        """Decode under a palette, at full resolution: ab ``float32 [1, height, width, 2]``."""
        shares, colors = palette[:, 0], palette[:, 1:]
        # The network's classes take the shares, and the mean colors, of the cells nearest to them.
        sums = tf.math.unsorted_segment_sum(
            tf.concat([shares[:, None], shares[:, None] * colors], axis=-1),
            classes_of_cells(self.kind.classes.centers),
            len(self.kind.classes),
        )
        # Those that have hardly any are left out, which saves most of the time.
        chosen = tf.where(sums[:, 0] >= SMALLEST_SHARE)[:, 0]
        sums = tf.gather(sums, chosen)
        wanted = sums[:, 0] / tf.reduce_sum(sums[:, 0])
        logits = self.kind.logits(self._some(outputs, box), chosen)
        offsets = palette_offsets(logits[None], wanted[None], tf.ones([1, FITTED**2]))[0]
        centers = sums[:, 1:] / sums[:, :1]
        ab = self._decoded(outputs, box, temperature, offsets, centers, chosen)
        ab = self._upsampled(ab, small, large, PALETTE_WINDOW)
        moves = transfer_moves(_grid(ab[0], CARRIED), shares, colors)
        return _in_pieces(lambda pixels: move(pixels, moves, vividness), ab)

    def _with_hints(self, ab, outputs, small, large, box, hints, told):
        """Blend in what hints say: ab ``float32 [1, height, width, 2]``."""
        features, _ = self._inside(outputs, box)
        shape = tf.shape(features)[1:3]
        features, lightness = features[0], tf.image.resize(small, shape, antialias=True)[0, ..., 0]
        color, counts = tf.cond(
            told,
            lambda: hinted(features, lightness, hints, UNDER_PALETTE),
            lambda: hinted(features, lightness, hints, FREE),
        )
        both = tf.image.resize(tf.concat([color * counts, counts], -1)[None], tf.shape(small)[1:3])
        both = self._upsampled(both, small, large, PALETTE_WINDOW)
        counts = tf.clip_by_value(both[..., 2:], 0, 1)
        color = both[..., :2] / tf.maximum(both[..., 2:], 1e-3)
        return ab + counts * (color - ab)

    def _upsampled(self, values, small, large, window):
        radius = max(1, round(self.size * window))
        return guided_upsampling(values, small, large, radius)

    def _decoded(self, outputs, box, *decoding):
        """Decode the picture alone, at the network's resolution: ab ``[1, h, w, 2]``."""
        part, (top, left) = self._inside(outputs, box)
        ab = self.kind.decode(part, *decoding)
        return ab[:, top : top + box[2], left : left + box[3]]

    def _inside(self, outputs, box):
        """Cut out the outputs that cover the picture.

        Returns:
            The outputs, and where the picture begins in them, in pixels of the square.
        """
        step = self.size // outputs.shape[1]
        first = box[:2] // step
        last = (box[:2] + box[2:] + step - 1) // step
        part = outputs[:, first[0] : last[0], first[1] : last[1]]
        return part, tf.unstack(box[:2] - first * step)

    def _some(self, outputs, box):
        """Return some of a picture's outputs, from all over it: ``[FITTED ** 2, n]``."""
        scale = outputs.shape[1] / self.size
        return _grid(outputs[0], FITTED, tf.cast(box, tf.float32) * scale)

    def _serve(self, image, palette, temperature, vividness, strength, keep):
        """Recolor JPEG, PNG, GIF or BMP files, all under one palette, to PNG files."""

        def one(data):
            rgb = _decode(data)
            seen = self._look(rgb, tf.zeros([0]))
            painted = self._paint(
                rgb, seen["outputs"], seen["lightness"], seen["box"], palette, tf.zeros([0, 4]),
                temperature, vividness, vividness, strength, keep,
            )  # fmt: skip
            return tf.io.encode_png(painted["rgb"])

        return {"image": tf.map_fn(one, image, fn_output_signature=tf.string)}

    def painter(self, library: PaletteLibrary | None = None) -> Painter:
        """Return what recolors pictures by this graph.

        Args:
            library: The color schemes to choose from; by default those that come with recolor.
        """
        return Painter(self.look, self.paint, **self.about(), library=library)

    def about(self) -> dict:
        """Return what a `Painter` must know beside the graph."""
        return {
            "temperature": self.decoding.temperature,
            "vividness": self.decoding.vividness,
            "kind": self.kind.name,
            "takes_palette": self.kind.takes_palette,
        }

    def save(self, folder: Path) -> None:
        """Write the SavedModel; its default signature is `serve`."""
        signatures = {"serving_default": self.serve, "look": self.look, "paint": self.paint}
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


def _grid(picture, count, box=None):
    """Return pixels of a picture ``[h, w, n]`` from all over a box in it: ``[count ** 2, n]``.

    Args:
        picture: The picture.
        count: How many rows and columns to take.
        box: Top, left, height and width, ``float32 [4]``; by default the whole picture.
    """
    sides = tf.cast(tf.shape(picture)[:2], tf.float32)
    start, extent = (tf.zeros([2]), sides) if box is None else (box[:2], box[2:])
    even = (tf.range(count, dtype=tf.float32)[:, None] + 0.5) / count
    places = tf.cast(tf.minimum(start + even * extent, sides - 1), tf.int32)
    some = tf.gather(tf.gather(picture, places[:, 0], axis=0), places[:, 1], axis=1)
    return tf.reshape(some, [count**2, picture.shape[-1]])


def _in_pieces(function, pictures):
    """Apply a function of pixels ``[n, channels]`` piece by piece, so that memory is bounded."""
    shape = tf.shape(pictures)
    pixels = tf.reshape(pictures, [-1, pictures.shape[-1]])
    count = tf.shape(pixels)[0]
    piece = tf.clip_by_value(count, 1, PIECE)
    pieces = tf.reshape(
        tf.pad(pixels, [[0, -count % piece], [0, 0]]), [-1, piece, pictures.shape[-1]]
    )
    done = tf.map_fn(function, pieces, parallel_iterations=1)
    channels = done.shape[-1]
    pixels = tf.reshape(done, [-1, channels])[:count]
    return tf.reshape(pixels, tf.concat([shape[:-1], [channels]], axis=0))


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
