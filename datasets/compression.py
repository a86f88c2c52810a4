"""How the pixels of a stored poster are compressed; nothing is lost.

The names of what is stored say how it is compressed, so a record is read without knowing more.
"""

import io
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

# From L, uint8 [h, w], and ab, int8 [h, w, 2], to what is stored, by name; and back, given h and w.
Encode = Callable[[np.ndarray, np.ndarray], dict[str, bytes]]
Decode = Callable[[Mapping[str, bytes], tuple[int, int]], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Codec:
    """A way to store pixels.

    Attributes:
        names: What is stored.
        encode, decode: There and back.
    """

    names: tuple[str, ...]
    encode: Encode
    decode: Decode


def _plain(stored: Mapping[str, bytes], shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    lightness, ab = stored["lightness"], stored["ab"]
    return (
        np.frombuffer(lightness, np.uint8).reshape(shape),
        np.frombuffer(ab, np.int8).reshape(*shape, 2),
    )


def _deflated(lightness: np.ndarray, ab: np.ndarray) -> dict[str, bytes]:
    # A plane after the other, since neighbors are alike.
    planes = np.concatenate([lightness[None], np.moveaxis(ab.view(np.uint8), -1, 0)])
    return {"lab.zlib": zlib.compress(planes.tobytes(), 1)}


def _inflated(stored: Mapping[str, bytes], shape: tuple[int, int]):
    try:
        content = zlib.decompress(stored["lab.zlib"])
    except zlib.error as error:
        raise ValueError(error) from None
    planes = np.frombuffer(content, np.uint8).reshape(3, *shape)
    return planes[0], np.moveaxis(planes[1:], 0, -1).view(np.int8)


def _as_webp(lightness: np.ndarray, ab: np.ndarray) -> dict[str, bytes]:
    # Colors around the middle of the range, as those of a picture.
    picture = np.dstack([lightness, ab.view(np.uint8) ^ 128])
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "WEBP", lossless=True, method=0, quality=0)
    return {"lab.webp": file.getvalue()}


def _of_webp(stored: Mapping[str, bytes], shape: tuple[int, int]):
    try:
        with Image.open(io.BytesIO(stored["lab.webp"]), formats=["WEBP"]) as image:
            picture = np.asarray(image.convert("RGB")).reshape(*shape, 3)
    except OSError as error:
        raise ValueError(error) from None
    return picture[..., 0], (picture[..., 1:] ^ 128).view(np.int8)


CODECS = {
    "none": Codec(
        ("lightness", "ab"),
        lambda lightness, ab: {"lightness": lightness.tobytes(), "ab": ab.tobytes()},
        _plain,
    ),
    "zlib": Codec(("lab.zlib",), _deflated, _inflated),
    "webp": Codec(("lab.webp",), _as_webp, _of_webp),
}
