"""ICC profiles: what colors the numbers of an image file mean.

Served models hold a copy of this file, so it imports nothing heavy.
"""

from collections.abc import Callable
from functools import cache, lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

# A profile that moves no channel of any color by more than this is sRGB's, whoever wrote it.
ROUNDING = 2
# In the header of a profile: six numbers of two bytes.
DATE = slice(24, 36)
# What PNG files say that mean sRGB, and how near to it is near enough.
SRGB_GAMMA, NEAR_GAMMA = 1 / 2.2, 0.02
# In a JPEG 2000 file: its beginning, and the method of a box "colr" that holds a profile.
JPEG_2000, HOLDS_PROFILE = b"\0\0\0\x0cjP  ", b"\2"


def to_srgb(image: Image.Image) -> Image.Image:
    """Convert an image to sRGB by the profile that its file holds.

    Without a profile, or with one that is damaged or of another kind of image, RGB and gray are
    taken for sRGB, and CMYK is converted without regard to inks. PNG's ``gAMA`` is obeyed where
    there is neither a profile nor ``sRGB``; ``cHRM`` and ``cICP`` are not. Transparency is left
    out.

    Args:
        image: A decoded image with 8 bits a channel.

    Returns:
        An image of mode ``RGB``, of the same size.

    Raises:
        ValueError: If Pillow can't bring the image's mode to RGB.
    """
    mode = {"1": "L", "L": "L", "LA": "L", "CMYK": "CMYK"}.get(image.mode, "RGB")
    profile = image.info.get("icc_profile") or b""
    rgb = _in_mode("RGB", _conversion(profile, mode)(_in_mode(mode, image)))
    gamma = image.info.get("gamma")
    if not gamma or profile or "srgb" in image.info or abs(gamma - SRGB_GAMMA) < NEAR_GAMMA:
        return rgb
    return rgb.point(_from_gamma(gamma) * 3)


def embedded_profile(data: bytes) -> bytes | None:
    """Return the profile in a JPEG 2000 file, if it holds one: Pillow does not read it."""
    if not data.startswith(JPEG_2000):
        return None
    box = data.find(b"colr")
    if box < 0 or data[box + 4 : box + 5] != HOLDS_PROFILE:
        return None
    return data[box + 7 : box - 4 + int.from_bytes(data[box - 4 : box], "big")]


def _in_mode(mode: str, image: Image.Image) -> Image.Image:
    # Pillow would copy an image that is in the mode already.
    return image if image.mode == mode else image.convert(mode)


@cache
def srgb_profile() -> bytes:
    """Return the profile of sRGB, always the same bytes, to be saved with an image."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # The time of its making.
    profile[DATE] = bytes(12)
    return bytes(profile)


# Many posters of a folder come from the same program, with the same profile.
@lru_cache(maxsize=16)
def _conversion(content: bytes, mode: str) -> Callable[[Image.Image], Image.Image]:
    """Return what brings images of a mode (``L``, ``RGB`` or ``CMYK``) to sRGB."""
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(content))
        of_profile = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}
        given = of_profile.get(profile.profile.xcolor_space.strip())
        # Gray may come with the profile of an RGB space.
        if given not in (mode, "RGB" if mode == "L" else None):
            return _unchanged
        transform = ImageCms.buildTransform(
            profile,
            ImageCms.createProfile("sRGB"),
            given,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            # Printed black, which is not quite black, becomes black.
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return _unchanged
    if mode == "L":
        # One channel, since rounding may leave the three a step apart.
        return lambda image: transform.apply(image.convert(given)).getchannel("G")
    if mode == "RGB":
        lattice = _lattice()
        moved = np.asarray(transform.apply(lattice)).astype(int) - np.asarray(lattice)
        if np.abs(moved).max() <= ROUNDING:
            return _unchanged
    return transform.apply


def _from_gamma(gamma: float) -> list[int]:
    """Return the level in sRGB of each of 256 that mean light to the power of `gamma`."""
    light = (np.arange(256) / 255) ** (1 / gamma)
    level = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(255 * level).astype(int).tolist()


def _unchanged(image: Image.Image) -> Image.Image:
    return image


def _lattice() -> Image.Image:
    """Colors from all over the cube of RGB."""
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1)
    return Image.fromarray(colors.reshape(27, 27, 3))
