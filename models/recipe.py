"""Recipes: all that made a result, to make it again, to show it, or to change one thing of it.

`docs/recipes.md` describes the JSON. A recipe comes from anywhere, so it names no files, and none
are read for it.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from recolor.datasets.color_kind import COLORED, GRAY, ONE_INK
from recolor.datasets.errors import RecolorError, first_line
from recolor.datasets.images import MAX_PIXELS, ImageError, read_file
from recolor.datasets.palettes.library import PaletteLibrary, load_library
from recolor.datasets.palettes.palette import Palette
from recolor.datasets.picture_file import PictureFile
from recolor.datasets.swatches import Swatch
from recolor.datasets.xmp import recipe_in
from recolor.models.decoding.options import FREE, SOURCE, Decoding
from recolor.models.decoding.typed import REPEATED, is_typed_colors, typed_decoding
from recolor.models.option import FINITE, options_of
from recolor.models.painter import Identity, Painter, Seen

FORMAT = 1
# Signs of a digest that people are shown.
SHORT = 8
# Of a file that is taken for JSON rather than for a picture.
MOST_BYTES = 2**20

Three = tuple[float, float, float]
Color = Annotated[str, Field(pattern="^#[0-9a-f]{6}$")]
PLAIN = ConfigDict(FINITE, frozen=True, strict=True, extra="forbid")


class RecipeError(RecolorError):
    """A recipe is missing, damaged, or of a format that is not known."""

    option = "recipe"


class Aged(BaseModel):
    """What restoring found in a picture and undid, see `recolor.models.restoring.Restoration`."""

    model_config = PLAIN
    color: Literal[COLORED, ONE_INK, GRAY]
    ageing: str
    haze: Three
    kept: Three
    stain: Three


class Change(BaseModel):
    """What a swatch became."""

    model_config = PLAIN
    color: Color
    share: Annotated[float, Field(ge=0, le=1)]
    becomes: Color


class Recipe(BaseModel):
    """All that made a result.

    Attributes:
        format: Of the recipe.
        recolor: The version of recolor that wrote it.
        model: The color network; None if it was not asked, or is not known.
        restorer: SHA-256 of the restoring network's weights.
        found: What was undone.
        options: Those of `Decoding` that were not left out, as they are typed; the palette is one
            of ``source`` and ``none``, typed colors, or what `Palette.to_json` returns.
        swatches: The restored poster's swatches, the largest first, and what each became; empty
            where nothing was recolored by swatches.

    Example:
        >>> recipe = Recipe.parse('{"format": 1, "options": {"palette": "teal", "strength": 0.5}}')
        >>> recipe.decoding().strength
        0.5
    """

    model_config = PLAIN
    format: Literal[FORMAT]
    recolor: str | None = None
    model: Identity | None = None
    restorer: str | None = None
    found: Aged | None = None
    options: dict[str, JsonValue]
    swatches: tuple[Change, ...] = ()

    @classmethod
    def of(
        cls,
        painter: Painter,
        seen: Seen,
        palette: Palette | None,
        decoding: Decoding,
        changes: list[tuple[Swatch, Swatch]],
    ) -> Recipe:
        """Describe a result of `Painter.painted_with_changes`.

        Args:
            painter, seen, palette, decoding: What made it.
            changes: What its swatches became.
        """
        asked = painter.asks_network(seen, palette, decoding)
        restoration = seen.restoration
        numbers = {
            name: tuple(round(number, 4) for number in getattr(restoration, name))
            for name in ("haze", "kept", "stain")
        }
        return cls(
            format=FORMAT,
            recolor=version("poster-recolor"),
            model=painter.identify() if asked else None,
            restorer=painter.restorer.digest,
            found=Aged(color=seen.color, ageing=restoration.describe(), **numbers),
            options=_as_typed(painter, seen, palette, decoding),
            swatches=tuple(
                Change(color=before.color, share=round(before.share, 4), becomes=after.color)
                for before, after in changes
            ),
        )

    @classmethod
    def parse(cls, text: str, library: PaletteLibrary | None = None) -> Recipe:
        """Read JSON.

        Args:
            text: The JSON.
            library: The color schemes that it may name; None for recolor's own.

        Raises:
            RecipeError: If it is no recipe, of another format, or an option can't be used.
        """
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            raise RecipeError("not JSON") from None
        found = content.get("format") if isinstance(content, dict) else None
        if found is None:
            raise RecipeError("not a recipe: it has no format")
        if found != FORMAT:
            raise RecipeError(
                f"a recipe of format {json.dumps(found)[:20]}, which this version of recolor does "
                f"not know: it knows {FORMAT}"
            )
        try:
            recipe = cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "not a recipe"
            raise RecipeError(f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}") from None
        recipe.decoding(library)
        return recipe

    @classmethod
    def of_file(
        cls, data: bytes, library: PaletteLibrary | None = None, most_pixels: int = MAX_PIXELS
    ) -> Recipe | None:
        """Find the recipe in the content of a file: of JSON, or of a result.

        Args:
            data: The content.
            library: As for `parse`.
            most_pixels: As for `PictureFile.of`.

        Returns:
            The recipe; None if a picture has none.

        Raises:
            RecipeError: As of `parse`.
            ImageError: If it is neither JSON nor a picture.
        """
        if len(data) < MOST_BYTES and data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
            return cls.parse(data.decode("utf-8-sig", "replace"), library)
        packet = PictureFile.of(data, most_pixels).xmp
        text = recipe_in(packet) if packet else None
        return None if text is None else cls.parse(text, library)

    @classmethod
    def read(cls, file: str | PathLike, library: PaletteLibrary | None = None) -> Recipe:
        """Read a file: JSON, or a result that has a recipe inside.

        Args:
            file: The file.
            library: As for `parse`.

        Raises:
            RecipeError: If it has none that can be used.
        """
        try:
            recipe = cls.of_file(read_file(Path(file)), library)
        except (RecipeError, ImageError) as error:
            raise RecipeError(f"{file}: {error}") from None
        if recipe is None:
            raise RecipeError(f"{file}: no recipe is in it")
        return recipe

    def decoding(self, library: PaletteLibrary | None = None) -> Decoding:
        """Return the options as a `Decoding`.

        Raises:
            RecipeError: If one can't be used.
        """
        typed: dict[str, Any] = dict(self.options)
        for name in REPEATED:
            if not isinstance(typed.get(name, []), list):
                raise RecipeError(f"options.{name} must be a list of texts")
        try:
            if isinstance(typed.get("palette"), dict):
                typed["palette"] = Palette.of_json(typed["palette"])
        except (ValueError, KeyError, TypeError, IndexError, OverflowError) as error:
            raise RecipeError(
                f"options.palette is neither a text nor a scheme ({first_line(error)})"
            ) from None
        try:
            return typed_decoding(typed, library or load_library(), lambda text: None)
        except RecolorError as error:
            raise RecipeError(f"options: {error}") from None

    def to_json(self, indent: int | None = None) -> str:
        """Return it as JSON, in one line if it is not indented."""
        return json.dumps(self.model_dump(mode="json", exclude_defaults=True), indent=indent)

    def describe(self) -> list[str]:
        """Say it in words, in a few lines."""
        options = dict(self.options)
        palette, lists = options.pop("palette", None), REPEATED
        lines = [f"made by recolor {self.recolor}"] if self.recolor else []
        if self.found:
            lines.append(f"undone: {self.found.ageing or 'nothing'}")
        if isinstance(palette, dict):
            colors = ", ".join(f"{color} {100 * share:.0f} %" for color, share in palette["swatch"])
            lines.append(f"palette: {palette['name']} ({colors})")
        elif palette:
            lines.append(f"palette: {palette}")
        lines += [f"{name}: {', '.join(options.pop(name))}" for name in lists if name in options]
        lines += [f"{name}: {value}" for name, value in options.items()]
        if self.model:
            lines.append(f"model: {described(self.model)}")
        if self.swatches:
            lines.append("swatches, and what they became:")
            lines += [
                f"  {one.color} {100 * one.share:3.0f} %  {one.becomes}" for one in self.swatches
            ]
        return lines

    def differences(self, painter: Painter) -> list[str]:
        """Say what is different here from where it was made, so that results may differ.

        Args:
            painter: What is to repeat it.
        """
        found = []
        if self.recolor not in (None, here := version("poster-recolor")):
            found.append(f"recolor {self.recolor} (this is {here})")
        if self.restorer not in (None, painter.restorer.digest):
            found.append(f"another restoring network ({self.restorer[:SHORT]})")
        if self.model and (own := painter.identify()) and own.digest != self.model.digest:
            found.append(f"{described(self.model)} (this is {described(own)})")
        return found


def described(network: Identity) -> str:
    """Return a color network in words."""
    number = f" version {network.version}" if network.version else ""
    return f"{network.kind}{number} {network.digest[:SHORT]}"


def _as_typed(
    painter: Painter, seen: Seen, palette: Palette | None, decoding: Decoding
) -> dict[str, JsonValue]:
    """Return the options that differ from their defaults, the palette as it was chosen."""
    text = decoding.palette
    if palette is None:
        chosen = FREE
    elif palette is seen.own_palette:
        chosen = SOURCE
    elif isinstance(text, str) and is_typed_colors(text, painter.library or load_library()):
        chosen = text
    else:
        chosen = palette.to_json()
    given = {
        name: value
        for name, option in options_of(Decoding).items()
        if name != "palette" and (value := getattr(decoding, name)) != option.default
    }
    for name in ("hint", "assign"):
        if name in given:
            given[name] = [one.text for one in given[name]]
    if "lock" in given:
        given["lock"] = list(given["lock"])
    return {"palette": chosen, **given}
