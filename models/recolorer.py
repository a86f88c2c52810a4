"""A network with all that stands before and behind it: from a gray picture to colors, at any size.

It works in two steps: `look` is what depends on the gray picture alone, and `paint` makes colors of
it. What a picture looks like to the network is kept between them, so that another palette answers
at once.

All is in `keras.ops`, so a picture comes out the same on every backend, but for rounding. What
TensorFlow does in a better way, as the graph that is saved with every model,
`recolor.platform.serving.saved_model.RecoloringGraph` says.
"""

from collections.abc import Callable
from dataclasses import asdict

import keras
from keras import ops

from recolor.datasets.color import L_SCALE
from recolor.datasets.palettes.library import PaletteLibrary
from recolor.datasets.palettes.palette import CELLS, classes_of_cells
from recolor.models.decoding.guided_upsampling import guided_upsampling
from recolor.models.decoding.hinting import FREE, UNDER_PALETTE, hinted
from recolor.models.decoding.lab import lab_to_rgb, rgb_to_lab
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


class Recolorer:
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
        self.decoding = weights.decoding
        self.kind, self.network = weights.network()
        self.embedding = embedding
        self.size, self.coarse_size = weights.size, weights.coarse_size
        self.calibration = ops.convert_to_tensor(weights.calibration, "float32")

    def look(self, rgb, embedding):
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
        square, box = self._letterbox(rgb)

        def computed():
            if self.embedding is None:
                return ops.zeros(self.kind.embedding_size)
            return self.embedding(square[None], training=False)[0]

        known = self._either(ops.shape(embedding)[0] > 0, lambda: embedding, computed)
        outputs = self._outputs(square, ops.reshape(known, (self.kind.embedding_size,)), box)
        shares = ops.zeros(CELLS)
        if self.kind.takes_palette:
            mean = mean_distribution(self.kind.logits(self._some(outputs, box)))
            shares = ops.scatter(self.kind.classes.cells[:, None], mean, (CELLS,))
        top, left, height, width = ops.unstack(box, 4)
        lightness = square[top : top + height, left : left + width, 0]
        return {"outputs": outputs, "lightness": lightness, "box": box, "shares": shares}

    def paint(
        self, rgb, outputs, lightness, box, palette, hints, temperature, vividness,
        free_vividness, strength, keep,
    ):  # fmt: skip
        """Give an image colors; its lightness stays as it is, at full resolution.

        Args:
            rgb: The image, ``uint8 [height, width, 3]``.
            outputs, lightness, box: What `look` has returned for it.
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
        lab = self._lab(rgb)[None]
        large = lab[..., :1]
        small = ops.cast(lightness, "float32")[None, ..., None] / L_SCALE

        def free():
            ab = self._decoded(outputs, box, temperature)
            ab = self._upsampled(ab, small, large, WINDOW)
            return self._in_pieces(
                lambda pixels: vivid(
                    pixels[:, :1], pixels[:, 1:], self.calibration, free_vividness
                ),
                ops.concatenate([large, ab], axis=-1),
            )

        if not self.kind.takes_palette:
            ab = free()
        else:

            def under_palette():
                return self._under_palette(
                    outputs, small, large, box, palette, temperature, vividness
                )

            told = ops.logical_and(ops.sum(palette[:, 0]) > 0, strength > 0)
            share = ops.where(told, strength, 0.0)
            # What counts nothing is not computed.
            nothing = ops.zeros((1, 1, 1, 2))
            ab = share * self._either(share > 0, under_palette, lambda: nothing)
            ab += (1 - share) * self._either(share < 1, free, lambda: nothing)
            ab = self._either(
                ops.shape(hints)[0] > 0,
                lambda: self._with_hints(ab, outputs, small, large, box, hints, told),
                lambda: ab,
            )
        ab += keep * (lab[..., 1:] - ab)
        colored = self._in_pieces(self._lab_to_rgb, ops.concatenate([large, ab], axis=-1))[0]
        return {"rgb": ops.cast(ops.round(colored * 255), "uint8")}

    def painter(self, library: PaletteLibrary | None = None) -> Painter:
        """Return what recolors pictures.

        Args:
            library: The color schemes to choose from; by default those that come with recolor.
        """
        return Painter.of(_of_arrays(self.look), _of_arrays(self.paint), self.about(), library)

    def about(self) -> dict:
        """Return what a `Painter` must know beside the two functions, as JSON."""
        return {
            "own": asdict(self.decoding),
            "kind": self.kind.name,
            "takes_palette": self.kind.takes_palette,
        }

    _rgb_to_lab = staticmethod(rgb_to_lab)
    _lab_to_rgb = staticmethod(lab_to_rgb)
    _resize = staticmethod(ops.image.resize)

    @staticmethod
    def _either(condition, one: Callable, other: Callable):
        """Compute one of two answers."""
        return one() if condition else other()

    @staticmethod
    def _in_pieces(function: Callable, pictures):
        """Apply a function of pixels ``[n, channels]`` piece by piece, which bounds the memory."""
        *shape, channels = ops.shape(pictures)
        pixels = ops.reshape(pictures, (-1, channels))
        starts = range(0, ops.shape(pixels)[0], PIECE)
        done = ops.concatenate([function(pixels[start : start + PIECE]) for start in starts])
        return ops.reshape(done, (*shape, done.shape[-1]))

    def _lab(self, rgb):
        return self._rgb_to_lab(ops.cast(rgb, "float32") / 255)

    def _letterbox(self, rgb):
        """Bring an image into the square as `recolor.datasets.posters.letterbox` does.

        Returns:
            Stored L ``uint8 [size, size, 1]``, and the box: top, left, height, width.
        """
        sides = ops.cast(ops.convert_to_tensor(ops.shape(rgb)[:2]), "float32")
        scaled = ops.round(sides * (self.size / ops.max(sides)))
        height, width = ops.unstack(ops.maximum(1, ops.cast(scaled, "int32")), 2)
        top, left = (self.size - height) // 2, (self.size - width) // 2
        rgb = ops.cast(rgb, "float32")
        small = self._resize(rgb, (height, width), "bicubic", antialias=True)
        lab = self._lab(ops.round(ops.clip(small, 0, 255)))
        lightness = ops.cast(ops.round(lab[..., :1] * L_SCALE), "uint8")
        padding = [[top, self.size - height - top], [left, self.size - width - left], [0, 0]]
        square = ops.pad(lightness, padding, constant_values=255)
        return ops.reshape(square, (self.size, self.size, 1)), ops.stack([top, left, height, width])

    def _outputs(self, square, embedding, box):
        """Run the network on a square ``uint8 [size, size, 1]``, and on a smaller copy."""
        poster = {"lightness": square, "embedding": embedding, "box": box}
        outputs = self._run(poster)
        if self.coarse_size is None:
            return outputs
        side = self.coarse_size
        small = self._resize(ops.cast(square, "float32"), (side, side), antialias=True)
        small = ops.cast(ops.round(small), "uint8")
        coarse = self._run({**poster, "lightness": small, "box": box * side // self.size})
        coarse = self._resize(coarse, outputs.shape[1:3])
        return (1 - COARSE) * outputs + COARSE * coarse

    def _run(self, poster):
        """Run the network on one poster: ``float32 [1, ...]``."""
        inputs = [value[None] for value in self.kind.inputs(poster)]
        # Not as `network(...)`, which insists on the size that it was built for.
        return ops.cast(self.network.call(inputs, training=False), "float32")

    def _under_palette(self, outputs, small, large, box, palette, temperature, vividness):
        """Decode under a palette, at full resolution: ab ``float32 [1, height, width, 2]``."""
        shares, colors = palette[:, 0], palette[:, 1:]
        # The network's classes take the shares, and the mean colors, of the cells nearest to them.
        sums = ops.segment_sum(
            ops.concatenate([shares[:, None], shares[:, None] * colors], axis=-1),
            classes_of_cells(self.kind.classes.centers),
            len(self.kind.classes),
        )
        # Those that have hardly any are left out, which saves most of the time.
        (chosen,) = ops.nonzero(sums[:, 0] >= SMALLEST_SHARE)
        sums = ops.take(sums, chosen, axis=0)
        wanted = sums[:, 0] / ops.sum(sums[:, 0])
        logits = self.kind.logits(self._some(outputs, box), chosen)
        offsets = palette_offsets(logits[None], wanted[None], ops.ones((1, FITTED**2)))[0]
        centers = sums[:, 1:] / sums[:, :1]
        ab = self._decoded(outputs, box, temperature, offsets, centers, chosen)
        ab = self._upsampled(ab, small, large, PALETTE_WINDOW)
        moves = transfer_moves(_grid(ab[0], CARRIED), shares, colors)
        return self._in_pieces(lambda pixels: move(pixels, moves, vividness), ab)

    def _with_hints(self, ab, outputs, small, large, box, hints, told):
        """Blend in what hints say: ab ``float32 [1, height, width, 2]``."""
        features, _ = self._inside(outputs, box)
        lightness = self._resize(small, ops.shape(features)[1:3], antialias=True)[0, ..., 0]
        color, counts = self._either(
            told,
            lambda: hinted(features[0], lightness, hints, UNDER_PALETTE),
            lambda: hinted(features[0], lightness, hints, FREE),
        )
        both = ops.concatenate([color * counts, counts], axis=-1)[None]
        both = self._resize(both, ops.shape(small)[1:3])
        both = self._upsampled(both, small, large, PALETTE_WINDOW)
        counts = ops.clip(both[..., 2:], 0, 1)
        color = both[..., :2] / ops.maximum(both[..., 2:], 1e-3)
        return ab + counts * (color - ab)

    def _upsampled(self, values, small, large, window):
        radius = max(1, round(self.size * window))
        return guided_upsampling(values, small, large, radius, self._resize)

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
        return part, ops.unstack(box[:2] - first * step, 2)

    def _some(self, outputs, box):
        """Return some of a picture's outputs, from all over it: ``[FITTED ** 2, n]``."""
        scale = outputs.shape[1] / self.size
        return _grid(outputs[0], FITTED, ops.cast(box, "float32") * scale)


def _grid(picture, count, box=None):
    """Return pixels of a picture ``[h, w, n]`` from all over a box in it: ``[count ** 2, n]``.

    Args:
        picture: The picture.
        count: How many rows and columns to take.
        box: Top, left, height and width, ``float32 [4]``; by default the whole picture.
    """
    sides = ops.cast(ops.convert_to_tensor(ops.shape(picture)[:2]), "float32")
    start, extent = (ops.zeros(2), sides) if box is None else (box[:2], box[2:])
    even = (ops.arange(count, dtype="float32")[:, None] + 0.5) / count
    places = ops.cast(ops.minimum(start + even * extent, sides - 1), "int32")
    some = ops.take(ops.take(picture, places[:, 0], axis=0), places[:, 1], axis=1)
    return ops.reshape(some, (count**2, picture.shape[-1]))


def _of_arrays(function: Callable) -> Callable:
    """Let a function of tensors take and return NumPy arrays."""

    def call(**arrays):
        answer = function(**{name: ops.convert_to_tensor(one) for name, one in arrays.items()})
        return {name: ops.convert_to_numpy(one) for name, one in answer.items()}

    return call
