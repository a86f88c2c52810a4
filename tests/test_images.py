"""Image files as users have them, made on the spot: damaged, rotated, transparent, huge."""

import io
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from mutations import png_of_header
from PIL import ExifTags, Image, features

from recolor.datasets.errors import RecolorError
from recolor.datasets.images import (
    MAX_BYTES,
    MAX_PIXELS,
    SUFFIXES,
    ImageError,
    as_picture,
    find_images,
    open_image,
    read_file,
    to_rgb,
)

RED, WHITE = [255, 0, 0], [255, 255, 255]


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(data: bytes) -> np.ndarray:
    image = to_rgb(open_image(data))
    assert image.mode == "RGB"
    return np.asarray(image).astype(int)


def gradient(height: int = 40, width: int = 56) -> Image.Image:
    """A smooth picture that differs in all corners and channels."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    return Image.fromarray((255 * np.stack([x, y, 1 - x * y], axis=-1)).astype(np.uint8))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"Dear reader,\nthis is a text.\n" * 20, id="text"),
        pytest.param(b"\xff\xd8\xff", id="first bytes of a JPEG"),
        pytest.param(b"\x89PNG\r\n\x1a\n", id="first bytes of a PNG"),
        pytest.param(bytes(1000), id="zeros"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", id="SVG"),
    ],
)
def test_what_is_no_image_is_refused_in_one_line(data):
    with pytest.raises(ImageError, match=r"not an image|damaged") as caught:
        open_image(data)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, RecolorError)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("WEBP", {"lossless": True})],
)
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_truncated_image_is_refused_in_one_line(kind, options, kept):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind, **options)
    with pytest.raises(ImageError, match=r"damaged image: .+|not an image") as caught:
        decoded(data[: int(kept * len(data))])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {"lossless": True}),
        ("PPM", {}),
        ("TGA", {}),
        pytest.param(
            *("JPEG2000", {}),
            marks=pytest.mark.skipif(not features.check("jpg_2000"), reason="no JPEG 2000"),
        ),
    ],
)
def test_lossless_formats_keep_every_value(kind, options):
    picture = gradient()
    assert np.array_equal(decoded(encoded(picture, kind, **options)), np.asarray(picture))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("WEBP", {"quality": 95}),
        pytest.param(
            *("AVIF", {"quality": 95}),
            marks=pytest.mark.skipif(not features.check("avif"), reason="no AVIF"),
        ),
    ],
)
def test_lossy_formats_keep_the_picture(kind, options):
    picture = gradient()
    data = encoded(picture, kind, **options)
    assert bool(open_image(data).info.get("progressive")) == ("progressive" in options)
    difference = np.abs(decoded(data) - np.asarray(picture))
    assert difference.mean() < 3
    assert difference.max() < 24


@pytest.mark.parametrize(
    ("ink", "color"),
    [
        ((0, 0, 0, 0), (255, 255, 255)),
        ((0, 255, 255, 0), (255, 0, 0)),
        ((255, 0, 0, 0), (0, 255, 255)),
        ((0, 0, 0, 255), (0, 0, 0)),
        ((0, 0, 0, 128), (127, 127, 127)),
    ],
)
def test_cmyk_jpeg(ink, color):
    data = encoded(Image.new("CMYK", (24, 16), ink), "JPEG", quality=95)
    assert open_image(data).mode == "CMYK"
    assert np.abs(decoded(data) - color).max() <= 6


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_gray_is_scaled_and_not_clipped(kind):
    """A value of 257 * v is gray v."""
    gray = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    data = encoded(Image.fromarray(gray), kind)
    assert open_image(data).mode.startswith("I")
    assert np.array_equal(decoded(data), np.repeat(gray[..., None] // 257, 3, axis=-1))


def test_16_bit_gray_between_two_steps_stays_between_them():
    gray = np.arange(0, 65_536, 16, dtype=np.uint16).reshape(64, 64)
    result = decoded(encoded(Image.fromarray(gray), "PNG"))[..., 0]
    assert np.abs(result - gray / 257).max() <= 1
    assert (np.diff(result.ravel()) >= 0).all()


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [
        *(
            ("1", 1, WHITE),
            ("1", 0, [0, 0, 0]),
            ("L", 100, [100] * 3),
            ("RGB", (9, 8, 7), [9, 8, 7]),
        ),
        ("RGBA", (255, 0, 0, 255), RED),
        ("RGBA", (255, 0, 0, 0), WHITE),
        ("RGBA", (255, 0, 0, 128), [255, 127, 127]),
        ("RGBA", (0, 0, 0, 51), [204, 204, 204]),
        ("LA", (10, 255), [10] * 3),
        ("LA", (10, 0), WHITE),
        ("LA", (0, 128), [127] * 3),
    ],
)
def test_modes_with_transparency_over_white(mode, value, expected):
    result = decoded(encoded(Image.new(mode, (5, 4), value), "PNG"))
    assert result.shape == (4, 5, 3)
    assert (result == expected).all()


def test_palette_with_transparency_over_white():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    assert decoded(encoded(image, "PNG"))[0].tolist() == [RED, [0, 0, 255]]
    assert decoded(encoded(image, "PNG", transparency=1))[0].tolist() == [RED, WHITE]
    half = encoded(image, "PNG", transparency=bytes([255, 127]))
    assert decoded(half)[0].tolist() == [RED, [128, 128, 255]]


@pytest.mark.parametrize(
    ("pixels", "clear", "expected"),
    [
        pytest.param(np.array([[0, 90]], np.uint8), 0, [WHITE, [90] * 3], id="8-bit gray"),
        pytest.param(np.array([[0, 90 * 257]], np.uint16), 0, [WHITE, [90] * 3], id="16-bit gray"),
        pytest.param(
            np.array([[RED, [1, 2, 3]]], np.uint8), (1, 2, 3), [RED, WHITE], id="8-bit RGB"
        ),
    ],
)
def test_a_png_with_one_transparent_color_over_white(pixels, clear, expected):
    data = encoded(Image.fromarray(pixels), "PNG", transparency=clear)
    assert decoded(data)[0].tolist() == expected


# Where the stored rows and columns lie in the upright picture, by the Exif standard.
STORED = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: upright[:, ::-1].swapaxes(0, 1),
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: upright[::-1].swapaxes(0, 1),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_rotated_photograph_comes_out_upright(kind, orientation):
    upright = np.asarray(gradient())
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](upright)))
    result = decoded(encoded(stored, kind, exif=exif, quality=95))

    assert result.shape == upright.shape
    assert np.abs(result - upright).mean() < 3


def test_a_picture_that_is_given_stays_as_it_was():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    file = io.BytesIO()
    Image.new("RGB", (20, 30), "red").save(file, "JPEG", exif=exif, dpi=(300, 300))
    given = Image.open(file)
    assert as_picture(given).size == (30, 20)
    assert given.size == (20, 30)
    assert given.info["dpi"] == (300, 300)
    assert given.getexif()[ExifTags.Base.Orientation] == 6


def test_the_first_frame_of_an_animation():
    frames = [Image.new("RGB", (12, 9), color) for color in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)
    assert open_image(data).n_frames == 3
    result = decoded(data)
    assert result.shape == (9, 12, 3)
    assert (result == RED).all()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF"])
def test_a_single_pixel(kind):
    assert decoded(encoded(Image.new("RGB", (1, 1), (255, 0, 0)), kind)).tolist() == [[RED]]


@pytest.mark.parametrize("size", [(20_000, 20_000), (100_001, 1000), (1, 100_000_001)])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(size):
    """There are no pixels to decode in these files, so it is the header that is objected to."""
    with pytest.raises(ImageError, match=r"pixels: the limit is 100 megapixels$"):
        open_image(png_of_header(*size))


@pytest.mark.filterwarnings("error")
def test_an_image_at_the_limit_is_opened():
    assert open_image(png_of_header(10_000, 10_000)).size == (10_000, 10_000)


def test_importing_the_module_changes_nothing_for_others():
    code = (
        "import warnings; from PIL import Image\n"
        "before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)\n"
        "import recolor.datasets.images, recolor.datasets.posters\n"
        "assert Image.MAX_IMAGE_PIXELS == before[0]\n"
        "added = [str(entry) for entry in warnings.filters if entry not in before[1]]\n"
        "assert not [entry for entry in added if 'CIE' in entry or 'Bomb' in entry], added\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_floating_point_pixels_are_refused_with_advice():
    data = encoded(Image.fromarray(np.ones((8, 8), np.float32)), "TIFF")
    with pytest.raises(ImageError, match=r"floating-point .* 8 bits"):
        decoded(data)


@pytest.fixture
def library(tmp_path):
    for name in (
        *("b.jpg", "A.PNG", "deep/er/c.Tiff", "deep/b.webp", "deep/film.gif", "no suffix"),
        *("notes.txt", "deep/c.jpg.bak", "deep/data.json", "jpg", ".jpg.swp"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_images_are_found_in_nested_folders_by_suffix_and_named_by_their_place(library):
    found = find_images([library])
    names = ["A.PNG", "b.jpg", "deep/b.webp", "deep/er/c.Tiff", "deep/film.gif"]
    assert found == [(name, library / name) for name in names]


KEPT_ASIDE = [".hidden.jpg", "._a.jpg", ".Trashes/501/a.jpg", "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg"]
KEPT_ASIDE += ["deep/$RECYCLE.BIN/a.jpg", "__MACOSX/a.jpg", ".thumbnails/normal/a.png"]


@pytest.mark.parametrize("name", KEPT_ASIDE)
def test_what_is_hidden_or_kept_by_systems_is_left_out_of_a_folder(tmp_path, name):
    for file in ("a.jpg", name):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    assert find_images([tmp_path]) == [("a.jpg", tmp_path / "a.jpg")]
    # What is asked for itself is taken.
    assert find_images([tmp_path / name]) == [((tmp_path / name).name, tmp_path / name)]


def test_files_are_taken_as_given_and_named_without_their_folder(library):
    found = find_images([library / "no suffix", library / "deep" / "er", library / "deep/film.gif"])
    assert found == [
        ("c.Tiff", library / "deep" / "er" / "c.Tiff"),
        ("film.gif", library / "deep" / "film.gif"),
        ("no suffix", library / "no suffix"),
    ]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_suffix_is_found_in_any_case(tmp_path, suffix):
    for name in ("one" + suffix, "two" + suffix.upper()):
        (tmp_path / name).touch()
    assert len(find_images([tmp_path])) == 2


def test_a_missing_path_is_named(library):
    with pytest.raises(ImageError, match="nowhere: no such file or folder"):
        find_images([library, library / "nowhere"])


@pytest.mark.parametrize("folder", ["empty", "folder.jpg"])
def test_an_empty_folder_is_named(library, folder):
    with pytest.raises(ImageError, match=f"no images in .*{folder}"):
        find_images([library / folder])


@pytest.fixture
def special(tmp_path) -> dict[str, Path]:
    """Files that would not end, or be waited for, when they are read."""
    os.mkfifo(tmp_path / "pipe.jpg")
    # The path of a socket must be short.
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(tmp_path)
        try:
            server.bind("socket.jpg")
        finally:
            os.chdir(here)
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    return {name: tmp_path / f"{name}.jpg" for name in ("pipe", "socket", "device")}


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_pipes_sockets_and_devices_are_not_read(special, kind):
    words = "a pipe, a socket or a device, not a file$"
    with pytest.raises(ImageError, match=words):
        read_file(special[kind])
    with pytest.raises(ImageError, match=f"{kind}.jpg: {words}"):
        find_images([special[kind]])


def test_what_can_not_be_read_in_a_folder_is_listed_to_be_skipped(special, tmp_path):
    """A broken link, links in a circle, and special files: nobody wonders where they are."""
    (tmp_path / "gone.jpg").symlink_to("nowhere")
    (tmp_path / "one.jpg").symlink_to("two.jpg")
    (tmp_path / "two.jpg").symlink_to("one.jpg")
    found = find_images([tmp_path])
    names = ["device.jpg", "gone.jpg", "one.jpg", "pipe.jpg", "socket.jpg", "two.jpg"]
    assert [name for name, _ in found] == names
    for _, path in found:
        with pytest.raises(ImageError, match=r"can't be read: |a pipe, a socket or a device"):
            read_file(path)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that other users may enter; pytest's own are private."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_folder_that_can_not_be_listed_is_listed_itself(public_folder):
    """As another user, since root may list all."""
    closed = public_folder / "all" / "closed"
    closed.mkdir(parents=True)
    (closed / "a.jpg").touch()
    (closed.parent / "b.jpg").touch()
    closed.chmod(0)
    code = (
        "import os, sys; from pathlib import Path\n"
        "from recolor.datasets.images import ImageError, find_images, read_file\n"
        "os.geteuid() or os.setuid(65534)\n"
        "for folder in sys.argv[1:]:\n"
        "    try:\n"
        "        for name, path in find_images([Path(folder)]):\n"
        "            print(name)\n"
        "            read_file(path)\n"
        "    except ImageError as error:\n"
        "        print(error)\n"
    )
    command = [sys.executable, "-c", code, closed.parent, closed]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    closed.chmod(0o755)
    assert lines == [
        *("b.jpg", "closed", "can't be read: Permission denied"),
        f"{closed} can't be listed: Permission denied",
    ]


def test_a_file_of_more_bytes_than_any_image_is_not_read(tmp_path):
    with (tmp_path / "huge.tif").open("wb") as file:
        file.truncate(MAX_BYTES * MAX_PIXELS + 1)
    with pytest.raises(ImageError, match="800 MB: the limit is 800 MB"):
        read_file(tmp_path / "huge.tif")


def test_a_folder_that_is_left_out_may_be_a_circle_of_links(library):
    (library / "loop").symlink_to("loop")
    assert len(find_images([library], leave_out=library / "loop")) == 5


@pytest.mark.parametrize(
    "data",
    [
        b'/* XPM */\nstatic char *x[] = {"1 1 1 1", "a c red", "a"};',
        b"#define im_width 8\n#define im_height 1\nstatic char im_bits[] = {0x00};",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n",
    ],
    ids=["XPM", "XBM", "EPS"],
)
def test_formats_beyond_photographs_are_not_tried(data):
    with pytest.raises(ImageError, match="not an image, or of an unknown format"):
        open_image(data)
