"""Print files: their size, edges, inks and boxes, read by other programs' libraries."""

import numpy as np
import pytest
from click.testing import CliRunner
from icc_profiles import (
    ADOBE_RGB,
    D50_FROM_D65,
    cmyk_profile,
    gray_profile,
    rgb_profile,
    xyz_from_rgb,
)
from icc_profiles import SRGB as SRGB_PRIMARIES
from PIL import Image

from recolor.datasets.color_profiles import srgb_profile
from recolor.datasets.picture_file import PictureFile
from recolor.platform.cli.main import main
from recolor.platform.printing.inks import Inks
from recolor.platform.printing.lengths import LengthError, length, print_size
from recolor.platform.printing.sheet import FILL, WHOLE, SheetError, lay_out

D50_FROM_RGB = D50_FROM_D65 @ xyz_from_rgb(SRGB_PRIMARIES)
# What an ink takes of its light, where there is all of it.
COLORED, BLACK = 0.95, 0.9


def xyz_of_ink(inks: np.ndarray) -> np.ndarray:
    """Of inks that each take red, green or blue, and a black one."""
    light = (1 - COLORED * inks[..., :3]) * (1 - BLACK * inks[..., 3:])
    return light @ D50_FROM_RGB.T


def ink_of_xyz(xyz: np.ndarray) -> np.ndarray:
    light = np.clip(xyz @ np.linalg.inv(D50_FROM_RGB).T, 0, 1)
    black = np.clip((1 - light.max(axis=1, keepdims=True)) / BLACK, 0, 1)
    colored = (1 - light / (1 - BLACK * black)) / COLORED
    return np.concatenate([np.clip(colored, 0, 1), black], axis=1)


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    file = tmp_path_factory.mktemp("profile") / "printer.icc"
    file.write_bytes(cmyk_profile(xyz_of_ink, 17, ink_of_xyz))
    return file


def picture(size=(60, 90)) -> Image.Image:
    colors = np.random.default_rng(0).integers(60, 220, (3, 2, 3), np.uint8)
    return Image.fromarray(colors).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def poster(tmp_path):
    picture().save(tmp_path / "poster.png", dpi=(60, 60))
    return tmp_path / "poster.png"


def run(*arguments):
    return CliRunner().invoke(main, ["print", *map(str, arguments)])


@pytest.mark.parametrize(
    ("text", "millimeters"),
    [
        ("27x40in", (685.8, 1016)),
        ("70 x 100 cm", (700, 1000)),
        ("419.5x594MM", (419.5, 594)),
        *(("A0", (841, 1189)), ("a2", (420, 594)), ("A10", (26, 37)), ("B1", (707, 1000))),
    ],
)
def test_sizes_as_people_type_them(text, millimeters):
    found = print_size(text)
    assert (25.4 * found.width, 25.4 * found.height) == pytest.approx(millimeters)


def test_lengths_and_what_is_none():
    lengths = [length(text) for text in ("3mm", "0.3 cm", "0.125in")]
    assert lengths == pytest.approx([3 / 25.4, 3 / 25.4, 0.125])
    for text in ("3", "mm", "-3mm", "3m", "1e3mm", "nanmm", "", "9in"):
        with pytest.raises(LengthError):
            length(text)
    for text in ("A11", "C4", "27x40", "27in", "0x40in", "27x400in", "x", "27x40x2in"):
        with pytest.raises(LengthError):
            print_size(text)


@pytest.mark.parametrize(
    ("size", "options", "dpi", "trim", "scaled"),
    [
        ((600, 900), {"own_dpi": (300, 300)}, 300, (600, 900), (600, 900)),
        ((600, 900), {"own_dpi": (300, 300), "dpi": 150}, 150, (600, 900), (600, 900)),
        # A fax has more pixels across than down.
        ((200, 100), {"own_dpi": (200, 100)}, 200, (200, 200), (200, 200)),
        ((600, 900), {"print_size": "20x30in"}, 30, (600, 900), (600, 900)),
        ((600, 900), {"print_size": "20x30in", "dpi": 100}, 100, (2000, 3000), (2000, 3000)),
        ((600, 900), {"print_size": "24x30in", "dpi": 100}, 100, (2400, 3000), (2000, 3000)),
        (
            (600, 900),
            {"print_size": "24x30in", "dpi": 100, "fit": FILL},
            100,
            (2400, 3000),
            (2400, 3600),
        ),
        # As upright as the picture is.
        ((1189, 841), {"print_size": "A4", "dpi": 254}, 254, (2970, 2100), (2970, 2101)),
    ],
)
def test_pictures_are_laid_on_sheets(size, options, dpi, trim, scaled):
    if "print_size" in options:
        options = {**options, "print_size": print_size(options["print_size"])}
    sheet = lay_out(size, **{"own_dpi": None, **options})
    assert (round(sheet.dpi, 6), sheet.trim, sheet.scaled) == (dpi, trim, scaled)


def test_sheets_that_can_not_be():
    with pytest.raises(SheetError, match="no resolution: give `print_size` or `dpi`"):
        lay_out((60, 90), None)
    with pytest.raises(SheetError, match="the limit is 400 megapixels"):
        lay_out((60, 90), None, print_size("27x40in"), 1200)
    with pytest.raises(SheetError, match="the bleed is larger"):
        lay_out((4, 4), (1, 1), bleed=3.0, dpi=2)
    with pytest.raises(SheetError, match=r"0\.2x0\.3 in, of 0\.5 to 190"):
        lay_out((60, 90), (300, 300))


def whole(sheet, image) -> np.ndarray:
    return np.concatenate(list(sheet.bands(image)))


def test_bands_are_the_picture_scaled_at_once_with_mirrored_edges():
    sheet = lay_out((60, 90), None, print_size("4x6in"), 150, bleed=0.1)
    expected = picture().resize((600, 900), Image.Resampling.LANCZOS)
    expected = np.pad(np.asarray(expected, int), ((15, 15), (15, 15), (0, 0)), "symmetric")
    assert np.abs(whole(sheet, picture()) - expected).max() <= 1


def test_pixels_that_need_no_scaling_stay_as_they_are():
    sheet = lay_out((60, 300), (60, 60), bleed=0.05)
    shown = whole(sheet, picture((60, 300)))
    assert np.array_equal(shown[3:-3, 3:-3], np.asarray(picture((60, 300))))


def test_another_shape_leaves_white_or_is_cut():
    sheet = lay_out((60, 90), None, print_size("2x2in"), 45, WHOLE, bleed=0.1)
    shown = whole(sheet, picture())
    # 15 pixels at each side, and the bleed's 4.
    assert (sheet.white, sheet.cut) == ((15, 0), (0, 0))
    assert (shown[:, :19] == 255).all() and (shown[:, -19:] == 255).all()
    assert np.array_equal(shown[4:-4, 19:-19], np.asarray(picture()))
    assert np.array_equal(shown[0, 19:-19], shown[7, 19:-19])
    sheet = lay_out((60, 90), None, print_size("2x2in"), 30, FILL, bleed=0.1)
    shown = whole(sheet, picture())
    assert (sheet.white, sheet.cut) == ((0, 0), (0, 15))
    # What is cut off is the bleed.
    assert np.array_equal(shown[:, 3:-3], np.asarray(picture())[12:-12])


@pytest.mark.parametrize("suffix", [".tif", ".jpg"])
def test_colors_come_back_from_the_inks(suffix, poster, profile, tmp_path):
    out = tmp_path / f"print{suffix}"
    result = run(poster, "--out", out, "--profile", profile)
    assert result.exit_code == 0, result.output
    with Image.open(out) as image:
        assert (image.mode, image.size) == ("CMYK", (60, 90))
        assert image.info["icc_profile"] == profile.read_bytes()
        assert image.info["dpi"] == pytest.approx((60, 60), abs=0.01)
    back = np.asarray(PictureFile.read(out).picture, int)
    # Eight bits an ink and a coarse table lose a little.
    assert np.abs(back - np.asarray(picture(), int)).mean() < 3


def test_a_printer_may_take_rgb_and_without_a_profile_colors_stay(poster, tmp_path):
    adobe = tmp_path / "adobe.icc"
    adobe.write_bytes(rgb_profile(ADOBE_RGB, np.linspace(0, 1, 256) ** 2.2))
    assert run(poster, "--out", tmp_path / "a.tif", "--profile", adobe).exit_code == 0
    with Image.open(tmp_path / "a.tif") as image:
        assert (image.mode, image.info["icc_profile"]) == ("RGB", adobe.read_bytes())
    back = np.asarray(PictureFile.read(tmp_path / "a.tif").picture, int)
    assert np.abs(back - np.asarray(picture(), int)).max() <= 4
    assert run(poster, "--out", tmp_path / "s.tif").exit_code == 0
    with Image.open(tmp_path / "s.tif") as image:
        assert image.info["icc_profile"] == srgb_profile()
        assert np.array_equal(np.asarray(image), np.asarray(picture()))


def test_the_black_point_makes_black_the_printers(profile):
    dark = np.full((1, 1, 3), 20, np.uint8)
    plain, compensated = (
        Inks.of(profile, "relative", black_point=on).converted(dark)[0, 0].astype(int)
        for on in (False, True)
    )
    # Without, all that is darker than the printer's black is alike.
    assert plain.sum() > compensated.sum() + 20
    black = np.zeros((1, 1, 3), np.uint8)
    assert Inks.of(profile).converted(black).min() >= 240


@pytest.mark.parametrize("marks", [False, True])
def test_a_pdf_has_the_printers_boxes_and_the_same_pixels(marks, poster, profile, tmp_path):
    pdfium = pytest.importorskip("pypdfium2")
    out, size = tmp_path / "poster.pdf", ["--print-size", "20x30cm", "--dpi", 50, "--bleed", "3mm"]
    options = ["--profile", profile, *size]
    result = run(poster, "--out", out, *options, *(["--crop-marks"] if marks else []))
    assert result.exit_code == 0, result.output
    assert "20x30 cm at 50 pixels per inch" in result.output
    assert "enlarged 6.6 times: the picture has 8 per inch" in result.output
    assert run(poster, "--out", tmp_path / "same.tif", *options).exit_code == 0
    page = pdfium.PdfDocument(out)[0]
    boxes = page.get_mediabox(), page.get_bleedbox(), page.get_trimbox()
    media, bleed, trim = map(np.array, boxes)
    # Marks begin where the bleed of 3 mm ends, and are 5 mm long.
    around = 3 + 5 if marks else 3
    for box, beyond in ((trim, 0), (bleed, 3), (media, around)):
        shown = (box[2:] - box[:2]) / 72 * 25.4
        # The sheet has whole pixels, of half a millimeter.
        assert shown == pytest.approx([200 + 2 * beyond, 300 + 2 * beyond], abs=0.5)
    middles = [(box[:2] + box[2:]) / 2 for box in (media, bleed, trim)]
    assert np.ptp(middles, axis=0) == pytest.approx([0, 0], abs=1e-3)
    (image,) = page.get_objects([pdfium.raw.FPDF_PAGEOBJ_IMAGE])
    with Image.open(tmp_path / "same.tif") as same:
        assert bytes(image.get_data(decode_simple=True)) == same.tobytes()
    if marks:
        drawn = np.asarray(page.render(scale=4).to_pil().convert("L")) < 200
        # At the upper left corner: a line down to the trimmed sheet, and one from the left to it.
        across, down = np.argmax(drawn[0]), np.argmax(drawn[:, 0])
        assert (across, down) == pytest.approx((4 * trim[0], 4 * trim[1]), abs=2)
        assert drawn[:50, across].all() and drawn[down, :50].all()
        assert not drawn[:50, across + 4 : -across - 4].any()


def test_masks_lie_as_the_picture_does_and_say_where_a_swatch_is(tmp_path):
    flag = Image.new("RGB", (60, 90), (193, 18, 31))
    flag.paste((11, 60, 93), (0, 0, 60, 30))
    flag.save(tmp_path / "flag.png")
    size = ["--print-size", "2x2in", "--bleed", "3mm", "--dpi", 90]
    result = run(tmp_path / "flag.png", "--out", tmp_path / "out" / "flag.pdf", "--masks", *size)
    assert result.exit_code == 0, result.output
    masks = {}
    for file in sorted((tmp_path / "out" / "flag.masks").iterdir()):
        with Image.open(file) as mask:
            masks[file.name] = np.asarray(mask).astype(int)
            assert mask.mode == "L" and mask.info["dpi"] == pytest.approx((90, 90), abs=0.01)
    assert list(masks) == ["1-c1121f.png", "2-0b3c5d.png"]
    red, blue = masks.values()
    # 120x180 pixels in 180x180, and 11 of bleed.
    assert red.shape == (202, 202)
    assert (red[:, :40] == 0).all() and (blue[:, :40] == 0).all()
    assert (red[90:, 42:160] > 250).all() and (blue[:60, 42:160] > 250).all()
    assert np.abs(red + blue - 255)[:, 42:160].max() <= 2


def test_a_print_file_is_replaced_only_where_that_is_asked_for(poster, tmp_path):
    out = tmp_path / "poster.tif"
    out.write_text("before")
    result = run(poster, "--out", out)
    assert result.exit_code == 1 and "is there already: --overwrite replaces it" in result.stderr
    assert out.read_text() == "before"
    assert run(poster, "--out", out, "--overwrite").exit_code == 0
    with Image.open(out) as image:
        assert image.size == (60, 90)
    own = run(out, "--out", out, "--overwrite")
    assert own.exit_code == 1 and "would replace a picture" in own.stderr


def test_a_folder_is_printed_and_what_is_damaged_is_said(poster, tmp_path):
    (tmp_path / "in").mkdir()
    picture().save(tmp_path / "in" / "good.jpg", dpi=(50, 50))
    picture().save(tmp_path / "in" / "sizeless.jpg")
    (tmp_path / "in" / "bad.png").write_bytes(b"no image")
    result = run(tmp_path / "in", "--out", tmp_path / "out", "--format", "tiff")
    assert result.exit_code == 3
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["good.tif"]
    assert "skipped bad.png: not an image" in result.stderr
    assert "skipped sizeless.jpg: its file has no resolution: give --print-size or --dpi" in (
        result.stderr
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--profile", "missing.icc"], "No such file or directory: missing.icc"),
        (["--profile", "poster.png"], "poster.png is not an ICC profile"),
        (["--profile", "gray.icc"], "profile of another kind (GRAY)"),
        (["--profile", "one-way.icc"], "has no table to inks"),
        (["--intent", "absolute"], "'absolute' is not one of"),
        (["--intent", "relative"], "go with --profile"),
        (["--no-black-point"], "go with --profile"),
        (["--print-size", "27x40"], "'27x40' is not a size"),
        (["--print-size", "270x400in"], "sides are 0.5 to 190 in"),
        (["--dpi", "nan"], "--dpi"),
        (["--dpi", "5"], "--dpi"),
        (["--bleed", "3"], "'3' is not a length"),
        (["--fit", "cover"], "'cover' is not one of"),
        (["--format", "tiff"], "--format tiff does not go with poster.pdf"),
        (["--out", "poster.tif", "--crop-marks"], "--crop-marks are drawn in PDF alone"),
        (["--out", "poster.png"], "poster.png"),
        (["--out", "poster.png/a.pdf"], "poster.png"),
        (["gray.icc"], "2 pictures can't be printed to poster.pdf: name a folder"),
    ],
)
def test_what_is_typed_wrong_is_said_in_one_line(options, said, poster, monkeypatch):
    monkeypatch.chdir(poster.parent)
    (poster.parent / "gray.icc").write_bytes(gray_profile(np.linspace(0, 1, 256)))
    (poster.parent / "one-way.icc").write_bytes(cmyk_profile(xyz_of_ink))
    result = run(poster.name, "--out", "poster.pdf", *options)
    assert result.exit_code in (1, 2)
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: ") and said in last
    assert not list(poster.parent.glob("*.pdf"))
