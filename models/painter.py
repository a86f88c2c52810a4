"""Recoloring one picture: which palette, what the model sees, and what it makes of both.

`recolor apply`, `recolor evaluate` and the served model all come through here, so they give the
same pixels. MLflow copies this file, and what it imports of the project, into each registered
model.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, replace

import numpy as np
from PIL import Image

from recolor.datasets.color import rgb_to_lab8
from recolor.datasets.contrast import stretched
from recolor.datasets.hints import hint_array
from recolor.datasets.palettes.library import PaletteLibrary, load_library
from recolor.datasets.palettes.palette import (
    CELLS,
    Palette,
    PaletteError,
    freshened,
    has_color,
    neutral_share,
)
from recolor.datasets.posters import Box, letterbox
from recolor.models.decoding.options import (
    AUTO,
    FREE,
    PALETTE_VIVIDNESS,
    SOURCE,
    Decoding,
    DecodingError,
    UnsupportedError,
)
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.models.decoding.typed import is_typed_colors

# Pixels that are painted at once: with the number of cores, it bounds the memory that it takes.
PIECE = 2**17
# They paint for everyone, so however many pictures there are, a core has one piece at a time.
_PAINTERS = ThreadPoolExecutor(os.cpu_count(), "painter")
# So many columns and rows of a picture's pixels stand for all, see `Recolorer.choose`.
SOME = (48, 48)


@dataclass(frozen=True)
class Seen:
    """What depends on a picture alone: kept, so that another palette answers at once.

    Attributes:
        source: The picture, RGB.
        picture: The picture with the contrast that was asked for.
        lightness: Its stored L at the network's resolution, ``uint8 [h, w]``.
        box: Where it lies in the network's square.
        answer: What the model's ``look`` has returned.
    """

    source: Image.Image
    picture: Image.Image
    lightness: np.ndarray
    box: Box
    answer: dict

    @property
    def shares(self) -> np.ndarray:
        """The network's own mean distribution over the cells of the ab plane, ``[1024]``."""
        return np.asarray(self.answer["shares"])


@dataclass(frozen=True)
class Painter:
    """A model that is ready to recolor.

    Attributes:
        look, choose, paint: The functions of `recolor.models.recolorer.Recolorer`, which take
            arrays by name.
        own: The model's own decoding.
        kind: Name of the model kind.
        size: Side of the network's square in pixels.
        takes_palette: Whether it can be told a palette, and hints.
        library: The color schemes to choose from; None for those that come with recolor.
    """

    look: Callable
    choose: Callable
    paint: Callable
    own: OwnDecoding
    kind: str
    size: int
    takes_palette: bool
    library: PaletteLibrary | None = None

    @classmethod
    def of(
        cls,
        look: Callable,
        choose: Callable,
        paint: Callable,
        about: dict,
        library: PaletteLibrary | None = None,
    ) -> "Painter":
        """Make one of a model's functions and of what `Recolorer.about` has returned."""
        own = OwnDecoding(**about["own"])
        return cls(look, choose, paint, **{**about, "own": own}, library=library)

    def recolor(self, picture: Image.Image, decoding: Decoding) -> Image.Image:
        """Recolor an RGB picture at its own resolution.

        Raises:
            PaletteError, HintError, DecodingError: If the picture or the model does not allow this
                decoding.
        """
        seen = self.see(picture, decoding)
        return self.painted(seen, self.palette(seen, decoding), decoding)

    def see(
        self, picture: Image.Image, decoding: Decoding, embedding: np.ndarray | None = None
    ) -> Seen:
        """Look at a picture.

        Args:
            picture: RGB.
            decoding: Only its contrast counts.
            embedding: The gray picture's, ``float32 [n]``, where it is known already.
        """
        shown = stretched(picture) if decoding.contrast == "auto" else picture
        square, box = letterbox(shown, self.size)
        lightness, _ = rgb_to_lab8(square)
        if embedding is None:
            embedding = np.zeros(0)
        answer = self.look(
            square=lightness[..., None], box=np.int32(astuple(box)), embedding=np.float32(embedding)
        )
        return Seen(picture, shown, lightness[box.slices], box, answer)

    def palette(self, seen: Seen, decoding: Decoding) -> Palette | None:
        """Find the palette that is asked for, or, where none is, the one by default.

        Returns:
            The palette; None for the free answer.

        Raises:
            PaletteError: If there is no such palette, or ``source`` is asked for a gray picture.
            DecodingError: If the model takes no palette.
        """
        wanted = decoding.palette
        if not self.takes_palette:
            self.check(decoding)
            return None
        if wanted is None:
            wanted = SOURCE if has_color(seen.source) else AUTO
        if isinstance(wanted, Palette):
            return wanted
        if wanted == FREE:
            return None
        if wanted == AUTO:
            return self._library.ranked(seen.shares)[0]
        if wanted == SOURCE:
            if not has_color(seen.source):
                raise PaletteError("the picture has no colors of its own: use palette auto")
            return freshened(seen.source)
        if is_typed_colors(wanted, self._library):
            neutrals = decoding.neutrals
            if neutrals is None:
                neutrals = neutral_share(seen.lightness)
            return Palette.of_colors(wanted, neutrals)
        return self._library[wanted]

    def suggestions(self, seen: Seen, count: int) -> list[Palette]:
        """Return palettes to choose from.

        First the picture's own colors, if it has any; then the best-fitting scheme, and then others
        unlike it.

        Raises:
            DecodingError: If the model takes no palette, or the library has fewer schemes.
        """
        self.check(Decoding(palette=AUTO))
        self.check_suggestions(count)
        own = [freshened(seen.source)] if has_color(seen.source) else []
        return [*own, *self._library.ranked(seen.shares)][:count]

    def painted(self, seen: Seen, palette: Palette | None, decoding: Decoding) -> Image.Image:
        """Give a picture colors.

        Args:
            seen: What `see` has returned.
            palette: The palette, or None for the free answer; `decoding.palette` is not looked at.
            decoding: Everything else.

        Raises:
            HintError: If a hint lies outside of the picture.
            DecodingError: If there are hints and the model takes none.
        """
        self.check(replace(decoding, palette=FREE))
        width, height = seen.picture.size
        own = self.own.changed(decoding)
        wanted = decoding.vividness
        table = np.zeros((CELLS, 3), np.float32)
        if palette is not None:
            table = np.concatenate([palette.shares[:, None], palette.colors], axis=1)
        chosen = self.choose(
            outputs=seen.answer["outputs"],
            lightness=seen.lightness,
            box=np.int32(astuple(seen.box)),
            some=np.asarray(seen.picture.resize(SOME, Image.Resampling.NEAREST)),
            width=np.int32(width),
            height=np.int32(height),
            palette=np.float32(table),
            hints=hint_array(decoding.hint, width, height),
            temperature=np.float32(own.temperature),
            vividness=np.float32(PALETTE_VIVIDNESS if wanted is None else wanted),
            free_vividness=np.float32(own.vividness),
            strength=np.float32(decoding.strength),
        )
        painted = Image.new("RGB", seen.picture.size)
        rows = max(1, PIECE // width)

        def paint(top: int) -> None:
            part = seen.picture.crop((0, top, width, min(top + rows, height)))
            answer = self.paint(
                **chosen,
                rgb=np.asarray(part),
                top=np.int32(top),
                height=np.int32(height),
                keep=np.float32(decoding.keep),
            )
            painted.paste(Image.fromarray(np.asarray(answer["rgb"])), (0, top))

        # Whatever fails is raised here.
        list(_PAINTERS.map(paint, range(0, height, rows)))
        return painted

    @property
    def _library(self) -> PaletteLibrary:
        return self.library or load_library()

    def check_suggestions(self, count: int) -> None:
        """Check that there are enough schemes.

        Raises:
            DecodingError: If there are not.
        """
        if count > (schemes := len(self._library.palettes)):
            raise DecodingError(
                f"{count} suggestions are too many: the library has {schemes} schemes"
            )

    def check(self, decoding: Decoding) -> None:
        """Check that a model that takes no palettes and hints is asked for none.

        Raises:
            UnsupportedError: If it is.
        """
        if self.takes_palette:
            return
        if decoding.palette not in (None, FREE):
            raise UnsupportedError(
                f"a {self.kind} network gives one color a pixel and takes no palette"
            )
        if decoding.hint:
            raise UnsupportedError(f"a {self.kind} network takes no hints")
