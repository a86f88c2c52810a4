"""A picture's file: what it holds beside the colors goes into the file of the recolored picture.

Transparency, Exif, XMP and resolution do, as far as the format has them. The orientation is
applied, and the thumbnail left out, since it shows the old colors. A color profile is replaced by
that of sRGB: the picture is in sRGB anyway, and converting it back would only add errors of
rounding. Formats that are only read, as HEIC, become PNG.
"""

import io
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, PngImagePlugin, TiffImagePlugin, TiffTags

from recolor.datasets.color_profiles import srgb_profile
from recolor.datasets.errors import first_line
from recolor.datasets.images import (
    FORMATS,
    MAX_FILE_PIXELS,
    MAX_PIXELS,
    ImageError,
    open_image,
    read_file,
    to_rgb_and_alpha,
)
from recolor.datasets.posters import Box
from recolor.datasets.xmp import with_recipe

# With little loss.
QUALITY = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95}}
ALPHA_FORMATS = ("PNG", "WEBP", "TIFF", "AVIF", "JPEG2000", "TGA")
CMYK_LOST = "CMYK became RGB"
ALPHA_LOST = "transparency became white, since {} files are written without"
# In GIF, one of the colors is clear. This one, for pixels that are less than half opaque.
CLEAR, HALF = 255, 128
# Rows in a band: white is taken out of transparent pixels band by band, to bound the memory.
BAND = 64

# Exif's tags that tell about the picture; others tell how its pixels are stored.
DESCRIPTIVE_TAGS = {
    *(ExifTags.Base[name] for name in (
        *("DocumentName", "ImageDescription", "Make", "Model", "PageName", "XResolution"),
        *("YResolution", "ResolutionUnit", "Software", "DateTime", "Artist", "HostComputer"),
        *("Rating", "RatingPercent", "Copyright", "XPTitle", "XPComment", "XPAuthor", "XPKeywords"),
        "XPSubject",
    )),
    *(ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo),
}  # fmt: skip
IN_SRGB = 1
# What a JPEG can hold.
MOST_EXIF, MOST_XMP, MOST_DPI = 65_533, 65_504, 65_535
# In a PNG, the packet is a text that is not compressed.
PNG_XMP = b"XML:com.adobe.xmp\0\0\0\0\0"


@dataclass(frozen=True)
class PictureFile:
    """A picture, and what its file holds beside the colors.

    Attributes:
        picture: Upright, in sRGB, with transparency laid over white.
        kind: The file's format, as Pillow calls it; PNG where the format is only read.
        alpha: The transparency, mode ``L``, or None.
        exif: Exif for a file of the upright picture, or None.
        xmp: The XMP packet, or None.
        dpi: Dots per inch across and down; None where they are not known.
        animated: Whether the file holds more frames or pages, of which this is the first.
        loses: What a file of the same format can't hold of this one, and becomes what; in words.
    """

    picture: Image.Image
    kind: str
    alpha: Image.Image | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    animated: bool = False
    loses: str = ""

    @classmethod
    def read(cls, path: Path) -> "PictureFile":
        """Read a file of up to 400 megapixels.

        Pillow's own limit, 179, is raised for the whole process.

        Raises:
            ImageError: If it can't be read, or is not an image that can be used.
        """
        Image.MAX_IMAGE_PIXELS = MAX_FILE_PIXELS
        return cls.of(read_file(path, MAX_FILE_PIXELS), MAX_FILE_PIXELS)

    @classmethod
    def of(cls, data: bytes, most_pixels: int = MAX_PIXELS) -> "PictureFile":
        """Decode a file's content.

        Raises:
            TooManyPixelsError: If the picture has more pixels; none is decoded then.
            ImageError: If it is not an image that can be used.
        """
        image = open_image(data, most_pixels)
        kind = "JPEG" if image.format == "MPO" else image.format
        if kind not in FORMATS:
            kind = "PNG"
        # Decoding may leave nothing but pixels in the image.
        dpi = _dpi(image)
        cmyk = image.mode == "CMYK"
        picture, alpha = to_rgb_and_alpha(image)
        with warnings.catch_warnings():
            # Of damaged Exif.
            warnings.simplefilter("ignore")
            exif = _exif(image, picture.size)
            loses = CMYK_LOST if cmyk else ""
            if alpha and kind not in (*ALPHA_FORMATS, "GIF"):
                loses = ALPHA_LOST.format(kind)
            return cls(picture, kind, alpha, exif, _xmp(image), dpi, _animated(image), loses)

    def cropped(self, box: Box) -> "PictureFile":
        """Return a copy with a part of the picture."""
        corners = (box.left, box.top, box.left + box.width, box.top + box.height)
        alpha = self.alpha and self.alpha.crop(corners)
        return replace(self, picture=self.picture.crop(corners), alpha=alpha)

    def with_colors_of(self, picture: Image.Image, recipe: str | None = None) -> bytes:
        """Return a file of the same format and content, but for the colors.

        Args:
            picture: What the result is to look like, over white where it has transparency; of the
                same size, in sRGB.
            recipe: What is to be embedded, as `recolor.datasets.xmp.with_recipe` takes it. It is
                left out where the format has no XMP, or the packet would be too long for it.

        Raises:
            ImageError: If the format can't hold such a picture.
        """
        options = {"icc_profile": srgb_profile(), **QUALITY.get(self.kind, {})}
        if self.dpi:
            options["dpi"] = self.dpi
        if self.exif and not (self.kind == "JPEG" and len(self.exif) > MOST_EXIF):
            options["exif"] = _loaded(self.exif)
        options.update(self._xmp_option(recipe))
        if self.alpha and self.kind in ALPHA_FORMATS:
            picture = _behind_white(picture, self.alpha)
        elif self.alpha and self.kind == "GIF":
            clear = self.alpha.point(lambda opacity: 255 * (opacity < HALF))
            picture = picture.quantize(CLEAR)
            picture.paste(CLEAR, mask=clear)
            options["transparency"] = CLEAR
        file = io.BytesIO()
        try:
            picture.save(file, self.kind, **options)
        except (OSError, ValueError) as error:
            # As of an animated WebP that is larger than a still one can be.
            raise ImageError(f"can't be written as {self.kind}: {first_line(error)}") from None
        return file.getvalue()

    def _xmp_option(self, recipe: str | None) -> dict:
        """Return the option of Pillow that writes the packet, with a recipe if it fits in."""
        packet = self.xmp if recipe is None else with_recipe(self.xmp, recipe)
        if self.kind == "JPEG":
            # The source's own has come out of such a file.
            fitting = (one for one in (packet, self.xmp) if one and len(one) <= MOST_XMP)
            packet = next(fitting, None)
        if not packet:
            return {}
        if self.kind == "PNG":
            chunks = PngImagePlugin.PngInfo()
            chunks.add(b"iTXt", PNG_XMP + packet)
            return {"pnginfo": chunks}
        if self.kind == "TIFF":
            tags = TiffImagePlugin.ImageFileDirectory_v2()
            tags.tagtype[TiffImagePlugin.XMP] = TiffTags.BYTE
            tags[TiffImagePlugin.XMP] = packet
            return {"tiffinfo": tags}
        return {"xmp": packet} if self.kind in ("JPEG", "WEBP", "AVIF") else {}


def _behind_white(picture: Image.Image, alpha: Image.Image) -> Image.Image:
    """Return a picture of mode ``RGBA`` that over white looks like an RGB picture."""
    rgba = np.dstack([picture, alpha])
    for top in range(0, len(rgba), BAND):
        band = rgba[top : top + BAND]
        # What is wholly clear keeps its color.
        opacity = np.where(band[..., 3:], band[..., 3:] / np.float32(255), np.float32(1))
        behind = 255 - (255 - band[..., :3].astype(np.float32)) / opacity
        band[..., :3] = np.rint(behind.clip(0, 255))
    return Image.fromarray(rgba)


def _exif(image: Image.Image, size: tuple[int, int]) -> bytes | None:
    """Return the Exif of a decoded image for a file of its upright form, which has this size."""
    try:
        exif = image.getexif()
        for tag in set(exif) - DESCRIPTIVE_TAGS:
            del exif[tag]
        camera = exif.get_ifd(ExifTags.IFD.Exif) if ExifTags.IFD.Exif in exif else {}
        # Whether the colors are those of Adobe RGB.
        camera.pop(ExifTags.IFD.Interop, None)
        now = {
            ExifTags.Base.ColorSpace: IN_SRGB,
            ExifTags.Base.ExifImageWidth: size[0],
            ExifTags.Base.ExifImageHeight: size[1],
        }
        camera.update({tag: value for tag, value in now.items() if tag in camera})
        _keep_accents(exif)
        # An `Image.Exif` would keep all that was in the file.
        return exif.tobytes() if exif else None
    except Exception:
        # Pillow raises a dozen different exceptions on damaged Exif, which is of use to nobody.
        return None


def _xmp(image: Image.Image) -> bytes | None:
    """Return the XMP of a decoded image, from which Pillow has taken the orientation."""
    packet = image.info.get("xmp")
    return packet if isinstance(packet, bytes) and packet else None


def _loaded(data: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.load(data)
    _keep_accents(exif)
    return exif


def _keep_accents(exif: Image.Exif) -> None:
    """Encode texts: Pillow reads them as Latin-1, and writes question marks for accents."""
    camera = exif.get_ifd(ExifTags.IFD.Exif) if ExifTags.IFD.Exif in exif else {}
    for tags in (exif, camera):
        for tag, value in tags.items():
            if isinstance(value, str) and not value.isascii():
                tags[tag] = value.encode("latin-1")


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    try:
        across, down = map(float, image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    # 1 is what Pillow says of a TIFF without.
    usable = 1 < across <= MOST_DPI and 1 < down <= MOST_DPI
    return (across, down) if usable else None


def _animated(image: Image.Image) -> bool:
    """Tell whether there is more behind the first frame of a decoded image."""
    if image.format == "MPO":
        # A photograph, in which cameras hide a preview or a depth map.
        return False
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:
        # What comes behind is damaged.
        return False
