"""Invented movie posters, drawn on the spot: data to try the platform with before real posters.

A network that sees only the lightness of a picture can learn its colors when the colors follow from
the shapes. So every genre has its own subjects and its own palette (the sea is teal, pines are
green, a western's sky is orange), varied a little from poster to poster. One poster in five shows a
color photograph that comes with scikit-image instead.
"""

from __future__ import annotations

import colorsys
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage import data

from recolor.datasets.ageing import aged
from recolor.datasets.atomic_file import atomic_write

_OVERSAMPLING = 2  # Pillow's shapes have jagged edges: draw them larger, then average
_SKINS = ((26, 34, 96), (24, 45, 85), (22, 55, 66), (20, 60, 46))
_CREAM = (46, 12, 96)

Hsv = tuple[float, ...]  # hue in degrees, then saturation, value and maybe alpha in percent
Place = tuple[float, float, float]  # x and y of a shape's foot, and its size (negative: mirrored)
Points = str | Sequence[tuple[float, float]]  # x and height in percent of a place's size


class Canvas:
    """A surface measured in short sides of the poster, so that circles stay round in any format.

    ``x`` and ``y`` turn fractions into positions: of the width, and of the height ``clear`` of
    lettering. Shapes are given in percent of the size at which they are placed, heights upwards.
    """

    def __init__(self, size: tuple[int, int], clear: tuple[float, float], rng: np.random.Generator):
        self.w, self.h = (side / min(size) for side in size)
        self.clear, self.rng, self.vary = clear, rng, rng.uniform
        self.unit = _OVERSAMPLING * min(size)
        self.image = Image.new("RGB", (size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING))
        self.draw = ImageDraw.Draw(self.image, "RGBA")  # this mode blends translucent colors
        self.tint = rng.normal(0, 3.5), rng.uniform(0.9, 1.08), rng.uniform(0.92, 1.05)

    def x(self, low: float, high: float | None = None) -> float:
        """The position of a fraction of the width, or of a random one between two."""
        return self.w * (low if high is None else self.vary(low, high))

    def y(self, low: float, high: float | None = None) -> float:
        """The same for the height clear of lettering."""
        top, bottom = self.clear
        return top + (bottom - top) * (low if high is None else self.vary(low, high))

    def size(self, low: float, high: float) -> float:
        """A size for the main subject, kept within the clear height."""
        return self.vary(low, high) * min(1, (self.clear[1] - self.clear[0]) / 0.8)

    def rgba(self, color: Hsv) -> tuple[int, ...]:
        """``color`` in this poster's own tint, as four values of 0-255."""
        hue, saturation, value, alpha = (*color, 100)[:4]
        turn, strength, light = self.tint
        saturation, value = min(1, saturation / 100 * strength), min(1, value / 100 * light)
        rgb = colorsys.hsv_to_rgb((hue + turn) / 360 % 1, saturation, value)
        return *(round(255 * part) for part in rgb), round(2.55 * alpha)

    def poly(self, at: Place, points: Points, color: Hsv) -> None:
        self.draw.polygon(self._pixels(at, points), fill=self.rgba(color))

    def oval(self, at: Place, color: Hsv, where: str = "0 0 100 100") -> None:
        """An ellipse; ``where`` gives its center and its two radii."""
        x, y, across, up = (float(part) for part in where.split())
        box = self._pixels(at, ((x - across, y + up), (x + across, y - up)))
        self.draw.ellipse((min(box[::2]), box[1], max(box[::2]), box[3]), fill=self.rgba(color))

    def line(self, at: Place, points: Points, color: Hsv, width: float) -> None:
        width = max(1, round(width / 100 * abs(at[2]) * self.unit))
        self.draw.line(self._pixels(at, points), self.rgba(color), width, joint="curve")

    def _pixels(self, at: Place, points: Points) -> list[float]:
        x, y, size = at
        points = _parse(points) if isinstance(points, str) else np.asarray(points)
        placed = (x, y) + points * (size / 100, -abs(size) / 100)
        return (placed * self.unit).ravel().tolist()

    def fade(self, top: float, bottom: float, *colors: Hsv) -> None:
        """Fill the full width between two heights with a blend of ``colors``."""
        first, last = round(top * self.unit), round(bottom * self.unit)
        strip = self._blend(colors, (self.image.width, last - first))
        self.image.paste(strip, (0, first), strip)

    def glow(self, at: Place, color: Hsv, reach: float = 1) -> None:
        """Soft light (or shade) out to ``reach`` sizes; the alpha is its strength at the center."""
        x, y, r = at[0], at[1], reach * at[2]
        color = self.rgba(color)
        side = round(2 * r * self.unit)
        mask = _halo().resize((side, side), Image.BILINEAR).point(lambda v: v * color[3] // 255)
        self.image.paste(color[:3], (round((x - r) * self.unit), round((y - r) * self.unit)), mask)

    def rays(self, at: Place, color: Hsv) -> None:
        """A burst of wedges from a point to the edges."""
        for turn in np.linspace(0, 2 * np.pi, 17):
            ends = [(400 * np.cos(a), 400 * np.sin(a)) for a in (turn, turn + np.pi / 16)]
            self.poly((*at[:2], 1), [(0, 0), *ends], color)

    def land(
        self, y: float, swing: float, *colors: Hsv, waves: float = 1.5, crest: Hsv | None = None
    ) -> None:
        """Fill all below a rolling line about ``y`` with a blend of ``colors``."""
        t = np.linspace(0, 2 * np.pi * self.w, 90)
        y = y + swing / 2 * sum(np.sin(waves * k * t + self.vary(0, 7)) / k for k in (1, 1.7, 2.9))
        xs, ys = np.linspace(0, self.image.width, len(y)), y * self.unit
        top = round(ys.min())
        mask = Image.new("L", (self.image.width, self.image.height - top))
        outline = [(0, mask.height), *zip(xs, ys - top, strict=True), mask.size]
        ImageDraw.Draw(mask).polygon(outline, fill=255)
        self.image.paste(self._blend(colors, mask.size), (0, top), mask)
        if crest:
            line = np.stack([xs, ys], axis=-1).ravel().tolist()
            self.draw.line(line, self.rgba(crest), round(0.01 * self.unit))

    def text(self, line: str, y: float, height: float, *colors: Hsv, bold: int = 0) -> None:
        """Fit a line of letters between the side margins, as large as ``height`` allows.

        Letters are stretched upwards to 1.6 times their shape at most, and never sideways.
        """
        font = _font()
        left, top, right, bottom = font.getbbox(line, stroke_width=bold)
        mask = Image.new("L", (round(right - left), round(bottom - top)))
        ImageDraw.Draw(mask).text((-left, -top), line, 255, font, stroke_width=bold)
        across = min((self.w - 0.18) / mask.width, height / mask.height) * self.unit
        up = min(height / mask.height * self.unit, across * 1.6)
        mask = mask.resize((round(mask.width * across), round(mask.height * up)), Image.BOX)
        x = (self.image.width - mask.width) // 2
        y = round((y + height / 2) * self.unit - mask.height / 2)
        drop = round(0.06 * height * self.unit)  # the shadow keeps letters legible on any scene
        self.image.paste((12, 8, 14), (x + drop, y + drop), mask)
        self.image.paste(self._blend(colors, mask.size), (x, y), mask)

    def _blend(self, colors: Sequence[Hsv], size: tuple[int, int]) -> Image.Image:
        at = np.linspace(0, len(colors) - 1, size[1])
        channels = zip(*map(self.rgba, colors), strict=True)
        rows = np.stack([np.interp(at, range(len(colors)), values) for values in channels], axis=-1)
        return Image.fromarray(rows.astype(np.uint8)[:, None]).resize(size, Image.NEAREST)


@functools.lru_cache(maxsize=256)
def _parse(points: str) -> np.ndarray:
    return np.array(points.split(), float).reshape(-1, 2)


@functools.cache
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(96)


@functools.cache
def _halo() -> Image.Image:
    y, x = np.ogrid[-1:1:128j, -1:1:128j]
    return Image.fromarray((255 * np.clip(1 - np.hypot(x, y), 0, 1) ** 2).astype(np.uint8))


def _person(
    c: Canvas, at: Place, top: Hsv, legs: Hsv, hat: Hsv | None = None, hem: float = 46
) -> None:
    """A figure in a ``top`` that reaches down to ``hem``, one half shaded as in two-tone prints."""
    x, foot, size = at
    skin, hair = _SKINS[c.rng.integers(len(_SKINS))], (24, 60, c.vary(10, 40))
    # a longer top hangs wider at its hem
    half = f"0 85 12 82 15 77 10 60 {24 - hem / 4} {hem} 0 {hem}"
    c.oval(at, (0, 0, 0, 35), "0 0 25 3")
    for side in ((x, foot, size), (x, foot, -size)):
        c.poly(side, "0 52 12 52 11 0 4 0", legs)
        c.line(side, "12 78 19 62 16 46", top, 7)
        c.oval(side, skin, "16 44 3.2 3.8")
        c.poly(side, half, top)
    c.poly(at, half, (0, 0, 0, 25))
    c.oval(at, hair, "0 93 6 7")
    c.poly(at, "-3 82 3 82 3 90 -3 90", skin)
    c.oval(at, skin, "0 91 5 6")
    if hat:
        c.oval(at, hat, "0 97 14 2.5")
        c.poly(at, "-7 97 -5 106 0 104 5 106 7 97", hat)


def _western(c: Canvas) -> None:
    ground = c.y(0.68, 0.78)
    sun = c.x(0.3, 0.7), c.y(0.3, 0.5), c.vary(0.16, 0.26)
    c.fade(0, ground + 0.1, (14, 92, 72), (24, 90, 95), (44, 65, 100))
    c.rays(sun, (46, 60, 100, 22))
    c.glow(sun, (48, 50, 100, 90), reach=2.6)
    c.oval(sun, (50, 35, 100))
    for left in (0, 0.4, 0.85):
        mesa = c.x(left - 0.1, left + 0.1), ground + 0.03, c.vary(0.3, 0.5)
        c.poly(mesa, "-55 0 -42 62 38 62 50 0", (14, 75, 62))
        c.poly(mesa, "15 0 22 62 38 62 50 0", (8, 75, 42))
        c.line(mesa, "-45 45 42 45", (8, 80, 35, 40), 3)
        c.line(mesa, "-49 28 45 28", (8, 80, 35, 40), 3)
    c.land(ground, 0.03, (36, 55, 90), (30, 70, 60), (24, 75, 30))
    for _ in range(c.rng.integers(2, 5)):
        x, foot, size = c.x(0.05, 0.95), c.y(0.8, 0.97), c.vary(0.16, 0.36)
        light = c.vary(36, 50)
        half = "0 100 6 99 10 94 10 58 22 58 22 80 28 84 34 80 34 54 27 46 10 46 10 0 0 0"
        for side in (size, -0.8 * size):
            c.poly((x, foot, side), half, (118, 60, light))
    cowboy = c.x(0.35, 0.65), c.y(1), c.size(0.55, 0.8)
    _person(c, cowboy, (4, 75, 62), (216, 60, 50), hat=(24, 65, 30))


def _space(c: Canvas) -> None:
    c.fade(0, c.h, (250, 85, 16), (262, 80, 38), (240, 85, 14))
    for _ in range(4):
        c.glow((c.x(0, 1), c.y(0, 1), c.vary(0.4, 0.8)), (c.vary(255, 325), 75, 75, 60))
    for x, y, r in c.vary((0, 0, 0.001), (c.w, c.h, 0.0045), (140, 3)):
        c.oval((x, y, r), (45, 6, 100, 90))
    ringed = c.rng.random() < 0.5
    hue = 28 if ringed else 176  # the ring tells which, so that the color can be learned
    planet = x, y, r = c.x(0.3, 0.7), c.y(0.3, 0.5), c.size(0.2, 0.3)
    c.glow(planet, (hue, 70, 100, 80), reach=2)
    c.oval(planet, (hue, 72, 95))
    for k in range(-3, 4):
        wide = 97 * (1 - (k / 4) ** 2) ** 0.5
        band = f"0 {25 * k} {wide} {c.vary(3, 8)}"
        c.oval(planet, (hue - 12, 85, c.vary(55, 90), 70), band)
    c.glow((x + 0.7 * r, y + 0.4 * r, 1.4 * r), (258, 80, 8, 95))
    if ringed:
        turns = np.linspace(-0.5, np.pi + 0.5, 60)
        ring = np.stack([180 * np.cos(turns), -40 * np.sin(turns)], axis=-1)
        c.line(planet, ring, (44, 45, 95), 11)
        c.line(planet, ring, (20, 60, 60), 3)
    c.land(c.y(0.85), 0.06, (285, 55, 50), (265, 70, 16), waves=2)
    if c.rng.random() < 0.5:
        _rocket(c, (c.x(0.2, 0.8), c.y(0.85, 1), c.size(0.35, 0.5)))
    else:
        pilot = c.x(0.3, 0.7), c.y(1), c.size(0.45, 0.6)
        _person(c, pilot, (210, 8, 95), (210, 10, 85))
        c.oval(pilot, (210, 6, 97), "0 92 10 10")
        c.oval(pilot, (36, 85, 95), "0 92 7.5 6")


def _rocket(c: Canvas, at: Place) -> None:
    x, y, size = at
    c.glow(at, (38, 90, 100, 90), reach=0.4)
    c.poly(at, "-9 8 9 8 0 -40", (30, 90, 100))
    c.poly(at, "-5 8 5 8 0 -20", (52, 60, 100))
    for side, color in ((size, (225, 25, 72)), (-size, (220, 5, 97))):
        c.poly((x, y, side), "8 40 26 0 8 8", (2, 85, 85))
        c.poly((x, y, side), "0 100 6 90 11 76 14 60 14 45 11 25 7 8 0 8", color)
    c.oval(at, (2, 85, 85), "0 62 7 7")
    c.oval(at, (195, 60, 90), "0 62 5 5")


def _sea(c: Canvas) -> None:
    level = c.y(0.58, 0.68)
    c.fade(0, level, (200, 85, 62), (188, 60, 86), (170, 25, 97))
    c.glow((c.x(0.1, 0.9), level, 0.8), (60, 30, 100, 90))
    for x, y in c.vary((0, c.y(0)), (c.w, c.y(0.4)), (3, 2)):
        for _ in range(7):
            puff = x + c.vary(-0.16, 0.16), y + c.vary(-0.02, 0.02), c.vary(0.04, 0.09)
            c.oval(puff, (190, 10, 100, 50), "0 0 100 55")
    c.fade(level, c.h, (184, 75, 75), (196, 90, 35))
    _ship(c, (c.x(0.4, 0.6), level + 0.09, c.size(0.48, 0.57)))
    for k in range(5):
        y = level + 0.09 + k * (c.h - level) / 6
        deep, crest = (200, 90, 40 - 5 * k), (176, 30, 95)
        c.land(y, 0.03 + 0.01 * k, (184, 80, 68 - 9 * k), deep, waves=2.5 - 0.3 * k, crest=crest)


def _ship(c: Canvas, at: Place) -> None:
    x, keel, size = at
    wood = 22, 70, 34
    for shift, tall in ((-0.25, 0.85), (0.02, 1), (0.28, 0.8)):
        mast = x + shift * size, keel, tall * size
        c.line(mast, "0 10 0 100", wood, 2)
        c.poly(mast, "0 107 -15 104 0 100", (2, 85, 80))
        for low, high, wide in ((30, 64, 11), (67, 92, 8)):
            middle = (low + high) / 2
            belly = f"{wide} {high} {wide + 4} {middle + 5} {wide + 4} {middle - 5} {wide} {low}"
            c.poly(mast, f"{-wide} {low} {2 - wide} {high} {belly}", (42, 16, 98))
            c.poly(mast, f"4 {low} 3 {high} {belly}", (34, 30, 82))
    c.line(at, "35 20 62 36", wood, 2)
    c.poly(at, "-46 32 -40 0 36 0 50 26 30 19 -30 20", wood)
    c.line(at, "-43 21 -30 14 44 17", (40, 70, 85), 2)


def _pine(c: Canvas, at: Place, light: float, snow: bool = False) -> None:
    """A pine, lit from the left; ``light`` is the value of its green."""
    x, foot, size = at
    hue = c.vary(128, 150)
    c.line(at, "0 0 0 20", (24, 60, 0.6 * light), 7)
    for side, color in ((-size, (hue, 65, light)), (size, (hue + 12, 75, 0.7 * light))):
        c.poly((x, foot, side), "0 100 12 70 7 70 19 46 12 46 27 14 0 14", color)
    if snow:
        c.poly(at, "0 100 10 75 3 79 0 74 -5 79 -10 75", (200, 4, 98))
        c.poly(at, "-7 70 -14 56 -9 60 -3 55 0 62 8 58 4 70", (200, 4, 98))
        c.poly(at, "-12 46 -22 25 -14 32 -6 25 0 33 10 27 6 46", (200, 4, 98))


def _forest(c: Canvas) -> None:
    c.fade(0, c.h, (150, 50, 55), (75, 35, 95), (110, 30, 80))
    c.glow((c.x(0.25, 0.75), c.y(0.3), 0.8), (58, 35, 100, 95))
    for k, light in enumerate((74, 58, 44)):
        y = c.y(0.45 + 0.16 * k)
        c.land(y, 0.07, (125, 45, light), (105, 60, light - 25))
        for x in np.linspace(-0.05, 1.05, round((11 - 2 * k) * c.w)):
            size = c.vary(0.8, 1.3) * (0.2 + 0.1 * k)
            _pine(c, (c.x(x) + c.vary(-0.06, 0.06), y + c.vary(0.01, 0.07), size), light)
    c.land(c.y(0.9), 0.04, (95, 65, 50), (110, 70, 15))
    hiker = c.x(0.4, 0.6), c.y(1), c.size(0.45, 0.6)
    c.poly(hiker, "-3 22 3 22 40 -60 -40 -60", (38, 50, 75, 80))
    _person(c, hiker, (12, 85, 80), (28, 55, 35), hat=(40, 60, 70))
    for edge in (-0.06, 1.06):
        _pine(c, (c.x(edge), c.y(1.05), c.size(0.8, 1.1)), 25)


def _noir(c: Canvas) -> None:
    street = c.y(0.8)
    c.fade(0, street, (222, 65, 16), (216, 50, 40), (208, 35, 60))
    moon = c.x(0.25, 0.75), c.y(0.12, 0.25), c.vary(0.1, 0.17)
    c.glow(moon, (52, 25, 100, 70), reach=4)
    c.oval(moon, (50, 22, 98))
    for light, tall in ((36, 0.62), (24, 0.48), (14, 0.34)):
        left = -0.05
        while left < c.w:
            wide, top = c.vary(0.13, 0.24), street - c.vary(0.5, 1.1) * tall * (street - c.y(0))
            c.poly((left, top, wide), "0 -999 0 0 100 0 100 -999", (218, 50, light))
            c.line((left, top, wide), "50 0 50 50", (218, 50, light), 6)
            for x in np.arange(left + 0.02, left + wide - 0.02, 0.034):
                for y in np.arange(top + 0.055, street - 0.02, 0.05):
                    if c.rng.random() < 0.42:
                        c.poly((x, y, 0.026), "0 0 60 0 60 99 0 99", (46, 70, c.vary(80, 100)))
            left += wide + c.vary(0, 0.04)
    c.fade(street, c.h, (214, 40, 42), (222, 60, 10))
    for x, y, wide in c.vary((0, street, 0.05), (c.w, c.h, 0.15), (26, 3)):
        c.line((x, y, wide), "0 0 100 0", (46, 65, 95, 35), 6)
    lamp = x, foot, size = c.x(0.35, 0.65), c.y(1), 0.7 * (c.y(1) - c.y(0))
    c.poly(lamp, "0 100 -45 0 45 0", (48, 55, 100, 28))
    c.oval(lamp, (48, 60, 100, 40), "0 0 45 7")
    c.line(lamp, "-36 0 -36 104 0 104 0 99", (220, 40, 8), 2.5)
    c.glow((x, foot - size, 0.25 * size), (50, 50, 100))
    _person(c, (x, foot, 0.7 * size), (36, 42, 72), (220, 40, 20), hat=(28, 45, 30), hem=22)


def _romance(c: Canvas) -> None:
    shore = c.y(0.68, 0.76)
    sun = x, y, r = c.x(0.42, 0.58), shore - c.vary(0.06, 0.14), c.vary(0.22, 0.3)
    c.fade(0, shore, (292, 60, 60), (326, 65, 92), (350, 45, 100), (22, 40, 100))
    c.rays(sun, (350, 25, 100, 25))
    c.glow(sun, (30, 40, 100, 90), reach=2.4)
    c.oval(sun, (40, 45, 100))
    for _ in range(5):
        c.oval((c.x(0, 1), c.y(0.05, 0.5), c.vary(0.1, 0.25)), (340, 35, 100, 50), "0 0 100 12")
    c.fade(shore, c.h, (338, 55, 90), (300, 70, 35))
    for y in np.linspace(shore + 0.01, c.h, 14):
        c.line((x, y, r * c.vary(0.3, 1)), "-100 0 100 0", (30, 40, 100, 60), 4)
    for _ in range(9):
        heart, pink = (c.x(0.08, 0.92), c.y(0, 0.6), c.vary(0.03, 0.1)), (345, 75, c.vary(80, 100))
        c.poly(heart, "0 0 46 52 0 70 -46 52", pink)
        c.oval(heart, pink, "25 67 26 25")
        c.oval(heart, pink, "-25 67 26 25")
    c.land(c.y(0.95), 0.03, (318, 60, 40), (295, 70, 15))
    size, foot = c.size(0.6, 0.78), c.y(1)
    her, him = (x - 0.17 * size, foot, 0.95 * size), (x + 0.17 * size, foot, size)
    c.oval(her, (24, 60, c.vary(12, 40)), "0 89 8 11")
    _person(c, her, (352, 85, 80), (26, 40, 80), hem=18)
    _person(c, him, (232, 60, 40), (232, 60, 28))


def _horror(c: Canvas) -> None:
    c.fade(0, c.h, (350, 85, 10), (356, 90, 38), (6, 90, 62))
    moon = c.x(0.3, 0.7), c.y(0.2, 0.35), c.size(0.2, 0.28)
    c.glow(moon, (4, 85, 95, 80), reach=2.6)
    c.oval(moon, (8, 72, 95))
    for x, y, r in c.vary((-60, -60, 5), (60, 60, 16), (5, 3)):
        c.oval(moon, (2, 85, 72, 70), f"{x} {y} {r} {r}")
    hill = c.y(0.8)
    c.land(hill - 0.08, 0.12, (355, 80, 30), (350, 80, 12))
    c.land(hill, 0.06, (345, 60, 14), (350, 70, 3), waves=0.8)
    _house(c, (c.x(0.4, 0.6), hill + 0.05, c.rng.choice((-1, 1)) * c.size(0.48, 0.58)))
    for _ in range(7):
        x, y, size = c.x(0.05, 0.95), c.y(0, 0.45), c.vary(0.025, 0.06)
        for side in (size, -size):
            c.poly((x, y, side), "0 15 15 40 45 10 100 50 50 -30 0 -15", (340, 50, 7))
    for edge in (0.06, 0.94):
        _branch(c, c.x(edge), hill + 0.16, np.pi / 2, c.size(0.14, 0.18))


def _house(c: Canvas, at: Place) -> None:
    wall, roof, lit = (330, 35, 11), (340, 50, 6), (40, 85, 100)
    c.poly(at, "-28 0 -28 55 32 55 32 0", wall)
    c.poly(at, "-34 53 -8 92 8 92 38 53", roof)
    for tower, spire in (
        ("-44 0 -44 82 -14 82 -14 0", "-49 80 -31 122 -9 80"),
        ("20 0 20 66 44 66 44 0", "15 64 30 98 49 64"),
    ):
        c.poly(at, tower, wall)
        c.poly(at, spire, roof)
    for x, y in _parse("-36 60 -24 60 -36 38 -30 14 -6 34 8 34 28 46 36 46 32 22 0 64"):
        if c.rng.random() < 0.8:
            c.poly(at, f"{x - 3} {y} {x - 3} {y + 9} {x} {y + 12} {x + 3} {y + 9} {x + 3} {y}", lit)
    c.poly(at, "-3 0 -3 16 2 20 7 16 7 0", (28, 90, 80))


def _branch(c: Canvas, x: float, y: float, angle: float, length: float) -> None:
    """A bare tree that forks until its twigs are short."""
    dx, dy = np.cos(angle), np.sin(angle)
    c.line((x, y, length), [(0, 0), (100 * dx, 100 * dy)], (340, 50, 5), 16)
    if length > 0.035:
        for turn in (c.vary(-0.75, -0.3), c.vary(0.2, 0.75)):
            fork = x + length * dx, y - length * dy, angle + turn
            _branch(c, *fork, length * c.vary(0.66, 0.8))


def _winter(c: Canvas) -> None:
    c.fade(0, c.y(0.8), (212, 75, 72), (204, 45, 92), (196, 12, 100))
    c.glow((c.x(0.15, 0.85), c.y(0.1), 0.6), (54, 20, 100, 90))
    for spot, tall in ((0.1, 0.65), (0.9, 0.6), (c.vary(0.35, 0.65), 0.8)):
        peak = c.x(spot), c.y(0.82), tall * (c.y(0.82) - c.y(0)) * c.rng.choice((-1, 1))
        c.poly(peak, "-85 0 0 100 80 0", (212, 35, 75))
        c.poly(peak, "8 0 0 100 80 0", (218, 50, 52))
        c.poly(
            peak, "0 100 -43 50 -32 56 -24 44 -12 58 1 48 12 60 22 48 30 58 40 50", (200, 4, 100)
        )
        c.poly(peak, "0 100 1 48 12 60 22 48 30 58 40 50", (210, 22, 88))
    for k in range(2):
        y = c.y(0.74 + 0.12 * k)
        c.land(y, 0.06, (200, 6, 100), (210, 35, 82), waves=0.8)
        for _ in range(round(6 * c.w)):
            pine = c.x(0, 1), y + c.vary(0.02, 0.07), c.vary(0.16, 0.26) * (1 + 0.4 * k)
            _pine(c, pine, 36, snow=True)
    skier = c.x(0.35, 0.65), c.y(1), c.size(0.45, 0.6)
    for side in (0, 14):
        c.line(skier, f"{side - 24} -3 {side + 14} 3", (45, 80, 90), 2.5)
    _person(c, skier, (356, 85, 85), (222, 60, 35))
    c.oval(skier, (46, 85, 95), "0 97 6 4")
    for x, y, r in c.vary((0, 0, 0.002), (c.w, c.h, 0.007), (90, 3)):
        c.oval((x, y, r), (0, 0, 100, 80))


def _photo(c: Canvas) -> None:
    """A random cut-out of a photograph, flipped or not."""
    photo = _load_photo(str(c.rng.choice(_PHOTOS)))
    if c.rng.random() < 0.5:
        photo = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    width, height = c.image.size
    scale = c.vary(0.75, 1) * min(photo.width / width, photo.height / height)
    left = c.vary(0, photo.width - scale * width)
    top = c.vary(0, photo.height - scale * height)
    box = left, top, left + scale * width, top + scale * height
    c.image.paste(photo.resize(c.image.size, Image.BICUBIC, box))


# The color photographs inside the scikit-image wheel: the others would have to be downloaded.
_PHOTOS = ("astronaut", "chelsea", "coffee", "rocket", "retina", "hubble_deep_field",
           "stereo_motorcycle")  # fmt: skip


@functools.cache
def _load_photo(name: str) -> Image.Image:
    loaded = getattr(data, name)()
    return Image.fromarray(loaded[0] if name.startswith("stereo") else loaded)


class _Genre(NamedTuple):
    draw: Callable[[Canvas], None]
    bright: float  # the hue of the title
    dark: float  # the hue behind lettering
    adjectives: str
    nouns: str


_GENRES = {
    "western": _Genre(_western, 42, 12, "dusty lonesome rattling", "saddle wagon lasso"),
    "space": _Genre(_space, 205, 255, "silent violet weightless", "comet teapot nebula"),
    "sea": _Genre(_sea, 44, 202, "salty roaring northern", "mermaid anchor schooner"),
    "forest": _Genre(_forest, 70, 120, "mossy whispering hidden", "thicket clearing lantern"),
    "noir": _Genre(_noir, 48, 222, "midnight smoky velvet", "alibi rooftop taxi"),
    "romance": _Genre(_romance, 340, 300, "tender rosy blushing", "letters balcony picnic"),
    "horror": _Genre(_horror, 0, 350, "creaking pale howling", "cellar lullaby guests"),
    "winter": _Genre(_winter, 24, 216, "glittering silver snowbound", "summit sleigh avalanche"),
    "photo": _Genre(_photo, 46, 230, "curious unlikely patient", "morning neighbor journey"),
}
_ORDER = [*_GENRES, "photo"]  # one poster in five
_TAGLINES = "Bring a coat|Listen twice|Nine strangers, one ticket|One more day, one more mile"
_NAMES = "Ada Brook|Bruno Dorn|Cleo Karras|Dario Grau|Edda Fenwick|Felix Ellery|Ilse Ivarsson"


def _letter(c: Canvas, genre: _Genre, title: tuple[float, float], tagline: float) -> None:
    """Put the title (top and height) and the tagline (top) on a poster, and credits at its foot."""
    words = genre.adjectives.split(), genre.nouns.split(), _TAGLINES.split("|")
    adjective, noun, motto = (str(c.rng.choice(choices)).upper() for choices in words)
    article = str(c.rng.choice(("", "THE ")))
    lines = [article + adjective, noun] if c.h > c.w else [f"{article}{adjective} {noun}"]
    pale, bright = (genre.bright, 15, 100), (genre.bright, 75, 100)
    clear, dim, dark = ((genre.dark, 90, 22, alpha) for alpha in (0, 50, 90))
    top, height = title
    c.fade(top - 0.2, top + height + 0.2, clear, dim, dim, dim, clear)
    c.fade(c.h - 0.3, c.h, clear, dark, dark)
    step = height / len(lines)
    for k, line in enumerate(lines):
        c.text(line, top + k * step, step - 0.02, pale, bright, bold=4)
    c.text(motto, tagline, 0.035, pale, bold=1)
    names = c.rng.permutation(_NAMES.upper().split("|"))
    c.text("   ".join(names[:3]), c.h - 0.12, 0.028, _CREAM)
    credit = "MUSIC {}   WRITTEN BY {}   DIRECTED BY {}".format(*names[3:6])
    c.text(credit, c.h - 0.083, 0.028, _CREAM)


def _age(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Age a fresh poster as `recolor.datasets.ageing` does, and fold it."""
    pixels = np.array(image, np.float32)
    height = len(pixels)
    y = np.linspace(-1, 1, height)
    for fold in rng.uniform(-0.5, 0.5, rng.integers(0, 3)):  # a bright crease and its shadow
        away = (y - fold) * height / 2
        light = 1 + 0.12 * np.exp(-(away**2) / 2) - 0.06 * np.exp(-((away - 3) ** 2) / 8)
        pixels *= light[:, None, None].astype(np.float32)
    folded = np.clip(pixels, 0, 255).astype(np.uint8)
    return Image.fromarray(aged(folded, rng))


def draw_poster(seed: int, index: int, era: str) -> tuple[str, Image.Image]:
    """Draw poster number ``index`` (from 0) of a seed (from 0) and give its genre and the picture.

    The picture is RGB, 240-420 pixels on its short side; three of four are portraits (2:3), the
    others landscapes (4:3). The genre is one of western, space, sea, forest, noir, romance, horror,
    winter and photo. With the era ``"old"`` it is the ``"modern"`` picture with the same numbers as
    a faded print; use another seed for pictures that the modern ones do not show.
    """
    rng = np.random.default_rng((seed, index))
    name = _ORDER[index % len(_ORDER)]
    short, portrait = int(rng.integers(240, 421)), rng.random() < 0.75
    long = round(short * (rng.uniform(1.38, 1.52) if portrait else rng.uniform(1.25, 1.45)))
    size = (short, long) if portrait else (long, short)
    height, title = size[1] / short, 0.32 if portrait else 0.18
    if rng.random() < 0.5:
        top, tagline = 0.085, 0.095 + title
        clear = tagline + 0.06, height - 0.14
    else:
        top = height - 0.14 - title
        tagline, clear = top - 0.06, (0.06, top - 0.08)
    canvas = Canvas(size, clear, rng)
    _GENRES[name].draw(canvas)
    _letter(canvas, _GENRES[name], (top, title), tagline)
    if rng.random() < 0.3:
        box = 0, 0, canvas.image.width - 1, canvas.image.height - 1
        canvas.draw.rectangle(box, outline=canvas.rgba(_CREAM), width=canvas.unit // 28)
    pixels = np.asarray(canvas.image.reduce(_OVERSAMPLING), np.float32)
    pixels = pixels + rng.normal(0, 3, (*pixels.shape[:2], 1))  # the grain of the paper
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    return name, _age(image, rng) if era == "old" else image


def generate_demo_posters(out: Path, count: int, era: str, seed: int) -> Iterator[Path]:
    """Write posters 0 to ``count`` - 1 of a seed into a folder, which is made if need be.

    Gives the path of each (such as ``western-0000.jpg``) once it is written. The same arguments
    write the same bytes (given the same versions of the libraries), and a larger count only adds
    posters. See `draw_poster` for the pictures and the two eras.
    """
    for index in range(count):
        genre, image = draw_poster(seed, index, era)
        path = out / f"{genre}-{index:04d}.jpg"
        with atomic_write(path) as temporary:
            image.save(temporary, quality=92)
        yield path
