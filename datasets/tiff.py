"""TIFF files that Pillow opens and reads wrong: their tags tell which, and how to read some right.

Served models hold a copy of this file, so it imports nothing heavy.
"""

import io
import warnings

from PIL import Image, TiffImagePlugin
from PIL.ExifTags import Base

WHITE_IS_0, BLACK_IS_0, RGB, COLOR_MAP, CMYK, YCBCR, LAB = 0, 1, 2, 3, 5, 6, 8
KINDS = {
    WHITE_IS_0: "gray",
    BLACK_IS_0: "gray",
    RGB: "RGB",
    COLOR_MAP: "color-mapped",
    CMYK: "CMYK",
    YCBCR: "YCbCr",
    LAB: "CIELAB",
    32803: "camera raw",
}
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
SEPARATE_PLANES = 2
# Of the bits in a byte.
LOWEST_FIRST = 2
PREMULTIPLIED = 1
BIG = b"II+\0"
SIGNATURES = (b"II*\0", b"MM\0*", BIG)


def misread(image: Image.Image) -> str | None:
    """Say what an opened TIFF file holds if Pillow would decode it to wrong colors, or not at all.

    Returns:
        Words for the kind of file, as "32-bit gray TIFF"; None where Pillow reads it right.
    """
    tags = image.tag_v2
    kind, bits, extra = _kind(tags), _bits(tags), _extra(tags)
    raw = image.info.get("compression") == "raw"
    reversed_bits = raw and tags.get(Base.FillOrder, 1) == LOWEST_FIRST
    wrong = (
        # Negative values, and 32 bits, whose range is not known: many programs use 0 to 255.
        (_sample_format(tags) != FLOAT and (_sample_format(tags) == SIGNED or bits[0] == 32))
        or (reversed_bits and kind == COLOR_MAP)
        or (reversed_bits and kind == WHITE_IS_0 and bits[0] == 8)
        or (raw and kind == YCBCR and tuple(tags.get(Base.YCbCrSubSampling, (1, 1))) != (1, 1))
    )
    if not any(extra):
        bits = bits[: len(bits) - len(extra)]
    if len(bits) > 1 and tags.get(Base.PlanarConfiguration, 1) == SEPARATE_PLANES:
        wrong |= image.mode not in ("RGB", "RGBA", "CMYK") or len(bits) > 4
        wrong |= raw and (bits[0] > 8 or PREMULTIPLIED in extra or reversed_bits)
    return _described(tags) if wrong else None


def unknown(data: bytes) -> str | None:
    """Describe a TIFF file that Pillow can't open; None for damaged and for other files."""
    if not data.startswith(SIGNATURES):
        return None
    file = io.BytesIO(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tags = TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if data.startswith(BIG) else 8])
            file.seek(tags.next)
            tags.load(file)
        return _described(tags) if Base.ImageWidth in tags else None
    except Exception:
        # Pillow raises a dozen different exceptions on damaged tags.
        return None


def gray_range(image: Image.Image) -> tuple[int, int]:
    """Return the values of black and white in a gray TIFF of more than 8 bits."""
    white = (1 << _bits(image.tag_v2)[0]) - 1
    return (white, 0) if _kind(image.tag_v2) == WHITE_IS_0 else (0, white)


def mend_color_map(image: Image.Image) -> None:
    """Give a color-mapped image its colors, where the map goes up to 255 and not to 65,535."""
    colors = image.tag_v2.get(Base.ColorMap, ())
    if image.mode in ("P", "PA") and colors and max(colors) <= 255:
        image.putpalette(bytes(colors), "RGB;L")


def _described(tags) -> str:
    words = [
        "-, ".join(map(str, sorted(set(_bits(tags))))) + "-bit",
        {SIGNED: "signed", FLOAT: "floating-point"}.get(_sample_format(tags)),
        KINDS.get(_kind(tags)),
        "TIFF",
        "with white as 0" if _kind(tags) == WHITE_IS_0 else None,
        "with alpha" if any(_extra(tags)) else None,
        "in separate planes" if tags.get(Base.PlanarConfiguration) == SEPARATE_PLANES else None,
        "with reversed bits" if tags.get(Base.FillOrder) == LOWEST_FIRST else None,
    ]
    return " ".join(filter(None, words))


def _kind(tags) -> int:
    # As Pillow takes it where the tag is missing.
    return tags.get(Base.PhotometricInterpretation, WHITE_IS_0)


def _bits(tags) -> tuple[int, ...]:
    bits = tags.get(Base.BitsPerSample, (1,))
    return bits * tags.get(Base.SamplesPerPixel, 1) if len(bits) == 1 else bits


def _sample_format(tags) -> int:
    return tags.get(Base.SampleFormat, (UNSIGNED,))[0]


def _extra(tags) -> tuple[int, ...]:
    return tags.get(Base.ExtraSamples, ())
