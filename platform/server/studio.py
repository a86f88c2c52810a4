"""Recolors pictures that were sent, and keeps those that are being edited.

What depends on a picture alone is kept with it, so that other colors answer at once: the decoded
picture, small copies, and what the network says of it. All of it lies in one memory of a bounded
size, which forgets what was not used for longest.

Everything here may be called from several threads.
"""

import base64
import hashlib
import io
import json
import math
import re
import threading
from collections.abc import Callable, Hashable, Iterable
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from typing import Any
from urllib.parse import quote

import numpy as np
from cachetools import LRUCache
from PIL import Image, ImageStat
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from recolor.datasets.color_kind import COLORED, GRAY
from recolor.datasets.images import ImageError
from recolor.datasets.palettes.library import load_library
from recolor.datasets.palettes.palette import Palette
from recolor.datasets.picture_file import PictureFile
from recolor.datasets.posters import Box
from recolor.datasets.skin import find_skin
from recolor.datasets.swatches import Swatches
from recolor.evaluation.sheets import with_swatch
from recolor.models.color_table import paper_mask
from recolor.models.decoding.options import AUTO, DEFAULT_DECODING, SOURCE, Decoding
from recolor.models.decoding.typed import REPEATED, typed_decoding
from recolor.models.painter import Found, Look, Painter, Seen, cut_out
from recolor.models.recipe import Recipe
from recolor.models.series import in_series
from recolor.platform.printing.inks import RELATIVE
from recolor.platform.printing.proof import Proof, marked
from recolor.platform.server.cancellation import CancelledWorkError, check_cancelled
from recolor.platform.server.query import (
    SMALLEST_SIDE,
    Cell,
    Original,
    Preview,
    Recoloring,
    Sheet,
    Shown,
)
from recolor.platform.server.request_errors import RequestError
from recolor.platform.serving.result_sheets import SERIES_SIDE, series_pdf, series_png

SUGGESTIONS = 6
# What an answer may be asked for in, beside the source's own format.
KINDS = {"png": "PNG", "jpeg": "JPEG", "webp": "WEBP"}
ID = re.compile("[0-9a-f]{64}")
# Bytes of something that is kept, beside its arrays: without them, a picture of one pixel would
# take no memory.
OVERHEAD = 4096
# A longer header is left out, since proxies take heads of 4 kB.
LONGEST_HEADER = 1000
# In maps of swatches, of which there are 10 at most.
NO_SWATCH = 255


@dataclass(frozen=True)
class Answer:
    """An image to send.

    Attributes:
        data: The file.
        media_type: Of the file.
        headers: What was done.
    """

    data: bytes
    media_type: str
    headers: dict[str, str]


class Studio:
    """Recolors pictures, and keeps those that are being edited.

    Args:
        painter: The model.
        most_pixels: A picture with more is refused.
        memory: Bytes that what is kept may take.
        proofs: Those that previews can be shown as, each of another name.
    """

    def __init__(
        self,
        painter: Painter,
        most_pixels: int,
        memory: int,
        proofs: Iterable[Proof] = (),
    ):
        self.painter = painter
        self.proofs = {proof.name: proof for proof in proofs}
        self.library = painter.library or load_library()
        self._most_pixels = most_pixels
        # Pairs of what is kept, and how many bytes it takes.
        self._kept: LRUCache = LRUCache(memory, getsizeof=lambda entry: entry[1] + OVERHEAD)
        self._lock = threading.Lock()

    @property
    def bytes_kept(self) -> int:
        """How much memory is in use."""
        return self._kept.currsize

    def recolor(self, data: bytes, wanted: Recoloring, accept: str) -> Answer:
        """Recolor a picture's file, and keep nothing.

        Args:
            data: The file.
            wanted: How.
            accept: Which formats the client takes, as in HTTP.

        Raises:
            RecolorError: If the picture or an option can't be used.
        """
        decoding = self._decoding(wanted)
        file = PictureFile.of(data, self._most_pixels)
        check_cancelled()
        seen = self.painter.see(file.picture, decoding, in_place=True)
        return self._painted(file, seen, decoding, wanted, accept, whole=True)

    def keep(self, data: bytes) -> dict:
        """Keep a picture's file, and say what there is to know about it.

        Nothing is kept of one that nobody waits for any more, unless it was kept before.

        Returns:
            JSON: its ``id``, ``width``, ``height``, ``format``, ``animated``, ``transparent``;
            ``color`` (colored, one ink or gray) and ``has_color``; ``swatches``, each with color,
            share and name; ``found``, how it has aged, in words; ``margin``, whether there is one
            around it; and ``suggestions`` of palettes, see `described`.

        Raises:
            ImageError: If it can't be used.
            RequestError: If it is too large to be kept.
        """
        key = hashlib.sha256(data).hexdigest()
        with self._lock:
            is_new = ("file", key) not in self._kept
        try:
            facts = self._keep(key, PictureFile.of(data, self._most_pixels))
            check_cancelled()
        except CancelledWorkError:
            if is_new:
                self._forget(key)
            raise
        return facts

    def _keep(self, key: str, file: PictureFile) -> dict:
        check_cancelled()
        size = _bytes(file.picture, file.alpha) + len(file.exif or b"")
        if not self._remember(("file", key), file, size):
            raise RequestError(413, "too large to be edited here: make it smaller")
        found = self._found(key, file)
        palettes, own, seen = [], found.color != GRAY, self._seen(key, file, DEFAULT_DECODING)
        swatches = seen.swatches.merged if found.color == COLORED else []
        if self.painter.network.takes_palette:
            palettes = self.painter.suggestions(seen, min(SUGGESTIONS, len(self.library.palettes)))
        return {
            "id": key,
            "width": file.picture.width,
            "height": file.picture.height,
            "format": file.kind,
            "animated": file.animated,
            "transparent": file.alpha is not None,
            "color": found.color,
            "has_color": own,
            "swatches": [asdict(swatch) for swatch in swatches],
            "found": found.wanted(DEFAULT_DECODING).describe(),
            "margin": (found.box.width, found.box.height) != file.picture.size,
            "suggestions": [
                described(palette, SOURCE if own and palette is palettes[0] else palette.name)
                for palette in palettes
            ],
        }

    def recolored(self, key: str, wanted: Shown, accept: str) -> Answer:
        """Recolor a picture that is kept, or show how it will be printed.

        Raises:
            RecolorError: If an option can't be used.
            RequestError: If there is no such picture or profile.
        """
        prove = self._proving(wanted) if wanted.proof else None
        file, decoding, seen = self._edited(key, wanted, wanted.side)
        shown = self._copy(key, file, wanted.side)
        whole = wanted.side is None
        return self._painted(shown, seen, decoding, wanted, accept, whole, prove)

    def _proving(self, wanted: Shown) -> Callable[[Image.Image], tuple[Image.Image, dict]]:
        """Return what turns a result into its proof, and headers that tell of it."""
        proof = self.proofs.get(wanted.proof)
        if proof is None:
            known = ", ".join(map(repr, self.proofs)) or "none, see `recolor serve --profile`"
            raise RequestError(422, f"{wanted.proof!r} is not among the profiles: {known}", "proof")
        if wanted.side is None:
            raise RequestError(422, "a proof is a preview: give its side, too", "side")

        def prove(picture: Image.Image) -> tuple[Image.Image, dict]:
            intent, black_point = wanted.intent or RELATIVE, wanted.black_point is not False
            shown, mask = proof(np.asarray(picture), intent, black_point)
            shown = marked(shown, mask) if wanted.marks else shown
            return Image.fromarray(shown), {"Recolor-Out-Of-Gamut": f"{mask.mean():.6f}"}

        return prove

    def recipe(self, key: str, wanted: Preview) -> str:
        """Return the recipe, as JSON, of what `recolored` answers with.

        Raises:
            RecolorError, RequestError: As of `recolored`.
        """
        _, decoding, seen = self._edited(key, wanted, wanted.side)
        palette = self.painter.palette(seen, decoding)
        check_cancelled()
        changes = self.painter.changes(seen, palette, decoding)
        return Recipe.of(self.painter, seen, palette, decoding, changes).to_json(indent=2)

    def settings(self, data: bytes) -> dict:
        """Read a recipe, or the one in a result, to go on from there.

        Returns:
            JSON: ``query``, the options of its `Recoloring`; ``recipe``; and ``differences``, in
            words, between where it was made and here. A palette that has no name here is kept, as
            those of other pictures are.

        Raises:
            RecolorError: If it can't be used.
            RequestError: If a picture has none.
        """
        return self._settings(self._recipe(data))

    def series(self, key: str, data: bytes) -> dict:
        """Read a recipe as `settings` does, for a picture that is to go with its result.

        Returns:
            JSON as of `settings`. In the ``query``, what was assigned and locked there is assigned
            and locked where the picture has a swatch that is alike, see `in_series`.

        Raises:
            RecolorError, RequestError: As of `settings`, or if there is no such picture.
        """
        file, recipe = self._file(key), self._recipe(data)
        decoding = recipe.decoding(self.library)
        # Its swatches are those of the whole picture, whatever its size here.
        seen = self._seen(key, file, decoding, SMALLEST_SIDE)
        decoding = in_series(decoding, recipe, seen)
        settings = self._settings(recipe)
        own = {"assign": [one.text for one in decoding.assign], "lock": list(decoding.lock)}
        others = {name: one for name, one in settings["query"].items() if name not in REPEATED}
        settings["query"] = {**others, **{name: one for name, one in own.items() if one}}
        return settings

    def _recipe(self, data: bytes) -> Recipe:
        recipe = Recipe.of_file(data, self.library, self._most_pixels)
        if recipe is None:
            raise RequestError(422, "no recipe is in this picture", "recipe")
        return recipe

    def _settings(self, recipe: Recipe) -> dict:
        query, palette = dict(recipe.options), recipe.decoding(self.library).palette
        if isinstance(palette, Palette):
            query["palette"] = self._name(palette)
        return {
            "query": query,
            "recipe": recipe.model_dump(mode="json"),
            "differences": recipe.differences(self.painter),
        }

    def _name(self, palette: Palette) -> str:
        """Return by which text a request can ask for a palette."""
        content = palette.to_json()
        if palette.name in self.library.names and (self.library[palette.name].to_json() == content):
            return palette.name
        key = hashlib.sha256(json.dumps(content).encode()).hexdigest()
        self._remember(("palette", key), palette, _of_palette(palette))
        return key

    def _edited(
        self, key: str, wanted: Recoloring, side: int | None
    ) -> tuple[PictureFile, Decoding, Seen]:
        """Return what is known of a picture that is kept, and how it is to be decoded."""
        file, decoding = self._file(key), self._decoding(wanted)
        # Their pixels are those of the picture that was sent, not those of the preview.
        hints = tuple(hint.in_shares(*file.picture.size) for hint in decoding.hint)
        decoding = replace(decoding, hint=hints)
        return file, decoding, self._seen(key, file, decoding, side)

    def cell(self, key: str, wanted: Cell) -> dict:
        """Keep a small copy of what `recolored` answers with, for a contact sheet.

        Returns:
            JSON: its ``id``, for `sheet`.

        Raises:
            RecolorError, RequestError: As of `recolored`.
        """
        _, decoding, seen = self._edited(key, wanted, SERIES_SIDE)
        palette = self.painter.palette(seen, decoding)
        check_cancelled()
        painted, changes = self.painter.painted_with_changes(seen, palette, decoding)
        cell = with_swatch(painted, SERIES_SIDE, palette, changes)
        made = hashlib.sha256(cell.tobytes())
        made.update(wanted.name.encode())
        self._remember(("cell", made.hexdigest()), (wanted.name, cell), _bytes(cell))
        return {"id": made.hexdigest()}

    def sheet(self, wanted: Sheet) -> Answer:
        """Lay out cells as the contact sheet of a series.

        Raises:
            RequestError: If one of them is not kept.
        """
        with self._lock:
            found = [self._kept.get(("cell", key)) for key in wanted.cell]
        if None in found:
            raise RequestError(404, "a cell is not kept (any more): ask for it again", "cell")
        cells = [cell for cell, _ in found]
        check_cancelled()
        if wanted.format == "pdf":
            return Answer(series_pdf(cells), "application/pdf", {})
        return Answer(series_png(cells), "image/png", {})

    def original(self, key: str, wanted: Original, accept: str) -> Answer:
        """Return a picture that is kept as it is: upright, and in sRGB.

        Raises:
            RequestError: If there is no such picture.
        """
        shown = self._copy(key, self._file(key), wanted.side)
        return _answer(shown, shown.picture, wanted.format, accept, {})

    def swatches(self, key: str, wanted: Preview) -> dict:
        """Tell which swatch each pixel of a picture that is kept belongs to.

        Returns:
            JSON: ``swatches`` as of `keep`; which part of the poster ``paper`` and ``skin`` take, 0
            to 1; and ``map``, a PNG as a data URL. A pixel's red is the number of its swatch, 255
            for none, and its green and blue are how much it is paper, and skin.

        Raises:
            RecolorError: If an option can't be used.
            RequestError: If there is no such picture.
        """
        file, decoding = self._file(key), self._decoding(wanted)
        seen = self._seen(key, file, decoding, wanted.side)
        size, colored = seen.poster.size, seen.color == COLORED
        number, paper = np.full(size[::-1], NO_SWATCH, np.uint8), Image.new("L", size)
        if colored:
            number = seen.swatches.map_of(seen.poster)
            paper = paper_mask(seen.poster)
        skin = seen.skin.resize(size, Image.Resampling.BILINEAR)
        drawn = Image.merge("RGB", [Image.fromarray(number), paper, skin])
        if decoding.crop != AUTO:
            drawn, poster = Image.new("RGB", seen.source.size, (NO_SWATCH, 0, 0)), drawn
            drawn.paste(poster, (seen.box.left, seen.box.top))
        data = io.BytesIO()
        drawn.save(data, "PNG", compress_level=1)
        return {
            "swatches": [asdict(one) for one in seen.swatches.merged] if colored else [],
            "paper": _mean(paper),
            "skin": _mean(skin),
            "map": f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}",
        }

    def _decoding(self, wanted: Recoloring) -> Decoding:
        return typed_decoding(wanted.typed, self.library, self._palette_of)

    def _palette_of(self, text: str) -> Palette | None:
        """Return the palette kept under an id, or that of a picture; None if it is not an id."""
        if not ID.fullmatch(text):
            return None

        def make() -> Palette:
            picture = self._file(text, "palette").picture
            return Palette.of_picture(picture, "those of another picture")

        return self._known(("palette", text), make, _of_palette)

    def _painted(
        self,
        file: PictureFile,
        seen: Seen,
        decoding: Decoding,
        wanted: Recoloring,
        accept: str,
        whole: bool,
        prove: Callable[[Image.Image], tuple[Image.Image, dict]] | None = None,
    ) -> Answer:
        check_cancelled()
        palette = self.painter.palette(seen, decoding)
        check_cancelled()
        painted, changes = self.painter.painted_with_changes(seen, palette, decoding)
        if decoding.crop == AUTO:
            file = file.cropped(seen.box)
        headers = {
            "Recolor-Swatches": json.dumps([(one.color, other.color) for one, other in changes]),
            "Recolor-Palette": quote(palette.name if palette else ""),
            "Recolor-Settings": json.dumps(decoding.describe()),
        }
        if prove:
            check_cancelled()
            painted, told = prove(painted)
            headers |= told
        # A preview is nothing to go on from.
        recipe = whole and Recipe.of(self.painter, seen, palette, decoding, changes).to_json()
        return _answer(file, painted, wanted.format, accept, headers, recipe or None)

    def _file(self, key: str, field: str = "id") -> PictureFile:
        with self._lock:
            entry = self._kept.get(("file", key))
        if entry is None:
            raise RequestError(404, "this picture is not kept (any more): send it again", field)
        return entry[0]

    def _found(self, key: str, file: PictureFile) -> Found:
        return self._known(("found", key), lambda: self.painter.find(file.picture), lambda _: 0)

    def _seen(
        self, key: str, file: PictureFile, decoding: Decoding, side: int | None = None
    ) -> Seen:
        """Return what is seen in a picture, or in a small copy of it: the same for both."""
        found = self._found(key, file)
        restoration = found.wanted(decoding)

        def poster(source: Image.Image) -> tuple[Box, Image.Image]:
            box = found.box.scaled(source.width / file.picture.width, source.size)
            return box, restoration.applied(cut_out(source, box))

        source = self._picture(key, file, side)
        box, restored = poster(source)

        @cache
        def whole() -> Image.Image:
            return restored if source is file.picture else poster(file.picture)[1]

        def of_whole(name: str, find: Callable, size: Callable[[Any], int]) -> Callable:
            """Find something in the whole poster, whatever its size here, and keep it."""
            return lambda: self._known((name, key, decoding.restore), lambda: find(whole()), size)

        lazily = (
            of_whole("look", partial(self.painter.look, gray=found.color != COLORED), _of_look),
            of_whole("swatches", Swatches.of, lambda swatches: swatches.pixels.nbytes),
            of_whole("skin", find_skin, lambda mask: mask.nbytes),
        )

        def recall(name: Hashable, make: Callable[[], np.ndarray]) -> np.ndarray:
            kept = ("colors", name, key, decoding.restore)
            return self._known(kept, make, lambda colors: colors.nbytes)

        return Seen(source, box, found.color, restoration, restored, *lazily, recall)

    def _copy(self, key: str, file: PictureFile, side: int | None) -> PictureFile:
        """Return a small copy of a picture's file, without what is told about the original."""
        if side is None:
            return file
        small = self._picture(key, file, side)
        alpha = file.alpha.resize(small.size) if file.alpha else None
        return PictureFile(small, file.kind, alpha)

    def _picture(self, key: str, file: PictureFile, side: int | None) -> Image.Image:
        """Return a picture, its longest side at most ``side`` pixels."""
        if side is None:
            return file.picture

        def make():
            small = file.picture.copy()
            small.thumbnail((side, side), Image.Resampling.LANCZOS)
            return small

        return self._known(("picture", key, side), make, _bytes)

    def _known(self, name: Hashable, make: Callable[[], Any], size: Callable[[Any], int]):
        """Return what is kept under a name, or else make it, and keep it."""
        with self._lock:
            entry = self._kept.get(name)
        if entry is not None:
            return entry[0]
        check_cancelled()
        made = make()
        self._remember(name, made, size(made))
        return made

    def _forget(self, key: str) -> None:
        """Keep nothing of a picture any more."""
        with self._lock:
            for name in [name for name in self._kept if key in name]:
                del self._kept[name]

    def _remember(self, name: Hashable, value: Any, size: int) -> bool:
        """Keep something, and tell whether there is room for it at all."""
        with self._lock:
            if size + OVERHEAD > self._kept.maxsize:
                return False
            self._kept[name] = value, size
            return True


def described(palette: Palette, parameter: str) -> dict:
    """Return a palette as JSON.

    Args:
        palette: The palette.
        parameter: What ``palette=`` must be to get it.
    """
    swatch = [(color, round(share, 4)) for color, share in palette.swatch]
    return {"palette": parameter, "name": palette.name, "swatch": swatch}


def _answer(
    file: PictureFile,
    picture: Image.Image,
    format: str | None,
    accept: str,
    headers: dict,
    recipe: str | None = None,
) -> Answer:
    check_cancelled()
    # Those that are not in there: the source's own.
    kind = KINDS.get(format, file.kind) if format else _accepted(file.kind, accept)
    try:
        data = replace(file, kind=kind).with_colors_of(picture, recipe)
    except ImageError as error:
        raise RequestError(422, str(error), "format") from None
    headers = {name: value for name, value in headers.items() if len(value) <= LONGEST_HEADER}
    return Answer(data, Image.MIME[kind], headers)


def _accepted(kind: str, accept: str) -> str:
    """Choose a format that is accepted: the source's own, where it is."""
    offered = {Image.MIME[one]: one for one in (kind, *KINDS.values())}
    found = parse_accept_header(accept, MIMEAccept).best_match(offered, Image.MIME[kind])
    return offered[found]


def _bytes(*pictures: Image.Image | None) -> int:
    return sum(one.width * one.height * len(one.getbands()) for one in pictures if one)


def _mean(mask: Image.Image) -> float:
    return ImageStat.Stat(mask).mean[0] / 255


def _of_palette(palette: Palette) -> int:
    return palette.shares.nbytes + palette.colors.nbytes


def _of_look(look: Look) -> int:
    # A tensor of TensorFlow's does not say its bytes.
    answer = look.answer.values()
    return look.lightness.nbytes + sum(4 * math.prod(value.shape) for value in answer)
