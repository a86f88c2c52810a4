"""HEIC, JPEG XL, PSD and PDF, and what is said where a package is missing."""

import io
import struct

import mutations
import numpy as np
import pytest
from click.testing import CliRunner
from mutations import heic, jxl, pdf, psd
from PIL import ExifTags, Image

from recolor.datasets import extra_formats, images
from recolor.datasets.extra_formats import EXTRA_FORMATS, _jxl_size, suffixes
from recolor.datasets.images import ImageError, TooManyPixelsError, open_image, to_rgb
from recolor.datasets.picture_file import PictureFile
from recolor.platform.cli.main import main
from recolor.platform.serving.targets import plan

MISSING = {one.name for one in EXTRA_FORMATS if not one.installed}
HEIC, JXL, PSD, PDF = (
    pytest.param(name, marks=pytest.mark.skipif(name in MISSING, reason=f"no {name}"))
    for name in ("HEIC", "JPEG XL", "PSD", "PDF")
)
needs_jxl, needs_psd, needs_pdf = JXL.marks[0], PSD.marks[0], PDF.marks[0]
MAKE = {"HEIC": heic, "JPEG XL": jxl, "PSD": psd, "PDF": pdf}


def picture(size=(40, 60)) -> Image.Image:
    colors = np.random.default_rng(0).integers(0, 256, (3, 2, 3), np.uint8)
    return Image.fromarray(colors).resize(size, Image.Resampling.BICUBIC)


def error(one: Image.Image, other: Image.Image) -> float:
    return np.abs(np.asarray(one, int) - np.asarray(other, int)).mean()


@pytest.mark.parametrize("name", [HEIC, JXL, PSD, PDF])
def test_pictures_are_read_and_results_are_png(name, tmp_path):
    source = tmp_path / "poster.file"
    source.write_bytes(MAKE[name](picture()))
    file = PictureFile.read(source)
    assert error(file.picture, picture()) < 4
    result = Image.open(io.BytesIO(file.with_colors_of(file.picture)))
    assert (result.format, result.size) == ("PNG", (40, 60))


@pytest.mark.parametrize("name", [HEIC, JXL, PSD, PDF])
def test_the_limit_of_pixels_holds_before_any_is_decoded(name):
    data = MAKE[name](picture())
    assert open_image(data, 40 * 60)
    with pytest.raises(TooManyPixelsError, match=r"40x60 pixels: the limit is 0\.002399 mega"):
        open_image(data, 40 * 60 - 1)


@pytest.mark.parametrize("name", [HEIC, JXL, PSD, PDF])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_file_that_is_cut_off_is_refused_in_one_line(name, kept):
    data = MAKE[name](picture((200, 300)))
    with pytest.raises(ImageError, match=r"damaged|not an image") as caught:
        to_rgb(open_image(data[: int(kept * len(data))]))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [HEIC, JXL])
def test_a_turned_photograph_becomes_upright_once(name):
    """A codestream of JPEG XL is upright whatever its Exif says."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Artist] = 6, "Someone"
    file = PictureFile.of(MAKE[name](picture(), exif=exif.tobytes()))
    upright = picture() if name == "JPEG XL" else picture().transpose(Image.Transpose.ROTATE_270)
    assert error(file.picture, upright) < 4
    result = Image.open(io.BytesIO(file.with_colors_of(file.picture))).getexif()
    assert dict(result) == {ExifTags.Base.Artist: "Someone"}


@needs_jxl
@pytest.mark.parametrize("size", [(40, 60), (600, 400), (8, 8), (256, 256), (1600, 900), (31, 77)])
@pytest.mark.parametrize("options", [{}, {"use_container": True}, {"lossless": True}])
def test_the_size_of_jpeg_xl_is_read_from_its_first_bits(size, options):
    assert _jxl_size(jxl(Image.new("RGB", size, "teal"), **options)) == size


def psd_of(channels, mode, depth, layers=b"", resources=b"") -> bytes:
    """A PSD as the format's specification describes it, its pixels uncompressed."""
    height, width = picture().height, picture().width
    header = struct.pack(">4sH6xHIIHH", b"8BPS", 1, len(channels), height, width, depth, mode)
    sections = [struct.pack(">I", len(part)) + part for part in (b"", resources, layers)]
    return header + b"".join(sections) + bytes(2) + b"".join(one.tobytes() for one in channels)


RGB = list(np.moveaxis(np.asarray(picture()), 2, 0))
CMYK = list(255 - np.moveaxis(np.asarray(picture().convert("CMYK")), 2, 0))
SELECTION = np.zeros((60, 40), np.uint8)
BLACK = RGB[0] < 128
FLATTENED_ALPHA = struct.pack(">IhI", 6, -1, 0) + bytes(20)


@needs_psd
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(psd_of(RGB, 3, 8), picture(), id="RGB"),
        pytest.param(
            psd_of([one.astype(">u2") * 257 for one in RGB], 3, 16), picture(), id="16 bits"
        ),
        pytest.param(psd_of(RGB[:1], 1, 8), picture().getchannel("R").convert("RGB"), id="gray"),
        pytest.param(psd_of(CMYK, 4, 8), picture().convert("CMYK").convert("RGB"), id="CMYK"),
        pytest.param(
            psd_of([np.packbits(BLACK, axis=1)], 0, 1),
            Image.fromarray(~BLACK).convert("RGB"),
            id="bitmap",
        ),
    ],
)
def test_the_flattened_picture_of_a_psd(data, expected):
    assert error(PictureFile.of(data).picture, expected) <= 1


@needs_psd
def test_a_saved_selection_of_a_psd_is_not_transparency():
    """As printers use them, for varnish. A positive number of layers tells."""
    selected = psd_of([*RGB, SELECTION], 3, 8, resources=resource(1053, struct.pack(">I", 7)))
    file = PictureFile.of(selected)
    assert file.alpha is None and error(file.picture, picture()) == 0
    clear = PictureFile.of(psd_of([*RGB, SELECTION], 3, 8))
    assert clear.alpha.getextrema() == (0, 0)


def resource(number: int, content: bytes) -> bytes:
    padded = content + bytes(len(content) % 2)
    return struct.pack(">4sHHI", b"8BIM", number, 0, len(content)) + padded


@needs_psd
def test_a_psd_has_its_resolution_and_says_if_it_is_not_flattened():
    resolution = struct.pack(">IHHIHH", 300 << 16, 1, 1, 150 << 16, 1, 1)
    assert PictureFile.of(psd_of(RGB, 3, 8, resources=resource(1005, resolution))).dpi == (300, 150)
    layers_alone = resource(1057, struct.pack(">IBIII", 1, 0, 0, 0, 1))
    with pytest.raises(ImageError, match="not flattened: save it with maximized compatibility"):
        open_image(psd_of(RGB, 3, 8, resources=layers_alone))


@needs_pdf
def test_the_first_page_of_a_pdf_is_drawn_at_print_resolution():
    data = pdf(picture(), save_all=True, append_images=[Image.new("RGB", (9, 9))])
    file = PictureFile.of(data)
    assert (file.dpi, file.animated, file.picture.size) == ((300, 300), True, (40, 60))


def test_a_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(extra_formats, "find_spec", lambda module: None)
    assert not suffixes()
    with pytest.raises(ImageError, match=r"^PDF files need another package: pip install 'poster"):
        open_image(b"%PDF-1.4 and more")
    monkeypatch.setattr(images, "SUFFIXES", (".jpg",))
    (tmp_path / "in").mkdir()
    picture().save(tmp_path / "in" / "poster.jpg")
    (tmp_path / "in" / "page.pdf").write_bytes(b"%PDF-1.4")
    (tmp_path / "in" / "drawing.svg").write_bytes(b"<svg/>")
    result = CliRunner().invoke(main, ["apply", f"{tmp_path}/in", "--out", f"{tmp_path}/out"])
    assert result.exit_code == 0, result.output
    said = "1 .pdf, 1 .svg; to read .pdf: pip install 'poster-recolor[formats]'"
    assert said in result.output


def test_results_of_formats_that_are_only_read_are_named_png(tmp_path):
    names = ["a.heic", "b.PDF", "c.jpg"]
    for name in names:
        (tmp_path / name).touch()
    tasks = plan([tmp_path / name for name in names], tmp_path / "out", suggestions=2)
    results = [target.name for task in tasks for target in task.targets]
    assert results == ["a.1.png", "a.2.png", "b.1.png", "b.2.png", "c.1.jpg", "c.2.jpg"]


def test_damage_of_these_formats_is_an_image_error(capfd):
    sources = {name: data for name, data in mutations.whole_files().items() if name in MAKE}
    random = np.random.default_rng(2)
    for number in range(60):
        name, data = list(sources.items())[number % len(sources)]
        mutate = mutations.MUTATIONS[number // 4 % len(mutations.MUTATIONS)]
        try:
            PictureFile.of(mutate(data, data, random))
        except ImageError as caught:
            assert "\n" not in str(caught), name
    assert capfd.readouterr() == ("", "")
