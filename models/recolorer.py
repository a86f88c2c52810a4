"""A network with its pre- and postprocessing: from a picture to other colors, at any size.

`look` is what depends on the picture alone: it is kept, so that another palette answers at
once. Where the picture has colors, `assign` gives each of its swatches a color of the palette, and
`recolor.models.color_table` brings them to the picture. Where it is gray, `choose` finds colors at
the network's resolution, and `paint` brings them to that of the picture, a few rows at a time, so
that memory is bounded however large the picture is.

All is in `keras.ops`, so a picture comes out the same on every backend, up to rounding.
`recolor.platform.serving.saved_model.RecoloringGraph` makes a TensorFlow graph of it, which is
saved with every model.
"""

import os
from collections.abc import Callable
from dataclasses import asdict

import keras
import numpy as np
from keras import ops

from recolor.datasets.color import L_SCALE
from recolor.datasets.palettes.library import PaletteLibrary
from recolor.datasets.palettes.palette import CELLS, NEUTRAL_CHROMA, classes_of_cells
from recolor.models.class_distribution import annealed_mean
from recolor.models.decoding.finishing import (
    freely,
    mixed,
    under_palette,
    with_hints,
    with_own_colors,
)
from recolor.models.decoding.guided_upsampling import fitted_lines, interpolated, on_lines
from recolor.models.decoding.lab import lab_to_rgb, rgb_to_lightness
from recolor.models.decoding.likeness import FREE, UNDER_PALETTE, evened, hinted
from recolor.models.decoding.palette_constraint import (
    SMALLEST_SHARE,
    mean_distribution,
    palette_offsets,
)
from recolor.models.decoding.palette_transfer import CARRIED, NODES, move, transfer_moves
from recolor.models.decoding.vividness import vivid_moves
from recolor.models.painter import Painter
from recolor.models.weights import Weights

# Half the side of guided upsampling's window, as a share of the network's squares. A free answer
# gains by being evened out; under a palette it is sure enough to keep its details.
WINDOW, PALETTE_WINDOW = 1 / 10, 1 / 40
# What the answer for the smaller square counts.
COARSE = 0.4
# Rows and columns of pixels that a palette is fitted to.
FITTED = 28


class Recolorer:
    """A network with its pre- and postprocessing.

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
        self.embedding = embedding if self.kind.takes_embedding else None
        self.size, self.coarse_size = weights.size, weights.coarse_size
        self.calibration = ops.convert_to_tensor(weights.calibration, "float32")

    def look(self, square, source, box, embedding, gray):
        """Look at a picture.

        Args:
            square: Its stored L in the network's square, ``uint8 [size, size, 1]``.
            source: Its ab there, ``int8 [size, size, 2]``; zeros where the picture is gray.
            box: Where it lies there: top, left, height, width, ``int32 [4]``.
            embedding: That of the gray picture, ``float32 [n]``; empty to have it computed.
            gray: Whether the picture has no color that says which pixels belong together, ``bool``.

        Returns:
            The network's ``outputs`` for the square; ``alike``, the same, but where the picture is
            gray, the mean of what the network says of it and of its mirror image, with pixels that
            belong together answering together; and ``shares``, by which color schemes are ranked:
            the mean of its distributions over the cells of the ab plane, with rare colors as strong
            as the kind wants them, ``float32 [1024]``; zeros where the network has none.
        """

        def computed():
            if self.embedding is None:
                return ops.zeros(self.kind.embedding_size)
            return self.embedding(square[None], training=False)[0]

        known = self._either(ops.shape(embedding)[0] > 0, lambda: embedding, computed)
        views = 1 + ops.cast(gray, "int32") if self.kind.takes_palette else 1
        embedding = ops.reshape(known, (self.kind.embedding_size,))
        poster = {"lightness": square, "source": source, "embedding": embedding, "box": box}
        seen = self._outputs(poster, views)
        alike = outputs = seen[:1]
        shares = ops.zeros(CELLS)
        if self.kind.takes_palette:
            # Told the palette, the mean of both views has an error 1 % smaller.
            both = (outputs + ops.flip(seen[-1:], axis=2)) / 2
            alike = self._either(gray, lambda: self._evened(both, square, box), lambda: outputs)
            mean = mean_distribution(self.kind.logits(self._some(outputs, box, FITTED)))
            mean *= ops.cast(self.kind.classes.weights**self.kind.scheme_rebalancing, "float32")
            mean /= ops.sum(mean)
            shares = ops.scatter(self.kind.classes.cells[:, None], mean, (CELLS,))
        return {"outputs": outputs, "alike": alike, "shares": shares}

    def choose(
        self, outputs, alike, lightness, box, some, width, height, palette, hints, temperature,
        vividness, free_vividness, strength,
    ):  # fmt: skip
        """Choose colors, as functions of the lightness that change from place to place.

        Args:
            outputs, alike: What `look` has returned.
            lightness: Stored L of the picture in its box, ``uint8 [h, w]``.
            box: As `look` takes it.
            some: Pixels from all over the large picture: sRGB ``uint8 [48, 48, 3]``.
            width, height: Of the large picture, ``int32``.
            palette: Share, a and b of every cell of the ab plane, ``float32 [1024, 3]``; all zero
                for none.
            hints: x, y, a, b of each, as `recolor.datasets.hints.hint_array` has them.
            temperature: T of the annealed mean.
            vividness: Under the palette, 0 to 1.
            free_vividness: Without the palette, 0 to 1.
            strength: From the free answer, 0, to the palette's, 1.

        Returns:
            What `paint` takes: ``free_lines``, ``palette_lines`` and ``hint_lines``, each ``float32
            [h, width, n]``, or of no width where it is not needed; ``free_moves``, of
            `vivid_moves`, and ``palette_moves``, of `transfer_moves`; and ``share``, that of the
            answer under the palette.
        """
        small = ops.cast(lightness, "float32")[..., None] / L_SCALE
        columns = ops.arange(width)

        def wide(values, window):
            lines = fitted_lines(values, small, max(1, round(self.size * window)))
            return interpolated(lines, columns, width, axis=1)

        def free():
            return wide(self._decoded(outputs, box, temperature), WINDOW)

        none, share, moves = ops.zeros((1, 0, 4)), ops.zeros(()), ops.zeros((2, NODES, NODES))
        palette_lines, hint_lines = none, ops.zeros((1, 0, 6))
        if not self.kind.takes_palette:
            free_lines = free()
        else:
            told = ops.logical_and(ops.sum(palette[:, 0]) > 0, strength > 0)
            share = ops.where(told, strength, 0.0)

            def under_palette():
                ab = self._under_palette(alike, box, palette, temperature)
                lines = wide(ab, PALETTE_WINDOW)
                ab = self._on_some(lines, some, height)
                return lines, vividness * transfer_moves(ab, palette[:, 0], palette[:, 1:])

            def by_hints():
                return wide(self._hinted(outputs, small, box, hints, told), PALETTE_WINDOW)

            # What counts nothing is not computed.
            palette_lines, moves = self._either(share > 0, under_palette, lambda: (none, moves))
            free_lines = self._either(share < 1, free, lambda: none)
            hint_lines = self._either(ops.shape(hints)[0] > 0, by_hints, lambda: hint_lines)
        return {
            "free_lines": free_lines, "palette_lines": palette_lines, "hint_lines": hint_lines,
            "free_moves": vivid_moves(self.calibration, free_vividness), "palette_moves": moves,
            "share": share,
        }  # fmt: skip

    def assign(
        self, outputs, box, memberships, colorful, paper, palette, temperature, vividness
    ):  # fmt: skip
        """Give each swatch of a colored picture a color of a palette.

        A swatch answers with the mean of the logits of its pixels. It is decoded as a pixel is.

        Args:
            outputs: What `look` has returned.
            box: As `look` takes it.
            memberships: How much each of some pixels from all over the picture counts in each
                swatch, ``float32 [48 * 48, K]``; hardly anything for paper, which stays neutral.
            colorful: How much less likely each swatch is to be neutral than the network thinks, as
                a logarithm, ``float32 [K]``.
            paper: The share of paper, which takes as much of the palette's neutrals.
            palette, temperature, vividness: As for `choose`; the palette is not all zero.

        Returns:
            ``colors``, the ab of each swatch: ``float32 [K, 2]``.
        """
        if not self.kind.takes_palette:
            return {"colors": ops.zeros_like(memberships[0, :, None] * palette[0, 1:])}
        chosen, wanted, colors = self._classes_of(palette)
        counts = ops.sum(memberships, axis=0)
        logits = self.kind.logits(self._some(outputs, box, CARRIED), chosen)
        logits = ops.matmul(ops.transpose(memberships), logits) / counts[:, None]
        neutral = ops.cast(ops.norm(colors, axis=-1) < NEUTRAL_CHROMA, "float32")
        logits = logits - colorful[:, None] * neutral
        gray = ops.sum(wanted * neutral)
        left = ops.maximum(gray - paper, SMALLEST_SHARE) / ops.maximum(gray, SMALLEST_SHARE)
        wanted = wanted * (1 - neutral + neutral * left)
        wanted = wanted / ops.sum(wanted)
        logits = logits + palette_offsets(logits[None], wanted[None], counts[None])[0]
        ab = annealed_mean(logits, colors, temperature)
        moves = transfer_moves(ops.matmul(memberships, ab), palette[:, 0], palette[:, 1:])
        return {"colors": move(ab, moves, vividness)}

    def paint(
        self, rgb, top, height, free_lines, palette_lines, hint_lines, free_moves,
        palette_moves, share, keep, run=lambda step, *arrays: step(*arrays),
    ):  # fmt: skip
        """Give rows of a picture colors; their lightness stays as it is.

        Rows are independent of each other, so a picture may be painted in parts.

        Args:
            rgb: The rows, ``uint8 [k, width, 3]``.
            top: Which row of the picture is the first one, ``int32``.
            height: Of the whole picture, ``int32``.
            free_lines, palette_lines, hint_lines, free_moves, palette_moves, share: What `choose`
                has returned.
            keep: How much of the picture's own colors is blended in, 0 to 1.
            run: What runs a step of `recolor.models.decoding.finishing` on arrays.

        Returns:
            ``rgb``, the colored rows, ``uint8 [k, width, 3]``.
        """
        rows = top + ops.arange(ops.shape(rgb)[0])

        def is_needed(lines):
            return ops.shape(lines)[1] > 0

        def with_lines(step, lines, *given):
            return run(step, lightness, self._at_rows(lines, rows, height), *given)

        def told():
            return with_lines(under_palette, palette_lines, palette_moves)

        def free():
            return with_lines(freely, free_lines, free_moves)

        def both():
            return run(mixed, told(), free(), share)

        pixels = self._as_pixels(rgb)
        lightness = run(rgb_to_lightness, pixels)
        ab = self._either(
            is_needed(palette_lines),
            lambda: self._either(is_needed(free_lines), both, told),
            free,
        )
        ab = self._either(keep > 0, lambda: run(with_own_colors, pixels, ab, keep), lambda: ab)
        ab = self._either(
            is_needed(hint_lines), lambda: with_lines(with_hints, hint_lines, ab), lambda: ab
        )
        painted = run(lab_to_rgb, lightness, ab)
        shape = ops.shape(rgb)
        return {"rgb": ops.reshape(painted[: shape[0] * shape[1]], shape)}

    def painter(self, library: PaletteLibrary | None = None) -> Painter:
        """Return what recolors pictures.

        Args:
            library: The color schemes to choose from; by default those that come with recolor.
        """
        look, assign, choose, paint = map(
            _taking_arrays, (self.look, self.assign, self.choose, self.paint)
        )
        # What is chosen goes into every part that is painted: it is converted once, not each time.
        steps = *map(_giving_arrays, (look, assign)), choose, _giving_arrays(paint)
        return Painter.of(*steps, self.about(), library)

    def about(self) -> dict:
        """Return what a `Painter` must know beside the three functions, as JSON."""
        return {
            "own": asdict(self.decoding),
            "kind": self.kind.name,
            "size": self.size,
            "takes_palette": self.kind.takes_palette,
        }

    # What `RecoloringGraph` does in ways of its own.
    _resize = staticmethod(ops.image.resize)

    @staticmethod
    def _either(condition, one: Callable, other: Callable):
        """Compute one of two answers."""
        return one() if condition else other()

    def _as_pixels(self, rgb):
        """Bring rows of pixels into a list, ``[n, 3]``; what follows them does not matter."""
        return ops.reshape(rgb, (-1, 3))

    def _at_rows(self, lines, rows, height):
        """Return the lines of the pixels in some rows, as a list too."""
        return ops.reshape(interpolated(lines, rows, height, axis=0), (-1, ops.shape(lines)[2]))

    def _outputs(self, poster, views):
        """Run the network on a poster, as `ModelKind.inputs` takes it, and on a smaller copy.

        Of two views, the other one is its mirror image.
        """
        outputs = self._run(poster, views)
        if self.coarse_size is None:
            return outputs
        side = self.coarse_size

        def small(name):
            resized = self._resize(ops.cast(poster[name], "float32"), (side, side), antialias=True)
            return ops.cast(ops.round(resized), poster[name].dtype)

        shrunk = {name: small(name) for name in ("lightness", "source")}
        coarse = self._run({**poster, **shrunk, "box": poster["box"] * side // self.size}, views)
        coarse = self._resize(coarse, outputs.shape[1:3])
        return (1 - COARSE) * outputs + COARSE * coarse

    def _evened(self, outputs, square, box):
        """Let pixels of a picture that belong together answer together: ``float32 [1, ...]``."""
        step = self.size // outputs.shape[1]
        lightness = ops.average_pool(
            ops.cast(square, "float32")[None], step, step, data_format="channels_last"
        )
        height = ops.cast(box[2], "float32") / step
        places = self._places(outputs, box, FITTED)
        return evened(outputs[0], lightness[0, ..., 0] / L_SCALE, places, height)[None]

    def _run(self, poster, views):
        """Run the network on one or two views of a poster: ``float32 [views, ...]``."""
        lightness, (top, left, height, width) = poster["lightness"], ops.unstack(poster["box"], 4)
        left = lightness.shape[1] - left - width
        mirrored = {
            **poster,
            "lightness": ops.flip(lightness, axis=1),
            "source": ops.flip(poster["source"], axis=1),
            "box": ops.stack([top, left, height, width]),
        }
        both = zip(self.kind.inputs(poster), self.kind.inputs(mirrored), strict=True)
        inputs = [ops.stack(pair)[:views] for pair in both]
        # Not as `network(...)`, which insists on the size that it was built for.
        return ops.cast(self.network.call(inputs, training=False), "float32")

    def _under_palette(self, outputs, box, palette, temperature):
        """Decode under a palette, at the network's resolution: ab ``float32 [h, w, 2]``."""
        chosen, wanted, centers = self._classes_of(palette)
        logits = self.kind.logits(self._some(outputs, box, FITTED), chosen)
        offsets = palette_offsets(logits[None], wanted[None], ops.ones((1, FITTED**2)))[0]
        return self._decoded(outputs, box, temperature, offsets, centers, chosen)

    def _classes_of(self, palette):
        """Translate a palette to the network's classes: which it has, their shares and colors."""
        # The classes take the shares, and the mean colors, of the cells nearest to them.
        shares = palette[:, :1]
        one_hot = ops.one_hot(classes_of_cells(self.kind.classes.centers), len(self.kind.classes))
        sums = ops.matmul(
            ops.transpose(one_hot), ops.concatenate([shares, shares * palette[:, 1:]], axis=-1)
        )
        # Those that have hardly any are left out, which saves most of the time.
        (chosen,) = ops.nonzero(sums[:, 0] >= SMALLEST_SHARE)
        sums = ops.take(sums, chosen, axis=0)
        return chosen, sums[:, 0] / ops.sum(sums[:, 0]), sums[:, 1:] / sums[:, :1]

    def _on_some(self, lines, some, height):
        """Return the colors that wide lines give to some pixels: ``float32 [48 * 48, 2]``."""
        rows, columns = (centers(CARRIED, side) for side in (height, ops.shape(lines)[1]))
        lines = interpolated(ops.take(lines, columns, axis=1), rows, height, axis=0)
        return ops.reshape(on_lines(lines, rgb_to_lightness(some)), (CARRIED**2, 2))

    def _hinted(self, outputs, small, box, hints, told):
        """Spread what hints say: their color times how much it counts, and that, ``[h, w, 3]``."""
        features, _ = self._inside(outputs, box)
        shape = ops.shape(features)[1:3]
        lightness = self._resize(small[None], shape, antialias=True)[0, ..., 0]
        color, counts = self._either(
            told,
            lambda: hinted(features[0], lightness, hints, UNDER_PALETTE),
            lambda: hinted(features[0], lightness, hints, FREE),
        )
        both = ops.concatenate([color * counts, counts], axis=-1)[None]
        return self._resize(both, ops.shape(small)[:2])[0]

    def _decoded(self, outputs, box, *decoding):
        """Decode the picture alone, at the network's resolution: ab ``[h, w, 2]``."""
        part, (top, left) = self._inside(outputs, box)
        ab = self.kind.decode(part, *decoding)[0]
        return ab[top : top + box[2], left : left + box[3]]

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

    def _some(self, outputs, box, count):
        """Return some of a picture's outputs, from all over it: ``[count ** 2, n]``."""
        flat = ops.reshape(outputs, (-1, outputs.shape[-1]))
        return ops.take(flat, self._places(outputs, box, count), axis=0)

    def _places(self, outputs, box, count):
        """Return which of the outputs lie all over a picture, in rows: ``int32 [count ** 2]``."""
        top, left, height, width = ops.unstack(
            ops.cast(box, "float32") * (outputs.shape[1] / self.size), 4
        )
        rows, columns = centers(count, height, top), centers(count, width, left)
        return ops.reshape(rows[:, None] * outputs.shape[2] + columns, (count**2,))


def centers(count, side, start=0.0):
    """Return which pixels lie in the middle of equal parts of a side: ``int32 [count]``."""
    even = (np.arange(count, dtype=np.float32) + 0.5) / count
    return ops.cast(start + even * ops.cast(side, "float32"), "int32")


def _taking_arrays(function: Callable) -> Callable:
    """Let a function of tensors take NumPy arrays, in this process alone.

    The frameworks' threads do not survive a fork: without them, it would never return.
    """
    process = os.getpid()

    def call(**arrays):
        if os.getpid() != process:
            raise RuntimeError(
                "a model does not work in a process forked after it was loaded: start processes "
                "by 'spawn', and load it there"
            )
        return function(**{name: ops.convert_to_tensor(one) for name, one in arrays.items()})

    return call


def _giving_arrays(function: Callable) -> Callable:
    """Let a function that returns tensors return NumPy arrays."""

    def call(**arrays):
        return {name: ops.convert_to_numpy(one) for name, one in function(**arrays).items()}

    return call
