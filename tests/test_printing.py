"""Print files: their size, edges, inks and boxes, read by other programs' libraries."""

import numpy as np
import pytest
from click.testing import CliRunner
from icc_profiles import (
    ADOBE_RGB,
    D50,
    D50_FROM_D65,
    SRGB,
    cmyk_profile,
    gray_profile,
    printer,
    printer_profile,
    rgb_profile,
    srgb_from_xyz_d65,
    srgb_to_linear,
    xyz_from_rgb,
)
from PIL import Image
from skimage.color import xyz2lab

from recolor.datasets.color_profiles import srgb_profile
from recolor.datasets.picture_file import PictureFile
from recolor.platform.cli.main import main
from recolor.platform.printing.inks import Inks
from recolor.platform.printing.lengths import LengthError, length, print_size
from recolor.platform.printing.proof import Proof, marked
from recolor.platform.printing.sheet import FILL, WHOLE, SheetError, lay_out

PROFILE = printer_profile()
ADOBE = rgb_profile(ADOBE_RGB, np.linspace(0, 1, 256))


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    file = tmp_path_factory.mktemp("profile") / "printer.icc"
    file.write_bytes(PROFILE)
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


@pytest.mark.parametrize("black_point", [False, True])
def test_a_proof_shows_the_print_and_finds_what_can_not_be_printed(black_point, tmp_path):
    """Compared with the printer's own formulas, without tables and LittleCMS."""
    weak = 0.5  # Its black ink: black is L = 18.
    (tmp_path / "weak.icc").write_bytes(printer_profile(weak))
    levels = np.linspace(0, 255, 7).round().astype(np.uint8)
    rgb = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)

    xyz_of_ink, ink_of_xyz = printer(weak)
    black = xyz_of_ink(np.ones(4)) if black_point else np.zeros(3)
    xyz = srgb_to_linear(rgb[0] / 255) @ (D50_FROM_D65 @ xyz_from_rgb(SRGB)).T
    # Compensation moves black to the printer's, white stays, and all else moves in proportion.
    printed = xyz_of_ink(ink_of_xyz(black + xyz * (1 - black / D50)))
    wanted, back = (xyz2lab(np.clip(colors, 0, None), "D50") for colors in (
        xyz, (printed - black) / (1 - black / D50)))  # fmt: skip
    distance = np.linalg.norm(wanted - back, axis=1)
    on_screen = 255 * srgb_from_xyz_d65(printed @ np.linalg.inv(D50_FROM_D65).T)

    shown, mask = Proof(tmp_path / "weak.icc")(rgb, "relative", black_point)
    # Of dark colors, the profile's coarse tables are off by more.
    clear = (np.abs(distance - 5) > 2.5) & (wanted[:, 0] > 20)
    assert clear.mean() > 0.7 and 0.05 < mask.mean() < 0.8
    assert np.array_equal(mask[0, clear], distance[clear] > 5)
    assert mask[0, 0] != black_point  # black
    assert np.abs(shown[0] - on_screen).mean() < 2


def test_a_proof_has_the_inks_of_its_intent_and_the_same_gamut(tmp_path):
    xyz_of_ink, ink_of_xyz = printer()
    lighter = cmyk_profile(xyz_of_ink, 9, ink_of_xyz, lambda xyz: ink_of_xyz(xyz) / 2)
    (tmp_path / "lighter.icc").write_bytes(lighter)
    proof, rgb = Proof(tmp_path / "lighter.icc"), np.asarray(picture())
    (relative, mask), (perceptual, same) = (
        proof(rgb, name, black_point=False) for name in ("relative", "perceptual")
    )
    assert np.abs(relative - rgb.astype(int)).mean() < 6
    assert perceptual.mean() > relative.mean() + 30
    assert np.array_equal(mask, same)


def test_marks_cover_what_is_marked_alone():
    gray, mask = np.full((40, 60, 3), 90, np.uint8), np.zeros((40, 60), bool)
    mask[10:30, 20:50] = True
    covered = marked(gray, mask)
    assert (covered[~mask] == 90).all() and (covered[mask] != 90).any(axis=1).all()
    assert len(np.unique(covered[mask], axis=0)) == 2


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
    ("files", "said"),
    [
        ({}, "No such file or directory: a.icc"),
        ({"a.icc": b"a picture"}, "a.icc is not an ICC profile, or is damaged"),
        ({"a.icc": PROFILE[: len(PROFILE) // 2]}, "a.icc is not an ICC profile, or is damaged"),
        ({"a.icc": PROFILE.replace(b"CMYK", b"\xffMYK", 1)}, "a.icc is not an ICC profile, or is"),
        ({"a.icc": 65 * 2**20}, "a.icc is too large for an ICC profile"),
        ({"a.icc": gray_profile(np.linspace(0, 1, 256))}, "a profile of another kind (GRAY)"),
        ({"a.icc": cmyk_profile(printer()[0])}, "printed with: it has no usable table to inks"),
        ({"a.icc": ADOBE.replace(b"rTRC", b"none")}, "it has no usable table to inks"),
        ({"a.icc": PROFILE.replace(b"A2B0", b"none")}, "proofed: it has no usable table from inks"),
        ({"a.icc": PROFILE, "b.icc": PROFILE}, "b.icc: another profile is called 'test', too"),
    ],
    ids=range(10),
)
def test_a_profile_that_can_not_be_served_is_said_in_one_line(files, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, content in files.items():
        if isinstance(content, int):
            with (tmp_path / name).open("wb") as file:
                file.truncate(content)
        else:
            (tmp_path / name).write_bytes(content)
    options = [text for name in files or ["a.icc"] for text in ("--profile", name)]
    result = CliRunner().invoke(main, ["serve", *options])
    assert result.exit_code in (1, 2)
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: ") and said in last


def test_a_profile_may_be_described_in_another_encoding(tmp_path):
    (tmp_path / "own.icc").write_bytes(PROFILE.replace(b"test\0", b"t\xfcst\0", 1))
    assert Inks.of(tmp_path / "own.icc").name == "own"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--profile", "missing.icc"], "No such file or directory: missing.icc"),
        (["--profile", "poster.png"], "poster.png is not an ICC profile"),
        (["--profile", "gray.icc"], "profile of another kind (GRAY)"),
        (["--profile", "one-way.icc"], "has no usable table to inks"),
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
    (poster.parent / "one-way.icc").write_bytes(cmyk_profile(printer()[0]))
    result = run(poster.name, "--out", "poster.pdf", *options)
    assert result.exit_code in (1, 2)
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: ") and said in last
    assert not list(poster.parent.glob("*.pdf"))
