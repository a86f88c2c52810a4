"""Restoring and recoloring one picture: what is found in it, which palette, what becomes of it.

`recolor apply`, `recolor evaluate` and the served model all come through here, so they give the
same pixels. MLflow copies this file, and what it imports of the project, into each registered
model.
"""

import os
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, replace
from functools import cache, cached_property, partial
from hashlib import sha256

import numpy as np
from PIL import Image

from recolor.datasets.assignments import LOCKS, NEUTRALS, SKIN
from recolor.datasets.color import L_SCALE, lab8_to_rgb, rgb_to_lab8
from recolor.datasets.color_kind import COLORED, GRAY, color_kind
from recolor.datasets.hints import HintError, hint_array
from recolor.datasets.margins import poster_box
from recolor.datasets.palettes.library import PaletteLibrary, load_library
from recolor.datasets.palettes.palette import (
    CELLS,
    NEUTRAL_CHROMA,
    Palette,
    PaletteError,
    neutral_share,
    parse_color,
)
from recolor.datasets.posters import Box, letterbox
from recolor.datasets.skin import find_skin, skin_ab
from recolor.datasets.swatches import SOME, Swatch, Swatches
from recolor.models.color_table import paperness, recolored
from recolor.models.decoding.options import (
    AUTO,
    FREE,
    PALETTE_VIVIDNESS,
    SOURCE,
    SOURCE_VIVIDNESS,
    Decoding,
    DecodingError,
    UnsupportedError,
)
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.models.decoding.typed import is_typed_colors
from recolor.models.restoring import Restoration, Restorer, more_vivid

# Of what is kept of a model: its steps, what they take and give, its code and its weights. Raise it
# whenever a `Painter` could no longer use what was kept before.
FORMAT = 10
# Pixels that are painted at once: with the number of cores, it bounds the memory that it takes.
PIECE = 2**17
# In a swatch, pixels count a little that lie up to this width from it: rare colors have no others.
WIDE, LITTLE = 2.0, 1e-3
# What has color keeps some, and what is neutral stays so: by how much less likely gray is for a
# swatch with this much more chroma than neutral ones, as a logarithm.
COLORFUL, COLORED_CHROMA = 4.0, 22.0
# It keeps at least this share of its chroma, or of that which is usual in the palette, but its new
# chroma is multiplied by this much at most.
LEAST_CHROMA, LARGEST_GAIN = 0.8, 3.0


@dataclass(frozen=True)
class Network:
    """A color network that is ready to answer.

    Attributes:
        look, assign, choose, paint: The functions of `recolor.models.recolorer.Recolorer`, which
            take arrays by name.
        own: The model's own decoding.
        kind: Name of the model kind.
        size: Side of the network's square in pixels.
        takes_palette: Whether it can be told a palette, and hints.
    """

    look: Callable
    assign: Callable
    choose: Callable
    paint: Callable
    own: OwnDecoding
    kind: str
    size: int
    takes_palette: bool

    @classmethod
    def of(
        cls, look: Callable, assign: Callable, choose: Callable, paint: Callable, about: dict
    ) -> "Network":
        """Make one of a model's functions and of what `Recolorer.about` has returned."""
        about = {**about, "own": OwnDecoding(**about["own"])}
        return cls(look, assign, choose, paint, **about)


@dataclass(frozen=True)
class Identity:
    """Which color network it is.

    Attributes:
        kind: Name of the model kind.
        version: Its registered version, or None.
        digest: SHA-256 of its weights, or of its file where that holds more.
    """

    kind: str
    version: str | None
    digest: str


@dataclass(frozen=True)
class Look:
    """What a color network says of a picture.

    Attributes:
        lightness: The picture's stored L at the network's resolution, ``uint8 [h, w]``.
        box: Where it lies in the network's square.
        answer: What the network's ``look`` has returned.
    """

    lightness: np.ndarray
    box: Box
    answer: dict

    @property
    def shares(self) -> np.ndarray:
        """The network's own mean distribution over the cells of the ab plane, ``[1024]``."""
        return np.asarray(self.answer["shares"])


@dataclass(frozen=True)
class Found:
    """What is found in a picture without a color network.

    Attributes:
        box: Where the poster lies in it; the rest is a scan's margin.
        color: Whether the poster has colors, `color_kind.COLORED`, `ONE_INK` or `GRAY`.
        restoration: What undoes all of its ageing.
        shows: Whether people would notice that.
    """

    box: Box
    color: str
    restoration: Restoration
    shows: bool

    def wanted(self, decoding: Decoding) -> Restoration:
        """Return what is undone of the ageing."""
        if decoding.restore is not None:
            return self.restoration.scaled(decoding.restore)
        # A picture without any color does not show how it has aged, and what nobody would notice
        # may as well be an error: of posters that have not aged, fewer are changed then.
        if self.color == GRAY or not self.shows:
            return Restoration.none()
        return self.restoration


@dataclass(frozen=True)
class Seen:
    """What depends on a picture alone: kept, so that another palette answers at once.

    Attributes:
        source: The picture, RGB.
        box: Where the poster lies in it; the rest is a scan's margin, which stays as it is.
        color: As of `Found`.
        restoration: What is done to the poster before anything else.
        poster: The poster alone, restored.
        looks: Returns what the network says of the poster.
        parts: Returns its swatches.
        skins: Returns how much each of its pixels belongs to the skin of faces, see `find_skin`.
        recall: Returns the colors that its swatches got under a name before, or else makes them.
    """

    source: Image.Image
    box: Box
    color: str
    restoration: Restoration
    poster: Image.Image
    looks: Callable[[], Look]
    parts: Callable[[], Swatches]
    skins: Callable[[], np.ndarray]
    recall: Callable[[Hashable, Callable[[], np.ndarray]], np.ndarray] = lambda _, make: make()

    @cached_property
    def look(self) -> Look:
        """What the network says of the poster; it is asked when this is needed first."""
        return self.looks()

    @cached_property
    def swatches(self) -> Swatches:
        """The swatches of the restored poster; they are found when they are needed first."""
        return self.parts()

    @cached_property
    def skin(self) -> Image.Image:
        """The skin of faces, at a small size: a mask, mode L."""
        return Image.fromarray(np.rint(255 * self.skins()).astype(np.uint8))

    @cached_property
    def own_palette(self) -> Palette:
        """The colors of the restored poster."""
        return Palette.of_picture(self.poster, "the poster's own colors")


@dataclass(frozen=True)
class Painter:
    """What recolors pictures: it restores them first, and then asks a color network if need be.

    Attributes:
        load: Returns the color network, always the same one. It is not called before a picture
            needs it.
        restorer: What undoes ageing.
        library: The color schemes to choose from; None for those that ship with recolor.
        identify: Returns which color network it is, which may take reading its weights; None where
            that is not known.
    """

    load: Callable[[], Network]
    restorer: Restorer
    library: PaletteLibrary | None = None
    identify: Callable[[], Identity | None] = lambda: None

    @classmethod
    def of(
        cls,
        look: Callable,
        assign: Callable,
        choose: Callable,
        paint: Callable,
        about: dict,
        library: PaletteLibrary | None = None,
        restorer: Restorer | None = None,
    ) -> "Painter":
        """Make one of a color network's functions, see `Network.of`.

        The restorer is the one that ships with recolor, unless another one is given.
        """
        network = Network.of(look, assign, choose, paint, about)
        return cls(lambda: network, restorer or Restorer.bundled(), library)

    @property
    def network(self) -> Network:
        """The color network."""
        return self.load()

    def recolor(self, picture: Image.Image, decoding: Decoding) -> Image.Image:
        """Recolor an RGB picture at its own resolution.

        Raises:
            PaletteError, HintError, DecodingError: If the picture or the model does not allow this
                decoding.
        """
        seen = self.see(picture, decoding)
        return self.painted(seen, self.palette(seen, decoding), decoding)

    def find(self, picture: Image.Image, box: Box | None = None) -> Found:
        """Find the poster in an RGB picture, if its place is not known, and how it has aged."""
        box = box or poster_box(picture)
        poster = cut_out(picture, box)
        restoration = self.restorer.look(poster)
        return Found(box, color_kind(poster), restoration, restoration.shows(poster))

    def see(
        self,
        picture: Image.Image,
        decoding: Decoding,
        embedding: np.ndarray | None = None,
        box: Box | None = None,
        in_place: bool = False,
    ) -> Seen:
        """Find the poster in a picture, and restore it.

        Args:
            picture: RGB.
            decoding: Only how to restore counts.
            embedding: The gray picture's, ``float32 [n]``, where it is known already.
            box: Where the poster lies in it, where that is known already.
            in_place: Whether the picture itself may be changed, which saves the memory of another.
        """
        found = self.find(picture, box)
        restoration = found.wanted(decoding)
        poster = cut_out(picture, found.box)
        if in_place:
            restoration.apply_in_place(poster)
        else:
            poster = restoration.applied(poster)
        lazily = (
            partial(self.look, poster, embedding, found.color != COLORED),
            partial(Swatches.of, poster),
            partial(find_skin, poster),
        )
        return Seen(picture, found.box, found.color, restoration, poster, *lazily)

    def look(
        self, poster: Image.Image, embedding: np.ndarray | None = None, gray: bool = True
    ) -> Look:
        """Ask the color network about a poster, RGB; embedding as for `see`.

        It takes longer for one that is gray, whose colors do not say which pixels belong together:
        the network does not see them.
        """
        square, box = letterbox(poster, self.network.size)
        lightness, ab = rgb_to_lab8(square)
        if embedding is None:
            embedding = np.zeros(0)
        answer = self.network.look(
            square=lightness[..., None],
            source=np.zeros_like(ab) if gray else ab,
            box=np.int32(astuple(box)),
            embedding=np.float32(embedding),
            gray=np.bool_(gray),
        )
        return Look(lightness[box.slices], box, answer)

    def palette(self, seen: Seen, decoding: Decoding) -> Palette | None:
        """Find the palette that is asked for, or, where none is, the one by default.

        Returns:
            The palette; ``seen.own_palette`` where the poster keeps its colors; None for the free
            answer.

        Raises:
            PaletteError: If there is no such palette, or ``source`` is asked for a gray picture.
            DecodingError: If the model takes no palette.
        """
        wanted = decoding.palette
        if wanted is None and seen.color != GRAY:
            wanted = SOURCE
        if wanted == SOURCE:
            if seen.color == GRAY:
                raise PaletteError("the picture has no colors of its own: use palette auto")
            return seen.own_palette
        if not self.network.takes_palette:
            self.check(decoding)
            return None
        if wanted is None:
            wanted = AUTO
        if isinstance(wanted, Palette):
            return wanted
        if wanted == FREE:
            return None
        if wanted == AUTO:
            return self._library.ranked(seen.look.shares)[0]
        if is_typed_colors(wanted, self._library):
            neutrals = decoding.neutrals
            if neutrals is None and seen.color == COLORED:
                neutrals = float((np.hypot(*seen.swatches.pixels[:, 1:].T) < NEUTRAL_CHROMA).mean())
            elif neutrals is None:
                neutrals = neutral_share(seen.look.lightness)
            return Palette.of_colors(wanted, neutrals)
        return self._library[wanted]

    def suggestions(self, seen: Seen, count: int) -> list[Palette]:
        """Return palettes to choose from.

        First the poster's own colors, if it has any; then the schemes that suit it best, each in
        another hue than those before.

        Raises:
            DecodingError: If the model takes no palette, or the library has fewer schemes.
        """
        self.check(Decoding(palette=AUTO))
        self.check_suggestions(count)
        own = [seen.own_palette] if seen.color != GRAY else []
        return [*own, *self._library.ranked(seen.look.shares, own)][:count]

    def painted(self, seen: Seen, palette: Palette | None, decoding: Decoding) -> Image.Image:
        """Give a picture colors.

        Args:
            seen: What `see` has returned.
            palette: The palette: one of `palette` or `suggestions`, or None for the free answer;
                `decoding.palette` is not looked at.
            decoding: Everything else.

        Returns:
            A picture as large as the source, or, where margins are to be cut off, as the poster.

        Raises:
            HintError: If a hint lies outside of the poster.
            DecodingError: If there are hints and the model takes none.
        """
        return self._painted(seen, palette, decoding, self._assigned(seen, palette, decoding))

    def painted_with_changes(
        self, seen: Seen, palette: Palette | None, decoding: Decoding
    ) -> tuple[Image.Image, list[tuple[Swatch, Swatch]]]:
        """Give a picture colors as `painted` does, and say what its swatches became.

        Returns:
            The picture; and what `changes` returns.
        """
        assigned = self._assigned(seen, palette, decoding)
        painted = self._painted(seen, palette, decoding, assigned)
        return painted, _changes(seen, assigned)

    def changes(
        self, seen: Seen, palette: Palette | None, decoding: Decoding
    ) -> list[tuple[Swatch, Swatch]]:
        """Say what a poster's swatches become, and paint nothing.

        Returns:
            The restored poster's swatches, the largest first, each with its new color. Locked skin
            does not count for these. The list is empty for a gray poster and without a palette,
            since nothing is recolored by swatches then.
        """
        return _changes(seen, self._assigned(seen, palette, decoding))

    def asks_network(self, seen: Seen, palette: Palette | None, decoding: Decoding) -> bool:
        """Whether a picture gets colors by what the network says of it."""
        if palette is None or palette is not seen.own_palette:
            return True
        return seen.color != COLORED and bool(decoding.hint or decoding.strength < 1)

    def _painted(
        self,
        seen: Seen,
        palette: Palette | None,
        decoding: Decoding,
        assigned: tuple[np.ndarray, np.ndarray] | None,
    ) -> Image.Image:
        """Give a picture colors, those of its swatches as `_assigned` has found them."""
        poster, own = seen.poster, palette is not None and palette is seen.own_palette
        if own:
            wanted = decoding.vividness
            poster = more_vivid(poster, SOURCE_VIVIDNESS if wanted is None else wanted)
        kept = poster
        if assigned is not None:
            poster = recolored(poster, seen.swatches, *assigned)
        elif decoding.assign or _locked_colors(decoding):
            raise _nothing_to_assign(decoding)
        elif not own:
            poster = self._recolored(seen, poster, palette, 0.0, decoding)
        elif decoding.hint or decoding.strength < 1:
            poster = self._recolored(seen, poster, None, decoding.strength, decoding)
        if SKIN in _locked(seen, palette, decoding) and poster is not kept:
            skin = kept if seen.color == COLORED else _in_skin_colors(kept)
            mask = seen.skin.resize(poster.size, Image.Resampling.BILINEAR)
            poster = Image.composite(skin, poster, mask)
        if decoding.crop == AUTO or poster.size == seen.source.size:
            return poster
        whole = seen.source.copy()
        whole.paste(poster, (seen.box.left, seen.box.top))
        return whole

    def _assigned(
        self, seen: Seen, palette: Palette | None, decoding: Decoding
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Find the colors of swatches, and how far each goes there: see `recolored`.

        None where the poster has no color, or there is no palette.
        """
        if palette is None or seen.color != COLORED:
            return None
        swatches = seen.swatches
        if palette is seen.own_palette:
            colors, amounts = swatches.centers[:, 1:].copy(), np.zeros((2, len(swatches.shares)))
        else:
            colors = self._of_palette(seen, palette, decoding)
            amounts = np.full((2, len(colors)), decoding.strength)
            amounts[0] *= NEUTRALS not in _locked(seen, palette, decoding)
        for lock in _locked_colors(decoding):
            amounts[:, swatches.nearest(parse_color(lock))] = 0
        for assignment in decoding.assign:
            chosen = swatches.nearest(assignment.swatch)
            colors[chosen] = swatches.shades(assignment.swatch, assignment.color)[chosen]
            amounts[:, chosen] = 1
        for x, y, *color in _inside(hint_array(decoding.hint, *seen.source.size), seen):
            width, height = seen.poster.size
            place = min(int(x * width), width - 1), min(int(y * height), height - 1)
            there = seen.poster.getpixel(place)
            chosen = swatches.nearest(there)
            colors[chosen] = swatches.shades(there, color)[chosen]
            amounts[:, chosen] = 1
        return colors, amounts.astype(np.float32)

    def _of_palette(self, seen: Seen, palette: Palette, decoding: Decoding) -> np.ndarray:
        """Let the network give each swatch a color of a palette: ab, ``float32 [K, 2]``."""
        self.check(replace(decoding, palette=palette))
        temperature = self.network.own.changed(decoding).temperature
        vividness = PALETTE_VIVIDNESS if decoding.vividness is None else decoding.vividness
        locked = frozenset(_locked(seen, palette, decoding))
        table = _table(palette)
        # All that the answer depends on, beside the poster.
        name = (sha256(table).digest(), locked, temperature, vividness)

        def make() -> np.ndarray:
            return self._asked(seen, palette, table, locked, temperature, vividness)

        # A copy, to change single ones in.
        return seen.recall(name, make).copy()

    def _asked(
        self,
        seen: Seen,
        palette: Palette,
        table: np.ndarray,
        locked: frozenset[str],
        temperature: float,
        vividness: float,
    ) -> np.ndarray:
        """Ask the network for what `_of_palette` returns."""
        network, look, swatches = self.network, seen.look, seen.swatches
        pixels = swatches.pixels
        memberships = swatches.memberships(pixels) + LITTLE * swatches.memberships(pixels, WIDE)
        stays = paper = paperness(pixels) * (NEUTRALS in locked)
        if SKIN in locked:
            skin = np.asarray(seen.skin.resize(SOME, Image.Resampling.NEAREST)) / 255
            stays = np.maximum(paper, skin.ravel())
        # What stays hardly counts; a little, so that what is like it finds its color.
        memberships *= 1 - stays[:, None] * (1 - LITTLE)
        chroma = np.hypot(*swatches.centers[:, 1:].T)
        colorful = COLORFUL * np.clip((chroma - NEUTRAL_CHROMA) / COLORED_CHROMA, -1, 1)
        answer = network.assign(
            outputs=look.answer["outputs"],
            box=np.int32(astuple(look.box)),
            memberships=np.float32(memberships),
            colorful=np.float32(colorful),
            paper=np.float32(paper.mean()),
            palette=table,
            temperature=np.float32(temperature),
            vividness=np.float32(vividness),
        )
        return _colored_enough(np.array(answer["colors"]), chroma, palette)

    def _recolored(
        self,
        seen: Seen,
        poster: Image.Image,
        palette: Palette | None,
        keep: float,
        decoding: Decoding,
    ) -> Image.Image:
        """Recolor a poster by the color network, of which a share keeps its colors."""
        self.check(replace(decoding, palette=FREE))
        network, look = self.network, seen.look
        width, height = poster.size
        own = network.own.changed(decoding)
        wanted = decoding.vividness
        chosen = network.choose(
            outputs=look.answer["outputs"],
            alike=look.answer["alike"],
            lightness=look.lightness,
            box=np.int32(astuple(look.box)),
            some=np.asarray(poster.resize(SOME, Image.Resampling.NEAREST)),
            width=np.int32(width),
            height=np.int32(height),
            palette=_table(palette),
            hints=_inside(hint_array(decoding.hint, *seen.source.size), seen),
            temperature=np.float32(own.temperature),
            vividness=np.float32(PALETTE_VIVIDNESS if wanted is None else wanted),
            free_vividness=np.float32(own.vividness),
            strength=np.float32(decoding.strength),
        )
        painted = Image.new("RGB", poster.size)
        rows = max(1, PIECE // width)

        def paint(top: int) -> None:
            part = poster.crop((0, top, width, min(top + rows, height)))
            answer = network.paint(
                **chosen,
                rgb=np.asarray(part),
                top=np.int32(top),
                height=np.int32(height),
                keep=np.float32(keep),
            )
            painted.paste(Image.fromarray(np.asarray(answer["rgb"])), (0, top))

        # Whatever fails is raised here.
        list(_painters(os.getpid()).map(paint, range(0, height, rows)))
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
                f"{count} suggestions are too many: the library has {schemes} schemes",
                "suggestions",
            )

    def check(self, decoding: Decoding) -> None:
        """Check what is asked for, as far as it does not depend on the picture.

        Raises:
            UnsupportedError: If a model that takes no palettes and hints is asked for some.
            DecodingError: If colors are to be assigned or locked without a palette.
        """
        if decoding.palette == FREE and (decoding.assign or _locked_colors(decoding)):
            raise _nothing_to_assign(decoding)
        told_palette = decoding.palette not in (None, FREE, SOURCE)
        if not (told_palette or decoding.hint):
            # The color network may not be needed.
            return
        network = self.network
        if network.takes_palette:
            return
        if told_palette:
            raise UnsupportedError(
                f"a {network.kind} network gives one color a pixel and takes no palette", "palette"
            )
        raise UnsupportedError(f"a {network.kind} network takes no hints", "hint")


@cache
def _painters(process: int) -> ThreadPoolExecutor:
    """Return the threads that paint all pictures of a process: a core has one piece at a time.

    A forked process has none of its parent's threads.
    """
    return ThreadPoolExecutor(os.cpu_count(), "painter")


def cut_out(picture: Image.Image, box: Box) -> Image.Image:
    """Return a part of a picture; the picture itself where that is all of it."""
    if (box.width, box.height) == picture.size:
        return picture
    return picture.crop((box.left, box.top, box.left + box.width, box.top + box.height))


def _changes(
    seen: Seen, assigned: tuple[np.ndarray, np.ndarray] | None
) -> list[tuple[Swatch, Swatch]]:
    """Say what swatches become whose colors `Painter._assigned` has found."""
    if assigned is None:
        return []
    swatches = seen.swatches
    colors, (paper, other) = assigned
    light = paperness(swatches.centers)
    amounts = (light * paper + (1 - light) * other)[:, None]
    own = swatches.centers[:, 1:]
    after = swatches.described(own + amounts * (colors - own))
    return list(zip(swatches.merged, after, strict=True))


def _table(palette: Palette | None) -> np.ndarray:
    """Return a palette as networks take it, ``float32 [1024, 3]``; zeros for none."""
    if palette is None:
        return np.zeros((CELLS, 3), np.float32)
    return np.float32(np.concatenate([palette.shares[:, None], palette.colors], axis=1))


def _colored_enough(colors: np.ndarray, chroma: np.ndarray, palette: Palette) -> np.ndarray:
    """Strengthen the new colors ``[K, 2]`` of swatches that had more chroma ``[K]``.

    Means of what a palette has for them are grayish where it has little color.
    """
    strength = np.hypot(*palette.colors.T)
    colored = palette.shares * (strength >= NEUTRAL_CHROMA)
    usual = colored @ strength / max(colored.sum(), 1e-9)
    found = np.hypot(*colors.T)
    least = LEAST_CHROMA * np.minimum(chroma, usual)
    gain = np.clip(least / np.maximum(found, NEUTRAL_CHROMA / 2), 1, LARGEST_GAIN)
    return colors * gain[:, None]


def _locked(seen: Seen, palette: Palette | None, decoding: Decoding) -> set[str]:
    """Return the words of `LOCKS` that are in force."""
    if words := set(decoding.lock) & set(LOCKS):
        return words
    return {NEUTRALS, SKIN} if palette is not None and seen.color == COLORED else set()


def _nothing_to_assign(decoding: Decoding) -> DecodingError:
    return DecodingError(
        "colors can be assigned and locked where the picture has some, and under any palette but "
        f"{FREE}",
        "assign" if decoding.assign else "lock",
    )


def _locked_colors(decoding: Decoding) -> set[str]:
    return set(decoding.lock) - set(LOCKS)


def _in_skin_colors(poster: Image.Image) -> Image.Image:
    """Give a gray picture, RGB, the colors that skin has at each lightness."""
    levels = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    lightness, _ = rgb_to_lab8(levels)
    table = lab8_to_rgb(lightness, skin_ab(lightness / L_SCALE))
    return poster.point(table.T.ravel().tolist())


def _inside(hints: np.ndarray, seen: Seen) -> np.ndarray:
    """Bring hints, as of `hint_array`, from places in a picture to places in its poster.

    Raises:
        HintError: If one lies in the margin.
    """
    box, (width, height) = seen.box, seen.source.size
    hints = hints.copy()
    hints[:, 0] = (hints[:, 0] * width - box.left) / box.width
    hints[:, 1] = (hints[:, 1] * height - box.top) / box.height
    if ((hints[:, :2] < 0) | (hints[:, :2] > 1)).any():
        raise HintError("a hint lies in the margin around the poster, which stays as it is")
    return hints
