"""Image formats that packages of the extra ``formats`` read: HEIC, JPEG XL, PSD and PDF.

Results are not written in them. A package is imported when the first such file is opened. Served
models hold a copy of this file, so it imports nothing heavy.
"""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from threading import Lock

import numpy as np
from PIL import ExifTags, Image

from recolor.datasets.errors import RecolorError

INSTALL = "pip install 'poster-recolor[formats]'"
# Of a PDF's page, as posters are printed.
PDF_DPI = 300
# PDFium must not run in two threads at once.
PDFIUM = Lock()

CheckSize = Callable[[int, int], None]


class FormatError(RecolorError):
    """A file can't be read, though it is of one of these formats. The message says why."""


@dataclass(frozen=True)
class ExtraFormat:
    """A format.

    Attributes:
        name: What people call it.
        module: The module that reads it.
        suffixes: Of its files, in small letters.
        accepts: Tells by a file's content whether it is of the format.
        read: Opens a file's content as an image, whose ``format`` is not among those that Pillow
            writes here. What it is given as well raises an error for sizes that are too large; it
            is called before pixels are decoded.
    """

    name: str
    module: str
    suffixes: tuple[str, ...]
    accepts: Callable[[bytes], bool]
    read: Callable[[bytes, CheckSize], Image.Image]

    @property
    def installed(self) -> bool:
        """Whether the module is there."""
        return find_spec(self.module) is not None


def suffixes() -> tuple[str, ...]:
    """Return the suffixes of all formats that can be read."""
    return tuple(suffix for one in EXTRA_FORMATS if one.installed for suffix in one.suffixes)


def installable(suffix: str) -> bool:
    """Tell whether files of a suffix could be read with a package that is not installed."""
    return any(suffix in one.suffixes and not one.installed for one in EXTRA_FORMATS)


def open_extra(data: bytes, check_size: CheckSize) -> Image.Image | None:
    """Open a file of one of these formats.

    Args:
        data: The file's content.
        check_size: Given a width and a height, raises an error if they are too large.

    Returns:
        The image; None if the file is of another format.

    Raises:
        FormatError: If the package that reads it is not installed, or the file is made in a way
            that can't be read.
    """
    for one in EXTRA_FORMATS:
        if one.accepts(data):
            if not one.installed:
                raise FormatError(f"{one.name} files need another package: {INSTALL}")
            return one.read(data, check_size)
    return None


def _is_heif(data: bytes) -> bool:
    brands = data[8 : min(int.from_bytes(data[:4], "big"), 256)]
    coded = {brands[place : place + 4] for place in range(0, len(brands), 4)}
    return data[4:8] == b"ftyp" and bool(coded & {b"heic", b"heix", b"heim", b"heis", b"hevc"})


def _read_heif(data: bytes, check_size: CheckSize) -> Image.Image:
    from pillow_heif.as_plugin import HeifImageFile

    image = HeifImageFile(io.BytesIO(data))
    check_size(*image.size)
    return image


JXL_CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"


def _is_jxl(data: bytes) -> bool:
    return data.startswith((b"\xff\x0a", JXL_CONTAINER))


def _read_jxl(data: bytes, check_size: CheckSize) -> Image.Image:
    from pillow_jxl.JpegXLImagePlugin import JXLImageFile

    # It decodes pixels at once.
    check_size(*_jxl_size(data))
    try:
        image = JXLImageFile(io.BytesIO(data))
    except RuntimeError:
        # It says how to compile libjxl.
        raise FormatError("damaged image: its pixels can't be decoded") from None
    check_size(*image.size)
    # The pixels are upright.
    exif = image.getexif()
    if exif.pop(ExifTags.Base.Orientation, None):
        image.info["exif"] = exif.tobytes()
    return image


def _jxl_size(data: bytes) -> tuple[int, int]:
    """Return width and height, of which the first bits of a JPEG XL codestream tell."""
    bits = int.from_bytes(_jxl_codestream(data)[2:16], "little")

    def take(count: int) -> int:
        nonlocal bits
        taken = bits & ((1 << count) - 1)
        bits >>= count
        return taken

    def side() -> int:
        return 8 * (take(5) + 1) if small else take((9, 13, 18, 30)[take(2)]) + 1

    small = take(1)
    height = side()
    if not (ratio := take(3)):
        return side(), height
    across, down = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio - 1]
    return height * across // down, height


def _jxl_codestream(data: bytes) -> bytes:
    """Return the first bytes of the codestream, which may lie in a box of a container."""
    place = 0 if data.startswith(JXL_CONTAINER) else len(data)
    while place < len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        start = place + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, start)
            start += 8
        if kind in (b"jxlc", b"jxlp"):
            # The parts of a divided codestream are numbered.
            start += 4 * (kind == b"jxlp")
            return data[start : start + 16]
        if length < 8:
            raise FormatError("damaged image: it holds no pixels")
        place += length
    return data[:16]


def _is_psd(data: bytes) -> bool:
    return data.startswith(b"8BPS")


def _read_psd(data: bytes, check_size: CheckSize) -> Image.Image:
    """Read the flattened picture of a Photoshop file, which most hold beside their layers.

    Pillow reads only 8 bits, and takes a saved selection for transparency.
    """
    from psd_tools import PSDImage
    from psd_tools.constants import Resource

    height, width = struct.unpack_from(">II", data, 14)
    check_size(width, height)
    if _psd_is_cut_off(data):
        raise FormatError("damaged image: its end is missing")
    document = PSDImage.open(io.BytesIO(data))
    image = document.topil(apply_icc=False)
    if image is None:
        raise FormatError("its layers are not flattened: save it with maximized compatibility")
    image.format = "PSD"
    if profile := document.image_resources.get_data(Resource.ICC_PROFILE):
        image.info["icc_profile"] = profile
    if resolution := document.image_resources.get_data(Resource.RESOLUTION_INFO):
        # Fixed-point numbers, per inch whatever unit is shown.
        image.info["dpi"] = (resolution.horizontal / 65536, resolution.vertical / 65536)
    return image


def _psd_is_cut_off(data: bytes) -> bool:
    """Tell whether a Photoshop file lacks pixels of its flattened picture, which ends it."""
    version, channels, height, width, depth = struct.unpack_from(">4xH6xHIIH", data)
    large = version == 2
    place = 26
    for form in (">I", ">I", ">Q" if large else ">I"):
        place += struct.calcsize(form) + struct.unpack_from(form, data, place)[0]
    (compression,) = struct.unpack_from(">H", data, place)
    rows, place = channels * height, place + 2
    if compression == 0:
        return len(data) < place + rows * ((width * depth + 7) // 8)
    if compression == 1:
        lengths = np.frombuffer(data, ">u4" if large else ">u2", rows, place)
        return len(data) < place + lengths.nbytes + int(lengths.sum())
    return False


def _is_pdf(data: bytes) -> bool:
    return data.startswith(b"%PDF-")


def _read_pdf(data: bytes, check_size: CheckSize) -> Image.Image:
    """Draw the first page of a PDF on white."""
    import pypdfium2
    from pypdfium2 import raw

    with PDFIUM:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            if "password" in str(error):
                raise FormatError("it is protected by a password: save it without") from None
            raise
        try:
            page = document[0]
            size = [max(1, round(side * PDF_DPI / 72)) for side in page.get_size()]
            check_size(*size)
            bitmap = pypdfium2.PdfBitmap.new_native(*size, raw.FPDFBitmap_BGR)
            bitmap.fill_rect((255, 255, 255, 255), 0, 0, *size)
            # Pages are a fraction of a pixel smaller or larger.
            raw.FPDF_RenderPageBitmap(bitmap, page, 0, 0, *size, 0, raw.FPDF_ANNOT)
            image = bitmap.to_pil()
            image.is_animated = len(document) > 1
        finally:
            document.close()
    image.format = "PDF"
    image.info["dpi"] = (PDF_DPI, PDF_DPI)
    return image


EXTRA_FORMATS = (
    ExtraFormat("HEIC", "pillow_heif", (".heic", ".heif", ".hif"), _is_heif, _read_heif),
    ExtraFormat("JPEG XL", "pillow_jxl", (".jxl",), _is_jxl, _read_jxl),
    ExtraFormat("PSD", "psd_tools", (".psd", ".psb"), _is_psd, _read_psd),
    ExtraFormat("PDF", "pypdfium2", (".pdf",), _is_pdf, _read_pdf),
)
