"""How recoloring a source is measured: what is given, who answers, and what is compared."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from recolor.datasets.color import lab8_to_rgb, rgb_to_lab8
from recolor.datasets.color_maps import ColorMap
from recolor.datasets.input_pipeline import Posters, fixed_generator
from recolor.datasets.palettes.palette import Palette
from recolor.datasets.posters import Box
from recolor.evaluation.baselines import baselines_told_the_source
from recolor.evaluation.metrics.observation import Answer
from recolor.evaluation.pictures import MAP_SEED, OTHER_COLORS, Pictures
from recolor.evaluation.scoring import posters, score
from recolor.evaluation.sheets import comparison_sheet
from recolor.evaluation.told import Predictions, Told, ToldError
from recolor.models.decoding.options import AUTO, Decoding, DecodingError
from recolor.platform.cli.main import main
from recolor.platform.registry.model import load_model

TOLD = Told.parse("palette+source")
OF_SOURCES = ("evenness", "merged", "palette_distance")


@pytest.fixture(scope="module")
def stored(manifest):
    return list(posters(manifest, "test"))


def inside(poster, square: np.ndarray) -> np.ndarray:
    return square[Box.of(poster).slices]


def own_palette(poster) -> Palette:
    light = inside(poster, poster["lightness"])[..., 0]
    return Palette.of_pixels(light, inside(poster, poster["ab"]), "own")


def test_what_can_be_told():
    assert Told(palette=True, source=True) == TOLD
    for text in ("source", "source+palette", "palette+source+hints5", "auto+source"):
        with pytest.raises(ToldError, match=r"choose one of .* palette\+source"):
            Told.parse(text)


def test_a_source_depends_on_the_seed_and_the_sha256_alone(stored):
    pictures = Pictures()
    first, second = (pictures.of(poster, OTHER_COLORS) for poster in stored[:2])
    again = Pictures().of(dict(stored[0]), OTHER_COLORS)
    np.testing.assert_array_equal(first[0], again[0])
    assert first[0].size != second[0].size or (np.asarray(first[0]) != second[0]).any()
    other, _ = pictures.of(stored[0] | {"sha256": "f" * 64}, OTHER_COLORS)
    assert (np.asarray(other) != first[0]).any()


def test_a_source_is_the_poster_under_its_map(stored):
    for poster in stored[:4]:
        picture, source = Pictures().of(poster, OTHER_COLORS)
        light, ab = inside(poster, poster["lightness"])[..., 0], inside(poster, poster["ab"])
        mapped = ColorMap.drawn(fixed_generator(poster, MAP_SEED)).applied(light, ab)
        np.testing.assert_array_equal(picture, lab8_to_rgb(light, mapped))
        found_light, found = rgb_to_lab8(np.asarray(picture))
        np.testing.assert_array_equal(found, source.inside)
        np.testing.assert_array_equal(found_light, source.lightness)
        assert np.abs(found_light.astype(int) - light).max() <= 1
        outside = np.ones(poster["ab"].shape[:2], bool)
        outside[Box.of(poster).slices] = False
        assert not source.ab[outside].any()


def test_all_who_share_it_are_given_one_source(stored):
    pictures = Pictures()
    picture, source = pictures.of(stored[0], OTHER_COLORS)
    answers = [answer(stored[0]) for answer in baselines_told_the_source(pictures).values()]
    assert pictures.of(stored[0], OTHER_COLORS)[0] is picture
    assert all(one.source is source for one in answers)


def test_the_answer_is_what_the_painter_makes_of_the_source_under_the_true_palette(painter, stored):
    poster, predictions = stored[0], Predictions(painter, Decoding())
    answer = predictions.told(TOLD)(poster)
    picture, source = predictions.pictures.of(poster, OTHER_COLORS)
    assert answer.source is source and answer.lightness is None and answer.given is None
    assert answer.asked.distance(own_palette(poster)) == pytest.approx(0, abs=1e-6)
    decoding = Decoding(palette=AUTO, restore=0.0, lock=("neutrals",))
    seen = painter.see(picture, decoding, poster["embedding"], Box(0, 0, *picture.size[::-1]))
    expected = painter.painted(seen, own_palette(poster), decoding)
    np.testing.assert_array_equal(inside(poster, answer.ab), rgb_to_lab8(np.asarray(expected))[1])
    # It changes nothing for who is told less, before or after.
    alone = Predictions(painter, Decoding()).told(Told(palette=True))(poster)
    np.testing.assert_array_equal(predictions.told(Told(palette=True))(poster).ab, alone.ab)
    np.testing.assert_array_equal(predictions.told(TOLD)(poster).ab, answer.ab)


def test_the_baselines(stored):
    poster = stored[0]
    pictures = Pictures()
    alone, moved = (answer(poster) for answer in baselines_told_the_source(pictures).values())
    np.testing.assert_array_equal(alone.ab, pictures.of(poster, OTHER_COLORS)[1].ab)
    light, own = inside(poster, poster["lightness"])[..., 0], own_palette(poster)
    distances = [
        own.distance(Palette.of_pixels(light, inside(poster, one.ab), "obtained"))
        for one in (alone, moved)
    ]
    assert distances[1] < 0.5 * distances[0]
    # A color is moved by itself: pixels of one color stay pixels of one color.
    before, after = (inside(poster, one.ab).reshape(-1, 2) for one in (alone, moved))
    pairs = np.unique(np.concatenate([before, after], axis=1), axis=0)
    assert len(pairs) == len(np.unique(before, axis=0))


def test_metrics_of_sources_are_defined_where_there_is_one(painter, manifest):
    predictions = Predictions(painter, Decoding())
    predictors = {"told": predictions.told(TOLD), "gray": predictions.told(Told())}
    predictors |= baselines_told_the_source(predictions.pictures)
    columns = {name: found.result() for name, found in score(manifest, "test", predictors).items()}
    for name in ("told", "source left alone", "source moved to the palette"):
        assert all(columns[name][metric] is not None for metric in OF_SOURCES)
        assert columns[name]["harmed"] is None
    assert all(columns["gray"][metric] is None for metric in OF_SOURCES)
    assert columns["source left alone"]["merged"] == columns["source left alone"]["lock_leak"] == 0
    # Paper and white letters are locked: they stay, where colors alone would have moved them.
    assert columns["told"]["lock_leak"] < 0.5 * columns["source moved to the palette"]["lock_leak"]


def test_a_regression_network_takes_no_palette():
    predictions = Predictions(load_model("regression").painter, Decoding())
    with pytest.raises(DecodingError, match="takes no palette"):
        predictions.told(TOLD)


def test_a_sheet_shows_the_source(manifest):
    predictors = baselines_told_the_source(Pictures())
    posters = Posters(manifest, "test")
    sheet = comparison_sheet(posters, predictors)
    gray = comparison_sheet(posters, {"truth": lambda poster: Answer(poster["ab"])})
    # Source, two answers and the truth; gray, one answer and the truth.
    assert sheet.width > gray.width


def test_evaluate_tells_the_source(manifest, store, tmp_path):
    figures = tmp_path / "figures.json"
    command = ["evaluate", "--data", str(manifest.folder), "--model", "classification"]
    command += ["--told", "palette+source", "--json", str(figures)]
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    columns = json.loads(figures.read_text())["columns"]
    assert list(columns) == [
        "classification, told palette+source", "gray", "mean color", "own mean color",
        "lightness under the palette", "matched histograms", "matched deviations",
        "source left alone", "source moved to the palette", "truth",
    ]  # fmt: skip
    for metric in OF_SOURCES:
        assert columns["classification, told palette+source"][metric] is not None
    assert "distance of the source's alike pixels" in result.output
