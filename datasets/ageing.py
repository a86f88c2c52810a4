"""What time does to a printed poster.

Dyes lose density, each its own share of it, and mix a little; paper yellows; glare lifts the
blacks; the border, which light and hands reach, suffers more or less than the center; dust, fine
scratches, the scanner's noise and JPEG come on top. With the density of each channel, D =
-log10(linear sRGB), which red light measures of the cyan dye, green of magenta and blue of yellow:

    D'   = (1 - fading) (mixing D) + stain
    lin' = haze + (1 - haze) 10^-D'

A print's black reflects a thousandth of the light, so a picture's black has the density 3.
`recolor.models.restoring` undoes all this.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from recolor.datasets.color import linear_of_srgb, srgb_of_linear

# Which share of its density each dye loses at most: cyan, magenta, yellow. Light takes magenta and
# yellow first; in the dark, the cyan of old papers goes; some prints fade evenly.
FADING = {
    "sunlight": (0.15, 0.5, 0.6),
    "dark storage": (0.5, 0.2, 0.25),
    "even": (0.3, 0.35, 0.3),
}
# How much each channel takes of the yellowing of the paper, and of glare.
YELLOWING = (0.15, 0.45, 1.0)
GLARE = (1.0, 0.95, 0.85)
LARGEST_STAIN, LARGEST_HAZE = 0.16, 0.06
# How much of the other two dyes' density gets into each, together, and by how much the border
# differs from the mean.
LARGEST_MIX, LARGEST_BORDER = 0.05, 0.15
# A scanner's noise has a standard deviation of at most this many levels. Three of four scans become
# JPEG files, with a quality in per cent.
LARGEST_NOISE, QUALITY, JPEG_SHARE = 2.0, (85, 97), 0.75
# What a camera or a scanner may add: density to all channels and to each, and contrast.
LARGEST_SHADE, LARGEST_CAST, CONTRAST = 0.25, 0.15, (0.75, 1.25)
# Dust and scratches are counted for a picture of this side.
FULL_SIDE = 256
SPECKS, SCRATCHES = 12, 3
# What a print's black reflects.
BLACK = 1e-3
_STEPS = 4096


@dataclass(frozen=True)
class Ageing:
    """What has happened to one poster.

    Attributes:
        fading: The share of the density that each dye has lost, ``[3]``, 0 to 1.
        mixing: What each dye's density is made of, ``[3, 3]``; its rows add up to 1.
        stain: Density of the yellowed paper in each channel, ``[3]``.
        haze: Glare in each channel, in linear light, ``[3]``, 0 to 1.
        border: By how much more (or less, below 0) the corners have aged than the mean, as a share.
    """

    fading: np.ndarray
    mixing: np.ndarray
    stain: np.ndarray
    haze: np.ndarray
    border: float

    @classmethod
    def drawn(cls, generator: np.random.Generator) -> Ageing:
        """Draw one at random: its kind, and how far it has gone."""
        kind = list(FADING.values())[generator.integers(len(FADING))]
        strength = generator.uniform(0.3, 1)
        others = generator.uniform(0, 0.5 * LARGEST_MIX, (3, 3)) * strength
        np.fill_diagonal(others, 0)
        return cls(
            fading=strength * np.array(kind) * generator.uniform(0.7, 1.2, 3),
            mixing=others + np.diag(1 - others.sum(axis=1)),
            stain=strength * generator.uniform(0, LARGEST_STAIN) * np.array(YELLOWING),
            haze=strength * generator.uniform(0, LARGEST_HAZE) * np.array(GLARE),
            border=generator.uniform(-LARGEST_BORDER, LARGEST_BORDER),
        )

    def applied(self, rgb: np.ndarray) -> np.ndarray:
        """Age a picture's colors: sRGB ``uint8 [h, w, 3]`` to sRGB in [0, 255], ``float32``."""
        height, width = rgb.shape[:2]
        y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        # The mean of x^2 + y^2 over the picture is 2 / 3.
        more = (1 + self.border * (0.75 * (x**2 + y**2) - 0.5))[..., None].astype(np.float32)
        density = densities()[rgb] @ self.mixing.T.astype(np.float32)
        density *= 1 - self.fading.astype(np.float32) * more
        density += self.stain.astype(np.float32) * more
        haze = self.haze.astype(np.float32)
        return to_srgb(haze + (1 - haze) * light_of(density))


def aged(
    rgb: np.ndarray, generator: np.random.Generator, quality: tuple[int, int] = QUALITY
) -> np.ndarray:
    """Age a poster at random, and scan it.

    Args:
        rgb: sRGB, ``uint8 [h, w, 3]``.
        generator: What everything is drawn from, so that the same seed gives the same picture.
        quality: Range of JPEG's quality.

    Returns:
        sRGB, ``uint8 [h, w, 3]``.

    Example:
        >>> poster = np.full((30, 20, 3), 255, np.uint8)
        >>> red, green, blue = aged(poster, np.random.default_rng(0)).mean(axis=(0, 1))
        >>> red > green > blue  # the paper has yellowed
        True
    """
    faded = Ageing.drawn(generator).applied(rgb)
    _wear(faded, generator)
    return scanned(faded, generator, quality)


def scanned(
    pixels: np.ndarray, generator: np.random.Generator, quality: tuple[int, int] = QUALITY
) -> np.ndarray:
    """Add what a scan does to any print, old or new: noise, and JPEG's errors.

    Args:
        pixels: sRGB in [0, 255], of any type, ``[h, w, 3]``.
        generator: What everything is drawn from.
        quality: Range of JPEG's quality.

    Returns:
        sRGB, ``uint8 [h, w, 3]``.
    """
    noise = generator.uniform(0, LARGEST_NOISE) * generator.standard_normal(
        pixels.shape, np.float32
    )
    picture = np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)
    if generator.random() > JPEG_SHARE:
        return picture
    file = io.BytesIO()
    # Scans are larger than this picture, so their colors are as fine as it.
    worth = int(generator.integers(*quality, endpoint=True))
    Image.fromarray(picture).save(file, "JPEG", quality=worth, subsampling=0)
    return np.asarray(Image.open(file))


def badly_lit(rgb: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Photograph a poster in bad light: too dark, tinted, pale or harsh, and with glare.

    Args:
        rgb: sRGB, ``uint8 [h, w, 3]``.
        generator: What the light is drawn from.

    Returns:
        sRGB, ``uint8 [h, w, 3]``.
    """
    cast = generator.uniform(0, LARGEST_SHADE) + generator.uniform(0, LARGEST_CAST, 3)
    density = densities()[rgb] * np.float32(generator.uniform(*CONTRAST)) + np.float32(cast)
    haze = np.float32(generator.uniform(0, LARGEST_HAZE))
    return np.rint(to_srgb(haze + (1 - haze) * light_of(density))).astype(np.uint8)


def printed_in_one_ink(rgb: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Print a poster's lightness in one ink of a random color, on white paper.

    Args:
        rgb: sRGB, ``uint8 [h, w, 3]``.
        generator: What the ink is drawn from; one of three is black.

    Returns:
        sRGB, ``uint8 [h, w, 3]``.
    """
    gray = densities()[np.asarray(Image.fromarray(rgb).convert("L"))]
    ink = np.exp(generator.normal(0, 0.3, 3) * (generator.random() > 1 / 3))
    linear = light_of((gray[..., None] * ink / ink.mean()).astype(np.float32))
    return np.rint(to_srgb(linear)).astype(np.uint8)


@cache
def linear_light() -> np.ndarray:
    """Return linear sRGB of each 8-bit value: ``float32 [256]``, 0 to 1."""
    return linear_of_srgb(np.arange(256) / 255).astype(np.float32)


@cache
def densities() -> np.ndarray:
    """Return the density of each 8-bit value: ``float32 [256]``, from 3 (black) to 0 (white)."""
    return density_of(linear_light())


def density_of(linear: np.ndarray) -> np.ndarray:
    """Return the density of linear light of 0 or more."""
    return -np.log10(BLACK + (1 - BLACK) * linear)


def light_of(density: np.ndarray) -> np.ndarray:
    """Return the linear light of a density; it is negative where the density is above 3."""
    return (np.exp(-np.log(10, dtype=density.dtype) * density) - BLACK) / (1 - BLACK)


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """Convert linear light in [0, 1], ``float32``, to sRGB in [0, 255], to 0.1 of a level."""
    # By a table over the square root, since powers take longer than all the rest.
    place = np.sqrt(np.clip(linear, 0, 1)) * np.float32(_STEPS)
    return _srgb_table()[(place + np.float32(0.5)).astype(np.int32)]


@cache
def _srgb_table() -> np.ndarray:
    return (255 * srgb_of_linear((np.arange(_STEPS + 1) / _STEPS) ** 2)).astype(np.float32)


def _wear(pixels: np.ndarray, generator: np.random.Generator) -> None:
    """Put dust and fine scratches onto a picture ``float32 [h, w, 3]``, light or dark."""
    height, width = pixels.shape[:2]
    part = height * width / FULL_SIDE**2
    for _ in range(generator.poisson(SPECKS * part)):
        y, x = generator.integers(height), generator.integers(width)
        pixels[y, x] += generator.choice((-1, 1)) * generator.uniform(30, 120)
    for _ in range(generator.poisson(SCRATCHES * part)):
        top, length = generator.integers(height), generator.integers(2, 2 + height // 4)
        x = np.rint(generator.integers(width) + np.arange(length) * generator.normal(0, 0.1))
        y = np.arange(top, top + length)
        inside = (y < height) & (x >= 0) & (x < width)
        pixels[y[inside], x[inside].astype(int)] += generator.uniform(20, 60)
