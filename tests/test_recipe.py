"""Recipes: inside of results and beside them, read again, and in series."""

import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import ROOT
from PIL import Image, ImageColor, features
from skimage.color import deltaE_ciede2000, rgb2lab
from starlette.testclient import TestClient

from recolor import Recipe, load_model
from recolor.datasets.palettes.library import load_library
from recolor.datasets.palettes.palette import Palette
from recolor.datasets.picture_file import MOST_XMP, PictureFile
from recolor.datasets.xmp import recipe_in, with_recipe
from recolor.models.decoding.typed import typed_decoding
from recolor.models.recipe import RecipeError
from recolor.platform.cli.main import main
from recolor.platform.server.application import application
from recolor.platform.server.limits import Limits
from recolor.platform.serving.files import recolor_files

pytestmark = pytest.mark.usefixtures("bundled_networks_loaded_once")

FORMATS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "tif": "TIFF", "avif": "AVIF"}
# As another program writes it: with properties as attributes, and an end of line in one of them.
PACKET = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    b'dc:source="a&#10;b"><dc:title>F\xc3\xaate &amp; more</dc:title></rdf:Description>'
    b'</rdf:RDF></x:xmpmeta>\n<?xpacket end="w"?>'
)
DESCRIPTION = PACKET[PACKET.index(b"<rdf:Desc") : PACKET.index(b"</rdf:RDF>")]


def run(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def flag(first="#c1121f", second="#1d3557", third="#2a9d8f") -> Image.Image:
    """A poster that has not aged."""
    image = Image.new("RGB", (60, 90), first)
    image.paste(second, (0, 0, 60, 30))
    image.paste(third, (0, 70, 60, 90))
    return image


def pixels(file) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB")).astype(int)


class TestXmp:
    def test_all_else_in_a_packet_stays_as_it_is(self):
        packet = with_recipe(PACKET, '{"a": "<&>"}')
        assert recipe_in(packet) == '{"a": "<&>"}'
        start = packet.index(b"<rdf:Description xmlns:rdf")
        end = packet.index(b"</rdf:RDF>")
        assert packet[:start] + packet[end:] == PACKET

    def test_a_recipe_takes_the_place_of_another_also_where_a_program_moved_it(self):
        once = with_recipe(PACKET, "one")
        assert with_recipe(once, "two") == with_recipe(PACKET, "two")
        moved = PACKET.replace(b"dc:source", b'xmlns:recolor="urn:x" recolor:Recipe="1" dc:source')
        assert recipe_in(moved) == "1"
        text = '{"a": "<&>"}'
        assert recipe_in(with_recipe(moved, text)) == text

    @pytest.mark.parametrize("packet", [b"nothing", PACKET.decode().encode("utf-16")])
    def test_what_is_no_packet_stays_as_it_is(self, packet):
        assert with_recipe(packet, "one") == packet

    @pytest.mark.parametrize("kind", FORMATS.values())
    def test_what_is_too_long_is_left_out(self, kind):
        if kind == "AVIF" and not features.check("avif"):
            pytest.skip("no AVIF")
        file = PictureFile(flag(), kind, xmp=PACKET)
        for length, fits in ((MOST_XMP, kind != "JPEG"), (100, True)):
            packet = PictureFile.of(file.with_colors_of(flag(), "x" * length)).xmp
            assert DESCRIPTION in packet
            assert (recipe_in(packet) == "x" * length) == fits

    def test_without_a_recipe_a_packet_comes_through(self):
        """But for the orientation, which is applied."""
        turned = PACKET.replace(b"dc:source", b'tiff:Orientation="6" dc:source')
        data = PictureFile(flag(), "JPEG", xmp=turned).with_colors_of(flag())
        file = PictureFile.of(data)
        assert file.picture.size == (90, 60)
        assert file.xmp == turned.replace(b' tiff:Orientation="6"', b" ")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_result_gives_itself_again(suffix, tmp_path, store):
    if suffix == "avif" and not features.check("avif"):
        pytest.skip("no AVIF")
    poster = tmp_path / f"poster.{suffix}"
    poster.write_bytes(PictureFile(flag(), FORMATS[suffix], xmp=PACKET).with_colors_of(flag()))
    options = ("--assign", "#c1121f=#0b4f5c", "--lock", "#1d3557", "--restore", "none")
    made = run("apply", poster, "--out", tmp_path / "one", *options, "--save-recipe")
    assert made.exit_code == 0, made.output
    result = tmp_path / "one" / poster.name
    assert DESCRIPTION in PictureFile.read(result).xmp
    beside = result.with_name(f"{poster.name}.json")
    assert Recipe.read(beside) == Recipe.read(result)
    for number, source in enumerate((result, beside)):
        again = run("apply", poster, "--out", tmp_path / f"{number}", "--recipe", source)
        assert again.exit_code == 0 and "made by" not in again.output, again.output
        assert (tmp_path / f"{number}" / poster.name).read_bytes() == result.read_bytes()
    shown = run("show", result).output
    for words in ("assign: #c1121f=#0b4f5c", "lock: #1d3557", "undone: nothing"):
        assert words in shown
    assert str(tmp_path) not in Recipe.read(result).to_json()


@pytest.mark.parametrize("chosen", ["auto", "folder", "teal,orange:3"])
def test_a_scheme_is_kept_as_it_was_chosen(chosen, tmp_path, store):
    """Also that of other pictures, which the recipe does not name; gray posters have hints, too."""
    poster = tmp_path / "poster.png"
    flag().convert("L" if chosen == "auto" else "RGB").save(poster)
    palette = chosen
    if chosen == "folder":
        palette = tmp_path / "season"
        palette.mkdir()
        for color in ("#f28c28", "#c1121f"):
            flag(color).save(palette / f"{color[1:]}.png")
    arguments = ("apply", "--model", "classification", poster)
    options = ("--palette", palette, "--hint", "50%,50%=red", "--strength", 0.8)
    made = run(*arguments, "--out", tmp_path / "one", *options)
    assert made.exit_code == 0, made.output
    result, again = tmp_path / "one" / poster.name, tmp_path / "again" / poster.name
    recipe = Recipe.read(result)
    assert recipe.model.kind == "classification" and str(tmp_path) not in recipe.to_json()
    assert recipe.options["hint"] == ["50%,50%=red"] and recipe.options["strength"] == 0.8
    assert run(*arguments, "--out", again.parent, "--recipe", result).exit_code == 0
    assert again.read_bytes() == result.read_bytes()
    # What is typed besides replaces what the recipe says.
    options = ("--recipe", result, "--overwrite", "--strength", 0, "--hint", "1,1=blue")
    assert run(*arguments, "--out", again.parent, *options).exit_code == 0
    changed = {**recipe.options, "strength": 0.0, "hint": ["1,1=blue"]}
    assert Recipe.read(again).options == changed


def test_palettes_lose_nothing_in_json():
    of_pictures = Palette.of_pictures([flag(), flag("teal", "red")], "two")
    for palette in (*load_library().palettes, of_pictures, Palette.of_picture(flag(), "one")):
        content = json.loads(json.dumps(palette.to_json()))
        read = Palette.of_json(content)
        assert read.to_json() == content
        assert np.array_equal(read.shares, palette.shares)
        assert np.array_equal(read.colors, palette.colors)


def test_several_pictures_count_the_same_whatever_their_size():
    large = Image.new("RGB", (90, 90), "#c1121f")
    mean = Palette.of_pictures([large, Image.new("RGB", (10, 10), "#1d3557")], "two")
    assert [round(share, 3) for _, share in mean.swatch] == [0.5, 0.5]


def test_the_document_shows_one():
    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    (shown,) = re.findall("^```json$(.*?)^```$", text, re.M | re.S)
    assert Recipe.parse(shown).decoding().assign[0].text == "#c1121f=orange"


def broken(options: str = "{}", more: str = "") -> str:
    return f'{{"format": 1, "options": {options}{more}}}'


BROKEN = {
    "not JSON": ("{", "not JSON"),
    "no recipe": ("{}", "it has no format"),
    "of the future": ('{"format": 2}', "of format 2, which this version of recolor does not know"),
    "without options": ('{"format": 1}', "options: field required"),
    "with more": (broken(more=', "more": 1'), "more: extra inputs"),
    "no such option": (broken('{"strenght": 1}'), "no option strenght"),
    "a value": (broken('{"strength": 2}'), "strength must be a number from 0 to 1, not 2"),
    "a large number": (broken('{"strength": 1%s}' % ("0" * 400)), "strength"),
    "a word": (broken('{"strength": "1"}'), "strength must be a number"),
    "no list": (broken('{"assign": "red=teal"}'), "options.assign must be a"),
    "an assignment": (broken('{"assign": ["red"]}'), "'red' is not an assign"),
    "a file": (broken('{"palette": "poster.png"}'), "is not a palette"),
    "a palette": (broken('{"palette": {"name": "x"}}'), "palette is neither a"),
    "a swatch": (
        broken(more=', "swatches": [{"color": "red", "share": 1, "becomes": "x"}]'),
        "swatches.0.color: ",
    ),
    "a digest": (
        broken(more=', "model": {"kind": "unet", "version": 3, "digest": ""}'),
        "model.version: ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_one_gives_one_line_before_a_model_is_looked_for(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flag().save("poster.png")
    text, words = BROKEN[case]
    (tmp_path / "recipe.json").write_text(text)
    options = ("--recipe", "recipe.json", "--model", "nowhere")
    for command in (("apply", "poster.png", "--out", "out", *options), ("show", "recipe.json")):
        result = run(*command)
        lines = result.output.splitlines()
        assert result.exit_code == 1 and len(lines) == 1, result.output
        assert lines[0].startswith("Error: recipe.json: ") and words in lines[0]


def test_a_picture_without_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flag().save("poster.png")
    (tmp_path / "notes.txt").write_text("hello")
    for name, words in (("poster.png", "no recipe is in it"), ("notes.txt", "not an image")):
        for command in (("show", name), ("apply", "poster.png", "--out", "o", "--recipe", name)):
            result = run(*command)
            assert result.exit_code == 1 and f"Error: {name}: {words}" in result.output
    (tmp_path / "good.json").write_text('{"format": 1, "options": {"palette": "teal"}}')
    result = run("show", "poster.png", "good.json", "--json")
    assert result.exit_code == 1 and "no recipe is in it" in result.stderr
    assert json.loads(result.stdout)["good.json"]["options"] == {"palette": "teal"}


def test_one_of_another_version_says_so(tmp_path, store):
    flag().save(tmp_path / "poster.png")
    arguments = ("apply", tmp_path / "poster.png", "--model", "classification")
    made = run(*arguments, "--out", tmp_path / "one", "--palette", "teal")
    assert made.exit_code == 0, made.output
    recipe = Recipe.read(tmp_path / "one" / "poster.png")
    other = recipe.model_copy(
        update={
            "recolor": "0.0.1",
            "restorer": "1" * 64,
            "model": replace(recipe.model, version="7", digest="2" * 64),
        }
    )
    (tmp_path / "other.json").write_text(other.to_json())
    again = run(*arguments, "--out", tmp_path / "two", "--recipe", tmp_path / "other.json")
    (said,) = [line for line in again.stderr.splitlines() if "was made by" in line]
    for words in ("recolor 0.0.1 (this is ", "restoring network (11111111)", "version 7 22222222"):
        assert words in said
    assert again.exit_code == 0
    assert (pixels(tmp_path / "two" / "poster.png") == pixels(tmp_path / "one/poster.png")).all()


def test_a_recipe_in_python(tmp_path):
    model = load_model("classification")
    recipe = '{"format": 1, "options": {"assign": ["red=teal"]}}'
    expected = np.asarray(model.recolor(flag(), assign="red=teal", restore=0))
    for one in (Recipe.parse(recipe), tmp_path / "recipe.json"):
        (tmp_path / "recipe.json").write_text(recipe)
        assert np.array_equal(model.recolor(flag(), recipe=one, restore=0), expected)
    with pytest.raises(RecipeError, match="not JSON"):
        Recipe.parse("[")


def difference(one, other) -> float:
    return float(deltaE_ciede2000(rgb2lab(np.uint8(one)), rgb2lab(np.uint8(other))))


class TestSeries:
    @staticmethod
    @pytest.fixture(scope="class")
    def season(tmp_path_factory):
        """Posters that share a red; the third has another red, and the last has no color."""
        folder = tmp_path_factory.mktemp("season")
        colors = (
            *(("#c1121f", "#1d3557"), ("#b91a24", "#264653")),
            *(("#5c0f0f", "#10304a"), ("#c9141c", "#264653")),
        )
        for number, pair in enumerate(colors):
            flag(*pair).save(folder / f"{number}.png")
        flag().convert("L").save(folder / "gray.png")
        return folder

    def test_what_had_one_color_gets_one_color(self, season, store, tmp_path):
        arguments = ("--palette", "source", "--assign", "red=#f28c28", "--restore", "none")
        files = [season / f"{number}.png" for number in range(4)]
        made = run("apply", *files, "--out", tmp_path / "out", "--series", *arguments)
        assert made.exit_code == 0, made.output
        places = [tmp_path / "out" / file.name for file in files]
        reds = [pixels(place)[60, 30] for place in places]
        blues = [pixels(place)[10, 30] for place in places]
        before = [pixels(file)[60, 30] for file in files]
        assert difference(reds[0], reds[1]) < 3 and difference(reds[0], reds[3]) < 3
        assert difference(reds[0], before[0]) > 20
        # Nothing is red enough there; without a series, the nearest swatch would change.
        assert (reds[2] == before[2]).all()
        for file, blue in zip(files, blues, strict=True):
            assert (pixels(file)[10, 30] == blue).all()
        # What swatches are said to have become is what pixels are, also where sRGB lacks the color.
        for place, red in zip(places[:2], reds, strict=False):
            assert difference(ImageColor.getrgb(Recipe.read(place).swatches[0].becomes), red) < 1
        # A result's own recipe gives it again, without the series.
        again = run("apply", files[1], "--out", tmp_path / "again", "--recipe", places[1])
        assert again.exit_code == 0
        assert (tmp_path / "again" / "1.png").read_bytes() == places[1].read_bytes()

    def test_all_go_with_a_result_and_are_on_a_sheet(self, season, store, tmp_path):
        first, out = tmp_path / "first", tmp_path / "out"
        options = ("--model", "classification", "--palette", "#0b4f5c,#f28c28")
        assert run("apply", season / "0.png", "--out", first, *options).exit_code == 0
        options = ("--model", "classification", "--series", "--recipe", first / "0.png")
        made = run("apply", season, "--out", out, *options)
        assert made.exit_code == 0 and "5 recolored" in made.output, made.output
        assert f"series: {out / 'series.png'}, {out / 'series.pdf'}" in made.output
        reds = [pixels(out / name)[60, 30] for name in ("0.png", "1.png", "3.png")]
        assert max(difference(reds[0], red) for red in reds) < 3
        with Image.open(out / "series.png") as sheet:
            assert sheet.width > 2000
        assert (out / "series.pdf").read_bytes().startswith(b"%PDF")

    def test_what_is_chosen_for_the_first_holds_for_all(self, season, store, tmp_path, posters):
        options = ("--model", "classification", "--palette", "auto")
        files = [season / "0.png", season / "gray.png", posters[0]]
        chosen = {}
        for series in ((), ("--series",)):
            out = tmp_path / f"out{len(series)}"
            assert run("apply", *files, "--out", out, *options, *series).exit_code == 0
            recipes = [Recipe.read(out / file.name) for file in files]
            chosen[series] = {recipe.options["palette"]["name"] for recipe in recipes}
        assert len(chosen[()]) > len(chosen["--series",]) == 1

    @pytest.mark.slow
    def test_the_server_gives_the_same_series(self, season, store, tmp_path):
        files = sorted(season.iterdir())
        keys, options, locks = {}, {"palette": "auto", "assign": "#c1121f=#f28c28"}, ["#1d3557"]
        painter = load_model("classification").painter
        decoding = typed_decoding({**options, "lock": locks}, load_library(), lambda text: None)
        recolor_files(painter, files, tmp_path / "out", decoding=decoding, series=True)
        made = application(load_model("classification"), Limits())
        with TestClient(made, base_url="http://localhost") as client:
            for file in files:
                keys[file] = client.post("/pictures", content=file.read_bytes()).json()["id"]
            query = {**options, "lock": locks}
            guide = client.get(f"/pictures/{keys[files[0]]}/recipe", params=query).content
            cells = []
            for file, key in keys.items():
                if file != files[0]:
                    told = client.post(f"/pictures/{key}/series", content=guide).json()
                    query = told["query"]
                result = client.get(f"/pictures/{key}/recolored", params=query).content
                assert result == (tmp_path / "out" / file.name).read_bytes(), file.name
                asked = {**query, "name": file.name}
                cells.append(client.get(f"/pictures/{key}/cell", params=asked).json()["id"])
            # As large as that of the command line, and with the same colors.
            drawn = client.get("/sheet", params={"cell": cells}).content
            one, other = pixels(io.BytesIO(drawn)), pixels(tmp_path / "out" / "series.png")
            assert one.shape == other.shape and np.abs(one - other).mean() < 2
            drawn = client.get("/sheet", params={"cell": cells, "format": "pdf"})
            assert drawn.headers["content-type"] == "application/pdf"
            assert drawn.content.startswith(b"%PDF")
            answer = client.get("/sheet", params={"cell": ["0" * 64]})
            assert (answer.status_code, answer.json()["field"]) == (404, "cell")
            answer = client.post(f"/pictures/{'0' * 64}/series", content=guide)
            assert (answer.status_code, answer.json()["field"]) == (404, "id")

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ((), "--series needs a scheme: --palette, --assign or --recipe"),
            (("--suggestions", 2), "--suggestions and --series: leave out one"),
            (("--palette", "empty"), "no images in empty"),
        ],
    )
    def test_what_is_typed_wrong_gets_one_line(self, season, tmp_path, options, words, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "empty").mkdir()
        result = run("apply", season, "--out", "out", "--series", "--model", "nowhere", *options)
        (line,) = [line for line in result.output.splitlines() if line.startswith("Error: ")]
        assert words in line and result.exit_code != 0


def test_the_server_reads_what_it_has_written(store):
    """In the terms of its query; palettes without a name are kept."""
    pictures = [flag(), flag("teal", "tan")]
    files = [PictureFile(picture, "PNG").with_colors_of(picture) for picture in pictures]
    made = application(load_model("classification"), Limits())
    with TestClient(made, base_url="http://localhost") as client:
        key, other = (client.post("/pictures", content=file).json()["id"] for file in files)
        scheme = load_library().palettes[3].name
        asked = {"assign": ["#c1121f=#0b4f5c"], "hint": ["5,5=red"], "strength": 0.5}
        for palette in (scheme, "teal,orange:3", other, "source", "none"):
            query = {"palette": palette} if palette == "none" else {**asked, "palette": palette}
            made = client.get(f"/pictures/{key}/recolored", params=query)
            assert made.status_code == 200
            recipe = client.get(f"/pictures/{key}/recipe", params={**query, "side": 50}).json()
            told = client.post("/recipes", content=made.content).json()
            assert Recipe.parse(json.dumps(recipe)).model_dump(mode="json") == told["recipe"]
            assert told["differences"] == []
            found = told["query"].pop("palette")
            assert found == palette or (palette == other and found != other)
            assert told["query"] == {name: query[name] for name in query if name != "palette"}
            again = {**told["query"], "palette": found}
            assert client.get(f"/pictures/{key}/recolored", params=again).content == made.content
        # A preview is not for keeping.
        preview = client.get(f"/pictures/{key}/recolored", params={"side": 50}).content
        for content, words in ((preview, "no recipe"), (b'{"format": 9}', "of format 9")):
            answer = client.post("/recipes", content=content)
            assert (answer.status_code, answer.json()["field"]) == (422, "recipe")
            assert words in answer.json()["error"]
        assert client.post("/recipes", content=b"hello").status_code == 400
