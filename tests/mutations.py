"""Damaged image files: small ones of many formats, mutated by a seed.

    for name, data in mutated_files(seed=1, count=500):
        ...

The same seed gives the same files.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from functools import cache

import numpy as np
from PIL import ExifTags, Image, ImageCms

from recolor.datasets.extra_formats import EXTRA_FORMATS

# In bytes of headers, the numbers that most often go wrong.
EXTREME = (0, 1, 0x7F, 0x80, 0xFF)
HEADER = 64


def mutated_files(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Make damaged files.

    Args:
        seed: Another seed gives other files.
        count: How many; the formats and the kinds of damage take turns.

    Yields:
        What was done to which file, and its bytes.
    """
    random = np.random.default_rng(seed)
    sources = list(whole_files().items())
    for number in range(count):
        name, data = sources[number % len(sources)]
        mutate = MUTATIONS[number % len(MUTATIONS)]
        other = sources[random.integers(len(sources))][1]
        yield f"{number}: {name}, {mutate.__name__}", mutate(data, other, random)


@cache
def whole_files() -> dict[str, bytes]:
    """Return small files that are as they should be, by what they are."""
    pixels = np.random.default_rng(0).integers(0, 256, (12, 8, 3), np.uint8)
    rgb = Image.fromarray(pixels).resize((48, 72), Image.Resampling.BICUBIC)
    rgba = rgb.copy()
    rgba.putalpha(Image.linear_gradient("L").resize(rgb.size))
    gray16 = Image.fromarray(np.arange(48 * 72, dtype=np.uint16).reshape(72, 48) * 18)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Artist] = "someone"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "1984:01:01 00:00:00"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    full = {"exif": exif, "icc_profile": profile, "dpi": (300, 300)}
    more = {"save_all": True, "append_images": [rgb.rotate(90), rgb.rotate(180)]}
    extra = {"HEIC": heic, "JPEG XL": jxl, "PSD": psd, "PDF": pdf}
    readable = {one.name for one in EXTRA_FORMATS if one.installed}
    return {
        "JPEG": _encoded(rgb, "JPEG", **full),
        "progressive JPEG": _encoded(rgb, "JPEG", progressive=True),
        "CMYK JPEG": _encoded(rgb.convert("CMYK"), "JPEG"),
        "PNG": _encoded(rgb, "PNG", **full),
        "PNG with alpha": _encoded(rgba, "PNG"),
        "PNG with a palette": _encoded(rgb.quantize(64), "PNG", transparency=3),
        "16-bit PNG": _encoded(gray16, "PNG"),
        "animated PNG": _encoded(rgb, "PNG", **more),
        "WebP": _encoded(rgba, "WEBP", **full),
        "animated WebP": _encoded(rgb, "WEBP", **more),
        "GIF": _encoded(rgb, "GIF", **more),
        "TIFF": _encoded(rgb, "TIFF", **full),
        "LZW TIFF": _encoded(rgba, "TIFF", compression="tiff_lzw"),
        "TIFF of pages": _encoded(rgb, "TIFF", **more),
        "16-bit TIFF": _encoded(gray16, "TIFF"),
        "BMP": _encoded(rgb, "BMP"),
        "BMP with a palette": _encoded(rgb.quantize(16), "BMP"),
        **{name: make(rgb) for name, make in extra.items() if name in readable},
    }


def png_of_header(width: int, height: int) -> bytes:
    """A PNG that announces a size and holds next to no pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    )


def heic(image: Image.Image, **options) -> bytes:
    """Encode an image as HEIC."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    return _encoded(image, "HEIF", **options)


def jxl(image: Image.Image, **options) -> bytes:
    """Encode an image as JPEG XL."""
    import pillow_jxl  # noqa: F401

    return _encoded(image, "JXL", **options)


def psd(image: Image.Image) -> bytes:
    """Encode an image as PSD."""
    from psd_tools import PSDImage

    file = io.BytesIO()
    PSDImage.frompil(image).save(file)
    return file.getvalue()


def pdf(image: Image.Image, **options) -> bytes:
    """Encode an image as a page of PDF that has its shape, in whole pixels at 300 dpi."""
    return _encoded(image, "PDF", resolution=300, **options)


def _encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def flipped(data: bytes, other: bytes, random) -> bytes:
    """Change a few bytes anywhere."""
    changed = bytearray(data)
    for place in random.integers(0, len(data), random.integers(1, 20)):
        changed[place] = random.integers(256)
    return bytes(changed)


def flipped_header(data: bytes, other: bytes, random) -> bytes:
    """Change a few of the first bytes to extreme values, less the signature's."""
    changed = bytearray(data)
    for place in random.integers(4, min(HEADER, len(data)), random.integers(1, 5)):
        changed[place] = random.choice(EXTREME)
    return bytes(changed)


def truncated(data: bytes, other: bytes, random) -> bytes:
    """Cut the end off."""
    return data[: random.integers(len(data))]


def cut_out(data: bytes, other: bytes, random) -> bytes:
    """Leave out a piece."""
    start, end = np.sort(random.integers(0, len(data), 2))
    return data[:start] + data[end:]


def spliced(data: bytes, other: bytes, random) -> bytes:
    """Put the header of one file before the rest of another."""
    return data[: random.integers(4, HEADER)] + other[random.integers(4, HEADER) :]


def doubled(data: bytes, other: bytes, random) -> bytes:
    """Write a piece of the file twice."""
    start, end = np.sort(random.integers(0, len(data), 2))
    return data[:end] + data[start:]


def enlarged(data: bytes, other: bytes, random) -> bytes:
    """Declare another size, where it is written as a number of two or four bytes."""
    size = int(random.choice([0, 1, 9_999, 30_000, 65_535, 2**31 - 1, 2**32 - 1]))
    changed = data
    for number, side in ((48, 0), (72, 1)):
        for code in (">I", "<I", ">H", "<H"):
            found = data.find(struct.pack(code, number), 4)
            if found >= 0 and random.random() < 0.7 - 0.3 * side:
                most = 2 ** (8 * struct.calcsize(code)) - 1
                new = struct.pack(code, min(size, most))
                changed = changed[:found] + new + changed[found + len(new) :]
    return changed


MUTATIONS = (flipped, flipped_header, truncated, cut_out, spliced, doubled, enlarged)
