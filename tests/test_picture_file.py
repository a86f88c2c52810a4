"""What a file holds beside the colors comes through: transparency, Exif, resolution."""

import io
import struct

import numpy as np
import pytest
from mutations import png_of_header, whole_files
from PIL import ExifTags, Image, TiffImagePlugin, features

from recolor.datasets.color_profiles import srgb_profile
from recolor.datasets.images import MAX_FILE_PIXELS, ImageError, open_image
from recolor.datasets.picture_file import PictureFile, _dpi

WITH_ALPHA = [
    *("PNG", "WEBP", "TIFF", "TGA"),
    pytest.param("AVIF", marks=pytest.mark.skipif(not features.check("avif"), reason="no AVIF")),
    pytest.param(
        "JPEG2000", marks=pytest.mark.skipif(not features.check("jpg_2000"), reason="no JPEG 2000")
    ),
]
LOSSLESS = {"WEBP": {"lossless": True}, "AVIF": {"quality": 100}}
EXIF, GPS = ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo


def picture(size=(40, 60)) -> Image.Image:
    colors = np.random.default_rng(0).integers(0, 256, (5, 4, 3), np.uint8)
    return Image.fromarray(colors).resize(size, Image.Resampling.BICUBIC)


def saved(image: Image.Image, kind: str, tmp_path, **options) -> PictureFile:
    image.save(tmp_path / "file", kind, **options)
    return PictureFile.read(tmp_path / "file")


def colored(file: PictureFile, color=None) -> Image.Image:
    """Rewrite the file, in one color where it is given, and open the result."""
    new = Image.new("RGB", file.picture.size, color) if color else file.picture
    return Image.open(io.BytesIO(file.with_colors_of(new)))


def over_white(image: Image.Image) -> np.ndarray:
    white = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(white, image.convert("RGBA")).convert("RGB"), int)


@pytest.mark.parametrize("kind", WITH_ALPHA)
def test_transparency_comes_through_and_the_picture_over_white(kind, tmp_path):
    """Shadows too: over white, they look as they did, not paler by having been laid over it."""
    clear = picture()
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    file = saved(clear, kind, tmp_path, **LOSSLESS.get(kind, {}))
    result = colored(file)
    assert (result.format, result.mode) == (kind, "RGBA")
    alphas = [np.asarray(image.getchannel("A"), int) for image in (clear, result)]
    assert np.abs(alphas[0] - alphas[1]).max() <= 2
    difference = np.abs(over_white(result) - over_white(clear))
    assert difference.mean() < 3
    if kind not in ("WEBP", "AVIF"):
        assert difference.max() <= 2


def test_a_half_clear_color_is_taken_from_behind_the_white(tmp_path):
    file = saved(Image.new("RGBA", (9, 9), (200, 0, 0, 128)), "PNG", tmp_path)
    result = colored(file, (155, 205, 255))
    # 255 - (255 - c) 255 / 128
    assert result.getpixel((4, 4)) == (56, 155, 255, 128)


def test_what_is_wholly_clear_takes_the_new_color(tmp_path):
    file = saved(Image.new("RGBA", (9, 9), (200, 0, 0, 0)), "PNG", tmp_path)
    assert colored(file, (254, 255, 250)).getpixel((0, 0)) == (254, 255, 250, 0)


@pytest.mark.parametrize(
    ("mode", "transparency"), [("P", 0), ("P", bytes([0, 90])), ("L", 0), ("RGB", (0, 0, 0))]
)
def test_a_png_with_a_clear_color_becomes_one_with_alpha(mode, transparency, tmp_path):
    image = Image.new("RGB", (8, 8), (0, 0, 0))
    image.paste((90, 90, 90), (4, 0, 8, 8))
    image = image.convert(mode, palette=Image.Palette.ADAPTIVE)
    if mode == "P" and image.getpixel((0, 0)) != 0:
        image = image.remap_palette([1, 0])
    file = saved(image, "PNG", tmp_path, transparency=transparency)
    right = 90 if isinstance(transparency, bytes) else 255
    alpha = colored(file).getchannel("A")
    assert (alpha.getpixel((0, 0)), alpha.getpixel((7, 7))) == (0, right)


@pytest.mark.parametrize("colors", [2, 300])
def test_a_gif_with_holes_keeps_them(colors, tmp_path):
    image = picture() if colors > 256 else Image.new("RGB", (40, 60), "teal")
    alpha = Image.new("L", image.size, 255)
    alpha.paste(0, (0, 0, 20, 30))
    image.putalpha(alpha)
    file = saved(image, "GIF", tmp_path)
    result = colored(file).convert("RGBA")
    assert np.array_equal(np.asarray(result.getchannel("A")), np.asarray(alpha))
    assert np.abs(over_white(result) - np.asarray(file.picture, int)).mean() < 8


def test_a_format_without_transparency_shows_the_picture_over_white(tmp_path):
    file = saved(picture(), "JPEG", tmp_path)
    assert file.alpha is None and colored(file).mode == "RGB"


def camera_exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    if orientation != 1:
        exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Artist] = "Someone"
    exif[EXIF] = {
        ExifTags.Base.DateTimeOriginal: "1984:01:02 03:04:05",
        ExifTags.Base.ExposureTime: TiffImagePlugin.IFDRational(1, 50),
        ExifTags.Base.ExifImageWidth: 60,
        ExifTags.Base.ExifImageHeight: 40,
        # Not sRGB, as the picture was before.
        ExifTags.Base.ColorSpace: 65535,
    }
    exif[GPS] = {1: "N", 2: (52.0, 31.0, 12.0)}
    # As it is read from a file, which all formats take.
    read = Image.Exif()
    read.load(exif.tobytes())
    read[ExifTags.Base.ImageDescription] = "Fête".encode()
    return read


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_comes_through_but_for_what_is_no_longer_true(kind, tmp_path):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("no AVIF")
    # Pillow writes an orientation into an AVIF without regard to accents.
    exif = camera_exif(1 if kind == "AVIF" else 6)
    size = (40, 60) if kind == "AVIF" else (60, 40)
    result = colored(saved(picture(size), kind, tmp_path, exif=exif))
    result.load()
    assert result.size == (40, 60)
    exif = result.getexif()
    assert ExifTags.Base.Orientation not in exif
    assert exif[ExifTags.Base.ImageDescription].encode("latin-1").decode() == "Fête"
    assert exif[ExifTags.Base.Artist] == "Someone"
    camera = exif.get_ifd(EXIF)
    assert camera[ExifTags.Base.DateTimeOriginal] == "1984:01:02 03:04:05"
    assert camera[ExifTags.Base.ExposureTime] == 1 / 50
    assert camera[ExifTags.Base.ExifImageWidth] == 40
    assert camera[ExifTags.Base.ExifImageHeight] == 60
    assert camera[ExifTags.Base.ColorSpace] == 1
    assert exif.get_ifd(GPS) == {1: "N", 2: (52.0, 31.0, 12.0)}


def test_a_thumbnail_in_the_old_colors_is_left_out(tmp_path):
    """It is a second directory of the Exif, behind the first."""
    exif = b"Exif\0\0II*\0\x08\0\0\0" + _directory([(315, 2, 2, b"A\0\0\0")], after=26)
    thumbnail = picture((8, 8))
    file = io.BytesIO()
    thumbnail.save(file, "JPEG")
    data = file.getvalue()
    entries = [
        (513, 4, 1, (26 + 2 + 24 + 4).to_bytes(4, "little")),
        (514, 4, 1, len(data).to_bytes(4, "little")),
    ]
    file = saved(picture(), "JPEG", tmp_path, exif=exif + _directory(entries, after=0) + data)
    with Image.open(tmp_path / "file") as before:
        assert before.getexif().get_ifd(ExifTags.IFD.IFD1)
    result = colored(file)
    assert result.getexif()[ExifTags.Base.Artist] == "A"
    assert not result.getexif().get_ifd(ExifTags.IFD.IFD1)
    assert data not in file.exif


def _directory(entries, after: int) -> bytes:
    content = len(entries).to_bytes(2, "little")
    for tag, kind, count, value in entries:
        content += tag.to_bytes(2, "little") + kind.to_bytes(2, "little")
        content += count.to_bytes(4, "little") + value
    return content + after.to_bytes(4, "little")


def test_damaged_exif_and_exif_that_a_jpeg_has_no_room_for_are_left_out(tmp_path):
    file = saved(picture(), "JPEG", tmp_path, exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert not colored(file).getexif()
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "x" * 70_000
    file = saved(picture(), "PNG", tmp_path, exif=exif)
    assert len(colored(file).getexif()[ExifTags.Base.ImageDescription]) == 70_000
    as_jpeg = PictureFile(file.picture, "JPEG", exif=file.exif)
    assert not colored(as_jpeg).getexif()


def test_only_what_goes_into_the_result_is_kept(tmp_path):
    """Neither the file nor its Exif, of which most can be tags that nobody needs."""
    exif = Image.Exif()
    exif[ExifTags.Base.Artist], exif[700] = "A", b"x" * 1_000_000
    file = saved(picture(), "PNG", tmp_path, exif=exif)
    assert len(file.exif) < 100
    assert type(file.picture) is Image.Image
    assert colored(file).getexif() == {ExifTags.Base.Artist: "A"}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP"])
@pytest.mark.parametrize("dpi", [(300, 300), (600, 1200)])
def test_the_resolution_comes_through(kind, dpi, tmp_path):
    result = colored(saved(picture(), kind, tmp_path, dpi=dpi))
    assert result.info["dpi"] == pytest.approx(dpi, abs=0.1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_without_any_none_is_invented(kind, tmp_path):
    result = colored(saved(picture(), kind, tmp_path))
    # Where a TIFF has none, Pillow says 1.
    assert result.info.get("dpi", (1, 1)) == (1, 1)
    assert "exif" not in result.info and EXIF not in result.getexif()


@pytest.mark.parametrize("dpi", [(0, 0), (float("nan"), 1), (1e9, 1e9), "words", (1,), None])
def test_resolutions_that_are_none_are_left_out(dpi):
    image = picture()
    image.info["dpi"] = dpi
    assert _dpi(image) is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_profile_is_that_of_srgb(kind, tmp_path):
    assert colored(saved(picture(), kind, tmp_path)).info["icc_profile"] == srgb_profile()


@pytest.mark.parametrize(
    ("name", "animated"),
    [
        *(("GIF", True), ("animated PNG", True), ("animated WebP", True), ("TIFF of pages", True)),
        *(("PNG", False), ("JPEG", False), ("WebP", False), ("TIFF", False), ("BMP", False)),
    ],
)
def test_files_of_several_pictures_are_known(name, animated, tmp_path):
    (tmp_path / "file").write_bytes(whole_files()[name])
    assert PictureFile.read(tmp_path / "file").animated == animated


@pytest.mark.parametrize(
    ("mode", "kind", "words"),
    [
        ("CMYK", "JPEG", "CMYK became RGB"),
        ("CMYK", "TIFF", "CMYK became RGB"),
        *(("RGB", "BMP", ""), ("RGBA", "PNG", ""), ("RGBA", "GIF", ""), ("L", "JPEG", "")),
    ],
)
def test_what_the_file_of_the_result_can_not_hold_is_said(mode, kind, words, tmp_path):
    image = picture().convert(mode)
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    assert saved(image, kind, tmp_path).loses == words


def test_a_bmp_with_a_mask_of_alpha_loses_it_and_says_so(tmp_path):
    size = (4, 3)
    about = struct.pack("<IiiHHIIiiII", 108, *size, 1, 32, 3, 0, 0, 0, 0, 0)
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = (about + masks).ljust(108, b"\0")
    pixels = Image.new("RGBA", size, (200, 0, 0, 51)).tobytes("raw", "BGRA")
    data = struct.pack("<2sIII", b"BM", 14 + 108 + len(pixels), 0, 14 + 108) + header + pixels
    (tmp_path / "file").write_bytes(data)
    file = PictureFile.read(tmp_path / "file")
    assert file.picture.getpixel((0, 0)) == (244, 204, 204)
    assert file.loses == "transparency became white, since BMP files are written without"


def test_files_may_have_more_pixels_than_pillow_takes(tmp_path):
    (tmp_path / "file").write_bytes(png_of_header(20_000, 20_001))
    with pytest.raises(ImageError, match="20000x20001 pixels: the limit is 400 megapixels"):
        PictureFile.read(tmp_path / "file")
    assert open_image(png_of_header(20_000, 20_000), MAX_FILE_PIXELS).size == (20_000, 20_000)


def test_a_photograph_with_a_hidden_preview_is_one_picture(tmp_path):
    file = saved(picture(), "MPO", tmp_path, save_all=True, append_images=[picture((10, 15))])
    assert (file.kind, file.animated) == ("JPEG", False)
    assert colored(file).format == "JPEG"


def test_a_picture_that_its_format_can_not_hold_is_an_image_error(tmp_path):
    """The canvas of an animated WebP may be larger than a still WebP."""
    data = bytearray(whole_files()["animated WebP"])
    data[24:27] = (20_000 - 1).to_bytes(3, "little")
    (tmp_path / "file").write_bytes(data)
    file = PictureFile.read(tmp_path / "file")
    assert file.picture.width == 20_000
    with pytest.raises(ImageError, match="can't be written as WEBP"):
        file.with_colors_of(file.picture)
