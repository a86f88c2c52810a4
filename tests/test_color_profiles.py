"""Color profiles, against the conversion of their spaces by plain arithmetic."""

import io
import struct
import zlib

import numpy as np
import pytest
from icc_profiles import (
    ADOBE_RGB,
    D50_FROM_D65,
    DISPLAY_P3,
    SRGB,
    cmyk_profile,
    gray_profile,
    rgb_profile,
    srgb_from_xyz_d65,
    srgb_to_linear,
    xyz_from_rgb,
)
from PIL import Image, ImageCms, features
from skimage.color import deltaE_ciede2000, rgb2lab

from recolor.datasets.color_profiles import srgb_profile
from recolor.datasets.images import open_image, to_rgb
from recolor.datasets.posters import read_poster

LEVELS = np.arange(256) / 255
# Linear red, green and blue of light that is left by a full layer of each ink.
INKS = np.array([[0.10, 0.50, 0.90], [0.85, 0.10, 0.40], [0.95, 0.85, 0.05], [0.0, 0.0, 0.0]])


def picture(channels: int = 3, mode: str | None = None) -> Image.Image:
    """Large smooth fields, since a JPEG of noise is another picture."""
    cells = np.random.default_rng(0).integers(0, 256, (6, 5, channels), np.uint8)
    cells[0, :, :3], cells[1, :2, :3] = 0, 255
    pixels = cells.repeat(16, 0).repeat(16, 1).squeeze()
    return Image.frombytes(mode or "RGB", pixels.shape[1::-1], pixels.tobytes())


def through_a_file(image: Image.Image, profile: bytes | None, kind: str = "JPEG") -> np.ndarray:
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}
    file = io.BytesIO()
    image.save(file, kind, icc_profile=profile, **options.get(kind, {}))
    return np.asarray(to_rgb(open_image(file.getvalue())))


def error(rgb: np.ndarray, expected: np.ndarray) -> float:
    """The mean CIEDE2000 of 8-bit sRGB against sRGB in [0, 1]."""
    return deltaE_ciede2000(rgb2lab(rgb), rgb2lab(expected)).mean()


def of_rgb_space(image: Image.Image, primaries, levels: np.ndarray) -> np.ndarray:
    return srgb_from_xyz_d65(levels[np.asarray(image)] @ xyz_from_rgb(primaries).T)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    ("primaries", "levels"),
    [
        pytest.param(ADOBE_RGB, LEVELS**2.19921875, id="Adobe RGB"),
        pytest.param(DISPLAY_P3, srgb_to_linear(LEVELS), id="Display P3"),
    ],
)
def test_rgb_spaces(kind, primaries, levels):
    image = picture()
    expected = of_rgb_space(image, primaries, levels)
    rgb = through_a_file(image, rgb_profile(primaries, levels), kind)
    assert error(rgb, expected) < 0.5
    assert error(through_a_file(image, None, kind), expected) > 1.5


def xyz_of_ink(ink: np.ndarray) -> np.ndarray:
    rgb = np.prod(1 - ink[..., :, None] * (1 - INKS), axis=-2)
    return rgb @ (D50_FROM_D65 @ xyz_from_rgb(SRGB)).T


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind):
    image = picture(4, "CMYK")
    xyz = xyz_of_ink(np.asarray(image) / 255) @ np.linalg.inv(D50_FROM_D65).T
    expected = srgb_from_xyz_d65(xyz)
    assert error(through_a_file(image, cmyk_profile(xyz_of_ink), kind), expected) < 2
    assert error(through_a_file(image, None, kind), expected) > 5


def test_cmyk_paper_and_black():
    profile = cmyk_profile(xyz_of_ink)
    for ink, expected in (((0, 0, 0, 0), 255), ((0, 0, 0, 255), 0), ((255, 255, 255, 255), 0)):
        rgb = through_a_file(Image.new("CMYK", (8, 8), ink), profile, "TIFF").astype(int)
        assert np.abs(rgb - expected).max() <= 6, ink


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("make", [gray_profile, lambda levels: rgb_profile(SRGB, levels)])
def test_gray_becomes_neutral(kind, make):
    image = Image.fromarray(np.arange(256, dtype=np.uint8).repeat(8).reshape(32, 64))
    rgb = through_a_file(image, make(LEVELS**1.8), kind)
    expected = srgb_from_xyz_d65(LEVELS[np.asarray(image)][..., None] ** 1.8 * xyz_of_white())
    assert np.ptp(rgb, axis=-1).max() == 0
    assert np.abs(rgb - 255 * expected).max() <= (4 if kind == "JPEG" else 1.5)


def xyz_of_white() -> np.ndarray:
    return xyz_from_rgb(SRGB).sum(axis=1)


def test_16_bit_gray_with_a_profile():
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16)
    rgb = through_a_file(Image.fromarray(levels * 257), gray_profile(LEVELS**1.8), "PNG")
    expected = srgb_from_xyz_d65(LEVELS[levels][..., None] ** 1.8 * xyz_of_white())
    assert np.abs(rgb - 255 * expected).max() <= 1.5


@pytest.mark.parametrize("alpha", [255, 0])
@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_transparency_with_a_profile(mode, alpha):
    image = Image.new("RGBA", (8, 8), (200, 40, 60, alpha)).convert(mode)
    levels = LEVELS**2.19921875
    rgb = through_a_file(image, rgb_profile(ADOBE_RGB, levels), "PNG")
    inks = of_rgb_space(Image.new("RGB", (8, 8), (200, 40, 60)), ADOBE_RGB, levels)
    expected = inks if alpha else np.ones((8, 8, 3))
    assert np.abs(rgb - 255 * expected).max() <= 2


@pytest.mark.parametrize(
    "profile",
    [srgb_profile(), rgb_profile(SRGB, srgb_to_linear(LEVELS))],
    ids=["own", "version 2"],
)
def test_a_profile_of_srgb_leaves_every_pixel_as_it_is(profile):
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    assert np.array_equal(through_a_file(Image.fromarray(noise), profile, "PNG"), noise)


ADOBE = rgb_profile(ADOBE_RGB, LEVELS**2.19921875)


@pytest.mark.parametrize(
    "profile",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not a profile" * 40, id="text"),
        pytest.param(ADOBE[:300], id="cut off"),
        pytest.param(ADOBE[:128], id="only a header"),
        pytest.param(ADOBE.replace(b"rXYZ", b"????"), id="without red"),
        pytest.param(gray_profile(LEVELS), id="of gray"),
        pytest.param(cmyk_profile(xyz_of_ink, grid=3), id="of CMYK"),
        pytest.param(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(), id="Lab"),
    ],
)
def test_a_bad_profile_is_ignored(profile):
    image = picture()
    assert np.array_equal(through_a_file(image, profile, "PNG"), np.asarray(image))


def png_with(image: Image.Image, **chunks: bytes) -> bytes:
    """A PNG file with chunks after its header."""
    file = io.BytesIO()
    image.save(file, "PNG")
    more = b"".join(
        struct.pack(">I", len(content))
        + name.encode()
        + content
        + struct.pack(">I", zlib.crc32(name.encode() + content))
        for name, content in chunks.items()
    )
    return file.getvalue()[:33] + more + file.getvalue()[33:]


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
@pytest.mark.parametrize("gamma", [1.0, 1 / 1.8])
def test_the_gamma_of_a_png(mode, gamma):
    image = picture().convert(mode)
    stored = LEVELS[np.asarray(image.convert("RGB"))] ** (1 / gamma)
    data = png_with(image, gAMA=struct.pack(">I", round(gamma * 100_000)))
    expected = srgb_from_xyz_d65(stored @ xyz_from_rgb(SRGB).T)
    assert np.abs(np.asarray(to_rgb(open_image(data))) - 255 * expected).max() < 1


@pytest.mark.parametrize(
    "chunks",
    [
        {"gAMA": struct.pack(">I", 45_455)},
        {"sRGB": b"\0", "gAMA": struct.pack(">I", 100_000)},
        {"cICP": bytes([1, 13, 0, 1]), "cHRM": struct.pack(">8I", *range(30_000, 38_000, 1000))},
        {"gAMA": bytes(4)},
    ],
)
def test_what_a_png_says_that_means_srgb_or_is_not_obeyed(chunks):
    data = png_with(picture(), **chunks)
    assert np.array_equal(np.asarray(to_rgb(open_image(data))), np.asarray(picture()))


@pytest.mark.skipif(not features.check("jpg_2000"), reason="no JPEG 2000")
def test_the_profile_of_a_jpeg_2000_file():
    file = io.BytesIO()
    picture().save(file, "JPEG2000")
    adobe = rgb_profile(ADOBE_RGB, LEVELS**2.19921875)
    head, plain, rest = file.getvalue().partition(b"\0\0\0\x0fcolr\1\0\0\0\0\0\x10")
    assert plain
    color = struct.pack(">I", 11 + len(adobe)) + b"colr\2\0\0" + adobe
    place = head.index(b"jp2h") - 4
    size = int.from_bytes(head[place : place + 4], "big") + len(color) - len(plain)
    data = head[:place] + struct.pack(">I", size) + head[place + 4 :] + color + rest
    expected = of_rgb_space(picture(), ADOBE_RGB, LEVELS**2.19921875)
    assert error(np.asarray(to_rgb(open_image(data))), expected) < 0.5


def test_random_damage_never_stops_a_picture():
    generator = np.random.default_rng(2)
    image = picture()
    for _ in range(150):
        damaged = bytearray(ADOBE)
        for _ in range(3):
            damaged[generator.integers(len(damaged) // 2)] = generator.integers(256)
        assert through_a_file(image, bytes(damaged), "PNG").shape == (96, 80, 3)


def test_the_profile_of_srgb_is_always_the_same_and_is_read_as_srgb():
    assert srgb_profile() is srgb_profile()
    profile = ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile()))
    assert "sRGB" in ImageCms.getProfileDescription(profile)
    assert len(srgb_profile()) < 4000


def test_a_prepared_poster_is_converted(tmp_path):
    """JPEG files are decoded at a fraction of their size there."""
    image = picture().resize((1200, 1500))
    image.save(tmp_path / "adobe.jpg", quality=95, icc_profile=ADOBE)
    expected = of_rgb_space(image, ADOBE_RGB, LEVELS**2.19921875)
    Image.fromarray(np.rint(255 * expected).astype(np.uint8)).save(tmp_path / "srgb.png")
    one, other = (read_poster(tmp_path / name, 64) for name in ("adobe.jpg", "srgb.png"))
    assert np.abs(one.ab.astype(int) - other.ab).mean() < 1.5
    assert np.abs(one.lightness.astype(int) - other.lightness).mean() < 1.5
