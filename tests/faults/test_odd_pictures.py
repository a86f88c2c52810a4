"""A hundred files of every odd kind in one folder: each is taken as it should be, or counted."""

import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
from mutations import whole_files
from PIL import Image
from skimage.color import rgb2lab
from test_jpeg import jpeg, overwritten
from test_tiff import COLORS, GRAY, MAP, PLANES, WIDE, packed, tiff, wide

from faults.tally import tally

# Names that are no pictures, or not to be looked at.
ASIDE = ("._cover.jpg", ".Trashes/old.jpg", "@eaDir/poster.jpg", "__MACOSX/._a.jpg", ".hidden.png")
OTHER = ("scan.heic", "scan.HEIC", "layers.psd", "print.pdf", "logo.svg", "raw.cr2", "no suffix")


def as_8_bits() -> dict[str, tuple[bytes, np.ndarray]]:
    """Files by their names, each with the gray or colored picture that is to come out of it."""
    gray, colors = Image.fromarray(GRAY), Image.fromarray(COLORS)
    wide_gray = Image.fromarray(WIDE)
    mapped = np.stack([GRAY, 255 - GRAY, np.full_like(GRAY, 9)], axis=-1)
    kinds = {
        "8-bit.tif": (tiff([GRAY.tobytes()], [8], 1), GRAY),
        "white is 0.tif": (tiff([(255 - GRAY).tobytes()], [8], 0), GRAY),
        "16-bit, white is 0.tif": (tiff([(65_535 - WIDE).tobytes()], [16], 0), GRAY),
        "12-bit.tif": (tiff([packed(12, GRAY.astype(int) * 4095 // 255 + 1)], [12], 1), GRAY),
        "planes.tif": (tiff([COLORS[..., n].tobytes() for n in range(3)], [8] * 3, 2, t284=[2]),
                       COLORS),
        "map.tiff": (tiff([GRAY.tobytes()], [8], 3, t320=MAP), mapped),
    }  # fmt: skip
    for name, image, options, expected in (
        ("gray.png", gray, {}, GRAY),
        ("16-bit.png", wide_gray, {}, GRAY),
        ("16-bit.tiff", wide_gray, {}, GRAY),
        ("colors.PNG", colors, {}, COLORS),
        ("few colors.png", colors.quantize(200), {}, None),
        ("one bit.png", gray.convert("1"), {}, None),
        ("gray and alpha.png", gray.convert("LA"), {}, GRAY),
        ("lossless.webp", colors, {"lossless": True}, COLORS),
        ("lzw.tif", colors, {"compression": "tiff_lzw"}, COLORS),
        ("bitmap.bmp", colors, {}, COLORS),
        ("turned.png", colors.transpose(Image.Transpose.ROTATE_90), {"exif": turned()}, COLORS),
        ("film.gif", colors, {"save_all": True, "append_images": [gray.convert("RGB")]}, None),
    ):
        file = io.BytesIO()
        suffix = name.rpartition(".")[2].lower()
        image.save(file, {"tif": "TIFF"}.get(suffix, suffix).upper(), **options)
        if expected is None:
            expected = np.asarray(Image.open(file).convert("RGB"))
        kinds[name] = file.getvalue(), expected
    # Content tells the kind of a file, its name does not.
    kinds["a png in truth.jpg"] = kinds["colors.PNG"]
    return kinds


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[274] = 6
    return exif


def refused() -> dict[str, tuple[bytes, str]]:
    """Files by their names, each with words of the reason why it can't be taken."""
    tiffs = {
        "32-bit gray": tiff([wide("<", "u4")], [32], 1),
        "32-bit signed gray": tiff([wide("<", "i4")], [32], 1, t339=[2]),
        "16-bit signed gray": tiff([wide("<", "i2")], [16], 1, t339=[2]),
        "10-bit gray": tiff([packed(10, GRAY)], [10], 1),
        "16-bit RGB": tiff(PLANES, [16] * 3, 2, t284=[2]),
        "16-bit camera raw": tiff([wide("<", "u2")], [16], 32_803),
    }
    found = {f"{name}.tif": (data, f"{name} TIFF") for name, data in tiffs.items()}
    for number, size in enumerate((40, 100, 500)):
        found[f"zeros {number}.jpg"] = overwritten(jpeg(), bytes(size)), "overwritten with zeros"
    found["other data.jpg"] = overwritten(jpeg(), b"\xff\xdb"), "cut off by other data"
    for number, less in enumerate((30, 300, 600)):
        found[f"cut {number}.jpg"] = jpeg()[:-less], "truncated"
    for name, data in whole_files().items():
        if "TIFF" not in name:
            found[f"half a {name}.jpg"] = data[: len(data) // 3], "damaged|not an image|truncated"
    pages = {"empty": b"", "page": b"<!doctype html><title>404</title>", "text": b"no picture\n"}
    return found | {f"{name}.jpg": (data, "not an image|empty") for name, data in pages.items()}


@pytest.mark.faults
def test_a_hundred_odd_files_through_apply(forge, supplies, tmp_path, request):
    with tally(request, "odd files applied") as counted:
        folder = tmp_path / "posters"
        right, wrong = as_8_bits(), refused()
        right |= {f"season {n}/{name}": one for n in (1, 2, 3) for name, one in right.items()}
        contents = {name: data for name, (data, _) in (right | wrong).items()}
        contents |= dict.fromkeys(ASIDE, jpeg()) | dict.fromkeys(OTHER, b"something")
        assert len(contents) >= 100
        for name, data in contents.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        (folder / "nowhere.jpg").symlink_to("not there")
        (folder / "a folder.jpg").mkdir()
        os.mkfifo(folder / "pipe.jpg")
        (folder / "line\nbreak.png").write_bytes(right["gray.png"][0])
        Path(os.fsdecode(os.fsencode(folder) + b"/latin \xe9.png")).write_bytes(
            right["gray.png"][0]
        )
        place = supplies.place(tmp_path / "place")
        ended = forge.call(place, "apply", folder, "--out", "out", "--restore", 0)
        assert "Traceback" not in ended.said and "unexpected" not in ended.said, ended.said
        assert ended.status == 3, ended.said
        for name, (_, expected) in right.items():
            with counted.one(name):
                check_picture(place / "out" / name, expected)
        reasons = (place / "out" / "skipped.tsv").read_bytes().decode("utf-8", "surrogateescape")
        lines = dict(line.split("\t") for line in reasons.splitlines()[1:])
        for name, (_, words) in wrong.items():
            with counted.one(name):
                assert re.search(words, lines.get(name, "")), (name, lines.get(name))
        for name in ASIDE:
            with counted.one(name):
                assert name not in lines and not (place / "out" / name).exists()
        with counted.one("files of other kinds are counted"):
            assert "2 .heic" in ended.said and "1 .psd" in ended.said, ended.said


def check_picture(file: Path, expected: np.ndarray) -> None:
    """Gray pictures are given a scheme, and keep their lightness; colors are as they were."""
    assert file.exists(), f"{file.name} is not there"
    with Image.open(file) as image:
        found = np.asarray(image.convert("RGB")).astype(float)
    # Results in JPEG and WebP, and the few colors of GIF, are not exact.
    most = 60.0 if file.suffix.lower() in (".jpg", ".gif", ".webp") else 0.0
    if expected.ndim == 2:
        expected = np.repeat(expected[..., None], 3, axis=-1)
    if np.ptp(expected, axis=-1).max() == 0:
        found, expected = (rgb2lab(one / 255)[..., 0] for one in (found, expected))
        most = 4.0
    assert found.shape == expected.shape, (found.shape, expected.shape)
    assert np.abs(found - expected).max() <= most, np.abs(found - expected).max()
