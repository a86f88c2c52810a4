"""From a poster's file to its square: letterbox, padding, fingerprint, and no leak of color."""

import hashlib
import io

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from recolor.datasets.color import lab8_to_rgb, rgb_to_lab8
from recolor.datasets.demo_posters import draw_poster
from recolor.datasets.images import ImageError, open_image, to_rgb
from recolor.datasets.near_duplicates import MAX_DISTANCE, group_near_duplicates
from recolor.datasets.posters import Box, fingerprint, fit, letterbox, read_poster
from recolor.datasets.shards import parse, serialize
from recolor.datasets.splits import assign_splits

RED = (200, 30, 60)


def smooth(width: int, height: int, seed: int = 0) -> Image.Image:
    colors = np.random.default_rng(seed).integers(0, 256, (8, 6, 3), np.uint8)
    return Image.fromarray(colors).resize((width, height), Image.Resampling.BICUBIC)


def saved(image: Image.Image, path, **options):
    image.save(path, **options)
    return path


def bits_apart(one: Image.Image, other: Image.Image) -> int:
    return int(np.unpackbits(fingerprint(one) ^ fingerprint(other)).sum())


@pytest.mark.parametrize(
    ("size", "box"),
    [
        pytest.param((200, 300), Box(0, 16, 96, 64), id="portrait"),
        pytest.param((300, 200), Box(16, 0, 64, 96), id="landscape"),
        pytest.param((300, 300), Box(0, 0, 96, 96), id="square"),
        pytest.param((96, 96), Box(0, 0, 96, 96), id="of the size already"),
        pytest.param((20, 30), Box(0, 16, 96, 64), id="small, scaled up"),
        pytest.param((1000, 1), Box(47, 0, 1, 96), id="a line"),
        pytest.param((1, 1000), Box(0, 47, 96, 1), id="an upright line"),
        pytest.param((1, 1), Box(0, 0, 96, 96), id="one pixel"),
    ],
)
def test_letterbox_fits_and_centers_on_white(size, box):
    square, actual = letterbox(Image.new("RGB", size, RED), 96)
    assert actual == box
    assert (square.shape, square.dtype) == ((96, 96, 3), np.uint8)
    expected = np.full((96, 96, 3), 255)
    expected[box.top : box.top + box.height, box.left : box.left + box.width] = RED
    assert np.array_equal(square, expected)


@pytest.mark.parametrize("seed", range(20))
def test_letterbox_keeps_the_aspect_ratio_of_any_image(seed):
    width, height = np.random.default_rng(seed).integers(1, 400, 2).tolist()
    _, box = letterbox(Image.new("RGB", (width, height)), 256)
    assert max(box.height, box.width) == 256
    for side, actual in ((width, box.width), (height, box.height)):
        ideal = 256 * side / max(width, height)
        assert actual == 1 or abs(actual - ideal) <= 0.5
    bottom, right = 256 - box.top - box.height, 256 - box.left - box.width
    assert 0 <= bottom - box.top <= 1
    assert 0 <= right - box.left <= 1


def test_letterbox_neither_mirrors_nor_crops():
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:20, :40] = RED
    square, _ = letterbox(Image.fromarray(picture), 80)
    assert np.array_equal(square[20:60], picture)


@pytest.mark.parametrize("size", [(60, 90), (90, 60)])
def test_padding_is_white_and_neutral(tmp_path, size):
    poster = read_poster(saved(Image.new("RGB", size, RED), tmp_path / "a.png"), 48)
    inside = (poster.box.height, poster.box.width)
    assert (poster.lightness.shape, poster.lightness.dtype) == (inside, np.uint8)
    assert (poster.ab.shape, poster.ab.dtype) == ((*inside, 2), np.int8)
    lightness, ab = rgb_to_lab8(np.array(RED, np.uint8))
    assert (poster.lightness == lightness).all()
    assert (poster.ab == ab).all()
    square = parse(serialize("a.png", poster, None), 48, 0)
    padding = np.ones((48, 48), bool)
    padding[poster.box.slices] = False
    assert padding.sum() == 48 * 16
    assert (square["lightness"][padding] == 255).all()
    assert (square["ab"][padding] == 0).all()
    assert (square["lightness"][poster.box.slices][..., 0] == poster.lightness).all()


def test_the_colors_are_those_of_the_picture_brought_to_size(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (90, 60, 3), np.uint8)
    path = saved(Image.fromarray(noise), tmp_path / "a.png")
    poster = read_poster(path, 64)
    lightness, ab = rgb_to_lab8(np.asarray(fit(Image.fromarray(noise), 64)[0]))
    np.testing.assert_array_equal(poster.lightness, lightness)
    np.testing.assert_array_equal(poster.ab, ab)


def test_sha256_is_that_of_the_file(tmp_path):
    path = saved(smooth(40, 40), tmp_path / "a.png")
    assert read_poster(path, 32).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_source_size_is_that_of_the_upright_image(tmp_path, kind, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = saved(smooth(480, 240), tmp_path / "a", format=kind, exif=exif)
    poster = read_poster(path, 32)
    upright = (240, 480) if orientation < 5 else (480, 240)
    assert (poster.box.height, poster.box.width) == (upright[0] // 15, upright[1] // 15)
    assert poster.source_size == upright


@pytest.mark.parametrize(("width", "height"), [(15, 400), (400, 15), (1, 1)])
def test_too_small_an_image_is_refused(tmp_path, width, height):
    path = saved(Image.new("RGB", (width, height)), tmp_path / "a.png")
    with pytest.raises(ImageError, match=f"^{width}x{height} pixels: too small, the least is 16"):
        read_poster(path, 32)


def test_the_least_size_is_accepted(tmp_path):
    poster = read_poster(saved(smooth(16, 16), tmp_path / "a.png"), 32)
    assert poster.source_size == (16, 16)


@pytest.mark.parametrize("name", ["missing.jpg", "folder.jpg"])
def test_what_can_not_be_read_is_refused(tmp_path, name):
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(ImageError, match=r"^can't be read: "):
        read_poster(tmp_path / name, 32)


def test_what_is_no_image_is_refused(tmp_path):
    (tmp_path / "a.jpg").write_text("no picture")
    with pytest.raises(ImageError, match="not an image"):
        read_poster(tmp_path / "a.jpg", 32)


@pytest.mark.parametrize("size", [(2400, 1600), (1601, 2403)])
def test_a_large_jpeg_gives_what_a_full_decoding_gives(tmp_path, size):
    """In detail too: decoded any smaller, this picture would be blurred."""
    noise = np.random.default_rng(0).integers(60, 200, (110, 110, 3), np.uint8)
    picture = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
    path = saved(picture, tmp_path / "a.jpg", quality=90)
    poster = read_poster(path, 256)
    square, box = letterbox(to_rgb(open_image(path.read_bytes())), 256)
    lightness, ab = rgb_to_lab8(square)

    assert poster.source_size == size[::-1]
    assert poster.box == box
    assert np.abs(poster.lightness.astype(int) - lightness[box.slices]).mean() < 1.5
    assert np.abs(poster.ab.astype(int) - ab[box.slices]).mean() < 1.5


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    return [draw_poster(3, index, "modern")[1] for index in range(8)]


def rescaled(image: Image.Image) -> Image.Image:
    return image.resize((image.width * 2 // 3, image.height * 2 // 3), Image.Resampling.LANCZOS)


def recompressed(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=40)
    return Image.open(buffer)


def recolored(image: Image.Image) -> Image.Image:
    lightness, ab = rgb_to_lab8(np.asarray(image))
    return Image.fromarray(lab8_to_rgb(lightness, ab[..., ::-1]))


def grayed(image: Image.Image) -> Image.Image:
    lightness, ab = rgb_to_lab8(np.asarray(image))
    return Image.fromarray(lab8_to_rgb(lightness, np.zeros_like(ab)))


@pytest.mark.parametrize(
    "change",
    [
        *(rescaled, recompressed, recolored, grayed),
        pytest.param(lambda image: recompressed(rescaled(grayed(image))), id="all at once"),
    ],
)
def test_copies_of_a_picture_have_near_fingerprints(pictures, change):
    assert max(bits_apart(image, change(image)) for image in pictures) <= MAX_DISTANCE


def test_different_pictures_have_far_fingerprints(pictures):
    distances = [bits_apart(one, other) for k, one in enumerate(pictures) for other in pictures[:k]]
    assert min(distances) > MAX_DISTANCE


def test_splits_are_the_same_at_all_sizes(pictures, tmp_path):
    """With trimmed copies among the posters, whose fingerprints are about as far as may be."""
    paths = []
    for number, picture in enumerate(pictures):
        for copy, trim in enumerate((0, 8, 10, 12)):
            trimmed = ImageOps.crop(picture.resize((400, 600), Image.Resampling.LANCZOS), trim)
            paths.append(saved(trimmed, tmp_path / f"{number}-{copy}.jpg", quality=60))
    by_size = [[read_poster(path, size) for path in paths] for size in (64, 128, 256, 384)]
    fingerprints = [np.stack([poster.fingerprint for poster in posters]) for posters in by_size]
    for others in fingerprints[1:]:
        np.testing.assert_array_equal(others, fingerprints[0])

    contents = [poster.sha256 for poster in by_size[0]]
    groups = [group_near_duplicates(prints) for prints in fingerprints]
    assert 1 < len(set(groups[0])) < len(paths)
    for seed in range(5):
        homes = [assign_splits(contents, group, (0.6, 0.2, 0.2), seed) for group in groups]
        assert all(other == homes[0] for other in homes)


def test_fingerprint_tells_horizontal_steps_of_brightness():
    ramp = np.repeat(np.linspace(0, 255, 170).astype(np.uint8)[None], 160, axis=0)
    up, down = (fingerprint(Image.fromarray(array)) for array in (ramp, ramp[:, ::-1].copy()))
    assert (up.shape, up.dtype) == ((32,), np.uint8)
    assert (up == 255).all()
    assert (down == 0).all()
    assert (fingerprint(Image.new("RGB", (90, 60), RED)) == 0).all()


def test_lightness_alone_is_seen_of_a_colored_poster(tmp_path):
    """A gray picture, and one of bright colors with the same stored L at each pixel.

    If color leaked into what the networks are given, the two would differ there.
    """
    rng = np.random.default_rng(0)
    colors = rng.integers(0, 256, (60_000, 3), np.uint8)
    lightness, ab = rgb_to_lab8(colors)
    grays, _ = rgb_to_lab8(np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1))
    vivid = np.hypot(*ab.astype(float).T) > 25
    choices = {gray: colors[vivid & (lightness == grays[gray])] for gray in range(256)}
    usable = [gray for gray, matching in choices.items() if len(matching)]
    assert len(usable) > 150

    gray = rng.choice(usable, (48, 48)).astype(np.uint8)
    colorful = np.array([[rng.choice(choices[value]) for value in row] for row in gray])
    one = read_poster(saved(Image.fromarray(gray), tmp_path / "gray.png"), 48)
    other = read_poster(saved(Image.fromarray(colorful), tmp_path / "colorful.png"), 48)

    assert np.array_equal(one.lightness, other.lightness)
    assert not one.ab.any()
    assert (np.hypot(*np.moveaxis(other.ab.astype(float), -1, 0)) > 25).all()
