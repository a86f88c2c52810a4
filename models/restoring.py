"""Undoing what time did to a print: nine numbers, and the small network that finds them, in NumPy.

It is applied without Keras and its frameworks, so that restoring a poster needs none of them;
`recolor.models.restoration` is the same network for training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance
from safetensors import SafetensorError, safe_open
from skimage.color import deltaE_ciede2000, rgb2lab

from recolor.datasets.ageing import densities, density_of, light_of, linear_light, to_srgb
from recolor.datasets.errors import RecolorError, reason_of
from recolor.datasets.palettes.palette import colored_chroma
from recolor.datasets.posters import fit

# Rows and columns of pixels that the network looks at, and the side of the copy they are from:
# single pixels, since means of them have neither the white of letters nor their black.
THUMBNAIL, COPY_SIDE = (96, 64), 256
# Where in equal parts of the copy's height and width they lie, and whether they are mirrored. The
# mean over these views is nearer to the truth than one view in the middle: on 400 validation
# posters, aged, the mean CIEDE2000 is 3.01 instead of 3.09, and half as many are made worse.
VIEWS = ((0.25, 0.25, False), (0.75, 0.25, True), (0.25, 0.75, True), (0.75, 0.75, False))
CHANNELS, HIDDEN = (32, 48, 64, 96), (256, 256)
QUANTILES = (
    *(0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5),
    *(0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 1),
)
STEP = 2

# Rows that are restored at once where a picture is restored in place.
BAND = 64
# Nodes along each side of a look-up table in a .cube file.
CUBE_NODES = 33
# What is smaller is not worth a word.
NOTABLE_STAIN, NOTABLE_LOSS, NOTABLE_HAZE = 0.015, 0.1, 0.01
# The least difference of colors, in CIEDE2000, that people notice.
JUST_NOTICEABLE = 2.3
DYES = ("cyan", "magenta", "yellow")
# Mean chroma of the pixels of 9,000 posters of 2000 to 2019 that are not neutral, and by how much a
# poster's chroma is multiplied at most.
MODERN_CHROMA, LARGEST_GAIN = 30.8, 2.5
# The names of the network's tensors in a file of weights begin so.
NETWORK = "network/"
BUNDLED_FILE = Path(__file__).with_name("pretrained") / "restoration.safetensors"


class RestorerError(RecolorError):
    """A file holds no restoration network that can be used."""


@dataclass(frozen=True)
class Restoration:
    """A color transform that undoes ageing: the inverse of `recolor.datasets.ageing`.

    Each channel is a curve of its own, so it acts on each pixel alone, at any size.

    Attributes:
        haze: Glare in each channel, in linear light, ``[3]``, 0 to 1.
        kept: The share of its density that each dye has kept, ``[3]``, above 0.
        stain: Density of the yellowed paper in each channel, ``[3]``.

    Example:
        >>> faded = Restoration(haze=(0.02,) * 3, kept=(0.9, 0.7, 0.6), stain=(0.01, 0.04, 0.1))
        >>> faded.describe()
        'yellowed paper, faded magenta and yellow, glare'
        >>> faded.scaled(0) == Restoration.none()
        True
    """

    haze: tuple[float, float, float]
    kept: tuple[float, float, float]
    stain: tuple[float, float, float]

    @classmethod
    def none(cls) -> Restoration:
        """Return the one that changes nothing."""
        return cls((0.0,) * 3, (1.0,) * 3, (0.0,) * 3)

    @classmethod
    def of(cls, numbers: np.ndarray) -> Restoration:
        """Make it of haze, kept and stain in a row, ``[9]``."""
        haze, kept, stain = (tuple(map(float, part)) for part in np.reshape(numbers, (3, 3)))
        return cls(haze, kept, stain)

    def scaled(self, amount: float) -> Restoration:
        """Return one that undoes a share of it, 0 to 1."""
        numbers = np.concatenate([self.haze, self.kept, self.stain])
        nothing = np.repeat([0.0, 1.0, 0.0], 3)
        return self.of(nothing + amount * (numbers - nothing))

    @cached_property
    def curves(self) -> np.ndarray:
        """The new sRGB value in [0, 255] of each 8-bit value, for each channel: ``[3, 256]``."""
        haze, kept, stain = (
            np.array(part, np.float32)[:, None] for part in (self.haze, self.kept, self.stain)
        )
        if self == self.none():
            return np.tile(np.arange(256, dtype=np.float32), (3, 1))
        light = np.maximum((linear_light() - haze) / (1 - haze), 0)
        return to_srgb(light_of((density_of(light) - stain) / kept))

    def applied(self, picture: Image.Image) -> Image.Image:
        """Restore an RGB picture of any size."""
        return picture.point(self._table)

    def apply_in_place(self, picture: Image.Image) -> None:
        """Restore an RGB picture without a second one in memory."""
        if self == self.none():
            return
        for top in range(0, picture.height, BAND):
            part = (0, top, picture.width, min(top + BAND, picture.height))
            picture.paste(picture.crop(part).point(self._table), part)

    @property
    def _table(self) -> list[int]:
        return np.rint(self.curves).astype(int).ravel().tolist()

    def shows(self, picture: Image.Image) -> bool:
        """Return whether it undoes something that people would notice in an RGB picture."""
        if not self.describe():
            return False
        some = picture.resize(THUMBNAIL[::-1], Image.Resampling.NEAREST)
        before, after = (rgb2lab(np.asarray(image)) for image in (some, self.applied(some)))
        return deltaE_ciede2000(before, after).mean() > JUST_NOTICEABLE

    def describe(self) -> str:
        """Say what it undoes, in words; empty where that is little."""
        red, green, blue = self.stain
        found = []
        if max(self.stain) > NOTABLE_STAIN:
            yellowed = blue > green >= red
            found.append("yellowed paper" if yellowed else "a color cast")
        lost = [dye for dye, kept in zip(DYES, self.kept, strict=True) if 1 - kept > NOTABLE_LOSS]
        if lost:
            found.append("faded " + ("colors" if len(lost) == len(DYES) else " and ".join(lost)))
        if max(self.haze) > NOTABLE_HAZE:
            found.append("glare")
        return ", ".join(found)

    def cube(self) -> str:
        """Return it as a 3D look-up table for other editors, the text of a ``.cube`` file."""
        place = np.linspace(0, 255, CUBE_NODES)
        columns = [np.interp(place, np.arange(256), curve) / 255 for curve in self.curves]
        # Red changes fastest.
        blue, green, red = np.meshgrid(*columns[::-1], indexing="ij")
        rows = np.stack([red, green, blue], axis=-1).reshape(-1, 3)
        lines = [f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in rows.clip(0, 1)]
        head = ['TITLE "recolor: restoration"', f"LUT_3D_SIZE {CUBE_NODES}"]
        return "\n".join([*head, *lines]) + "\n"


@dataclass(frozen=True)
class Restorer:
    """The network of `recolor.models.restoration`, for single pictures.

    Attributes:
        tensors: Its weights by name, ``float32``.
        about: Which network it is, for people to read.
    """

    tensors: Mapping[str, np.ndarray]
    about: str = "the bundled restoration network"

    @classmethod
    def load(cls, file: Path, about: str) -> Restorer:
        """Read a file of weights.

        Args:
            file: The file.
            about: Which network it is.

        Raises:
            RestorerError: If the file is missing, or of another kind of network.
        """
        try:
            with safe_open(file, framework="numpy") as content:
                names = [name for name in content.keys() if name.startswith(NETWORK)]  # noqa: SIM118
                tensors = {
                    name.removeprefix(NETWORK): content.get_tensor(name).astype(np.float32)
                    for name in names
                }
            restorer = cls(tensors, about)
            # Whatever does not fit shows now.
            if not np.isfinite(restorer.numbers(np.zeros((1, *THUMBNAIL, 3), np.uint8))).all():
                raise ValueError("a weight is not a finite number")
            return restorer
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise RestorerError(
                f"{file} holds no restoration network ({reason_of(error)})"
            ) from None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of its weights."""
        sha256 = hashlib.sha256()
        for name in sorted(self.tensors):
            sha256.update(name.encode() + self.tensors[name].tobytes())
        return sha256.hexdigest()

    @staticmethod
    @cache
    def bundled() -> Restorer:
        """Return the one that ships with recolor."""
        return Restorer.load(BUNDLED_FILE, Restorer.about)

    def look(self, poster: Image.Image) -> Restoration:
        """Find how an RGB picture of any size has aged."""
        return Restoration.of(self.numbers(views(poster)).mean(axis=0))

    def numbers(self, thumbnails: np.ndarray) -> np.ndarray:
        """Run the network on ``uint8 [n, 96, 64, 3]``: haze, kept and stain, ``float32 [n, 9]``."""
        x = density = densities()[thumbnails]
        ordered = np.sort(density[:, ::STEP, ::STEP].reshape(len(density), -1, 3), axis=1)
        places = np.rint(np.array(QUANTILES) * (ordered.shape[1] - 1)).astype(int)
        quantiles = ordered[:, places].reshape(len(density), -1)
        for number in range(len(CHANNELS)):
            x = np.maximum(self._convolved(f"conv_{number}", x), 0)
        x = np.concatenate([quantiles, x.mean(axis=(1, 2)), x.max(axis=(1, 2))], axis=1)
        for number in range(len(HIDDEN)):
            x = np.maximum(self._dense(f"dense_{number}", x), 0)
        x = self._dense("numbers", x)
        haze = 0.08 / (1 + np.exp(3.5 - x[:, :3]))
        kept = np.clip(np.exp(0.5 * np.minimum(x[:, 3:6], 0.6)), 0.1, 1.3)
        stain = 0.1 * np.logaddexp(0, x[:, 6:] - 3)
        return np.concatenate([haze, kept, stain], axis=1)

    def _dense(self, name: str, x: np.ndarray) -> np.ndarray:
        return x @ self.tensors[f"{name}/kernel"] + self.tensors[f"{name}/bias"]

    def _convolved(self, name: str, x: np.ndarray) -> np.ndarray:
        """Convolve 3x3 at every second pixel; of even sides, the padding is at their ends."""
        windows = np.lib.stride_tricks.sliding_window_view(
            np.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0))), (3, 3), axis=(1, 2)
        )[:, ::2, ::2]
        kernel = self.tensors[f"{name}/kernel"]
        return np.tensordot(windows, kernel, ((4, 5, 3), (0, 1, 2))) + self.tensors[f"{name}/bias"]


def views(poster: Image.Image) -> np.ndarray:
    """Return what the network sees of an RGB picture: ``uint8 [4, 96, 64, 3]``."""
    copy = np.asarray(fit(poster, COPY_SIDE)[0])
    seen = []
    for down, across, mirrored in VIEWS:
        rows, columns = (
            sampled(side, count, place)
            for side, count, place in zip(copy.shape, THUMBNAIL, (down, across), strict=False)
        )
        view = copy[np.ix_(rows, columns)]
        seen.append(view[:, ::-1] if mirrored else view)
    return np.stack(seen)


def sampled(side: int, count: int, place: float = 0.5) -> np.ndarray:
    """Return which pixels lie at a place, 0 to 1, of equal parts of a side: ``int [count]``."""
    return ((np.arange(count) + place) * side / count).astype(int)


def more_vivid(picture: Image.Image, share: float) -> Image.Image:
    """Multiply the chroma of every pixel, by a share of the way to that of modern posters.

    Args:
        picture: RGB.
        share: 0 to 1; a picture that is as vivid as they are stays as it is at any.
    """
    chroma = colored_chroma(picture)
    if not share or not chroma:
        return picture
    gain = min(max(MODERN_CHROMA / chroma, 1), LARGEST_GAIN)
    return ImageEnhance.Color(picture).enhance(1 + share * (gain - 1))
