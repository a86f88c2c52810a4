"""What answers are told: palettes, hints and suggestions, and baselines that know the same."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from recolor.datasets.color import lab8_to_rgb, rgb_to_lab8
from recolor.datasets.demo_posters import draw_poster
from recolor.datasets.hints import parse_hints
from recolor.datasets.palettes.library import load_library
from recolor.datasets.palettes.palette import Palette
from recolor.datasets.posters import Box
from recolor.evaluation import baselines
from recolor.evaluation.baselines import baseline_predictors
from recolor.evaluation.metrics.observation import Answer, Colors, MeasurementError, Observation
from recolor.evaluation.scoring import SplitMetrics, posters, score
from recolor.evaluation.told import Predictions, Told, ToldError
from recolor.models.decoding.options import Decoding, DecodingError
from recolor.models.decoding.palette_constraint import SHARPENING, palette_offsets
from recolor.platform.registry.model import load_model
from recolor.platform.serving.files import recolor_files

pytestmark = pytest.mark.usefixtures("bundled_networks_loaded_once")

BOX = Box(2, 4, 20, 16)
RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def poster(manifest):
    return next(posters(manifest, "test"))


def error(poster, answer) -> float:
    return float(np.square(poster["ab"].astype(float) - answer.ab).mean())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nothing", Told()),
        ("palette", Told(palette=True)),
        ("auto", Told(auto=True)),
        ("best8", Told(suggestions=8)),
        ("hints5", Told(hints=5)),
        ("palette+hints20", Told(palette=True, hints=20)),
        ("auto+hints1", Told(auto=True, hints=1)),
    ],
)
def test_what_can_be_told(text, expected):
    assert Told.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "everything", "best", "best0", "hints-1", "palette+auto", "best4+hints5", "palette+", "+",
     "hints5+hints3", "nothing+hints5", "palettehints5"],
)  # fmt: skip
def test_what_can_not_be_told(text):
    with pytest.raises(ToldError, match="choose one of"):
        Told.parse(text)


@pytest.mark.slow
def test_who_is_told_more_is_nearer_to_the_truth(painter, manifest):
    predictions = Predictions(painter, Decoding())
    told = ("nothing", "palette", "hints20", "palette+hints20")
    errors = {
        text: np.mean(
            [
                error(each, predictions.told(Told.parse(text))(each))
                for each in posters(manifest, "test")
            ]
        )
        for text in told
    }
    assert errors["palette"] < 0.6 * errors["nothing"]
    assert errors["hints20"] < 0.8 * errors["nothing"]
    assert errors["palette+hints20"] < errors["palette"]


def test_what_is_measured_is_what_apply_writes(painter, manifest, tmp_path):
    """The error over a split against that of files."""
    stored = list(posters(manifest, "test"))
    for number, poster in enumerate(stored):
        light = poster["lightness"][Box.of(poster).slices][..., 0]
        gray = lab8_to_rgb(light, np.zeros((*light.shape, 2)))
        Image.fromarray(gray).save(tmp_path / f"{number}.png")
    decoding = Decoding(palette="none")
    recolor_files(painter, [tmp_path], tmp_path.with_name("out"), decoding=decoding)
    predictor = Predictions(painter, decoding).told(Told())
    measured = score(manifest, "test", {"model": predictor})["model"].result()["l2_ab"]
    errors = []
    for number, poster in enumerate(stored):
        ab = np.zeros_like(poster["ab"], np.float32)
        with Image.open(tmp_path.with_name("out") / f"{number}.png") as picture:
            ab[Box.of(poster).slices] = rgb_to_lab8(np.asarray(picture))[1]
        errors.append(np.square(poster["ab"] - ab).mean())
    assert measured == pytest.approx(np.mean(errors), rel=1e-6)


def test_a_palette_that_was_asked_for_is_obtained(painter, poster):
    answer = Predictions(painter, Decoding()).told(Told(palette=True))(poster)
    inside = Box.of(poster).slices
    light = poster["lightness"][inside][..., 0]
    own = Palette.of_pixels(light, poster["ab"][inside], "own")
    assert answer.asked.distance(own) == pytest.approx(0, abs=1e-6)
    obtained = Palette.of_pixels(light, answer.ab[inside], "obtained")
    free = Predictions(painter, Decoding()).told(Told())(poster)
    assert own.distance(obtained) < 0.5 * own.distance(
        Palette.of_pixels(light, free.ab[inside], "free")
    )


def test_the_best_of_suggestions_is_the_nearest_of_them(painter, poster):
    predictions = Predictions(painter, Decoding())
    best = predictions.told(Told(suggestions=4))(poster)
    assert len(best.suggestions) == 4
    errors = [np.square(poster["ab"].astype(float) - ab).mean() for ab in best.suggestions]
    assert error(poster, best) == min(errors)
    first = predictions.told(Told(auto=True))(poster)
    np.testing.assert_array_equal(first.ab, best.suggestions[0])


def test_it_does_not_matter_in_which_order_answers_are_asked(painter, manifest):
    """What was seen in a poster is kept, but never for another one."""
    both = list(posters(manifest, "test"))[:2]
    predictions = Predictions(painter, Decoding())
    ask = predictions.told(Told(palette=True))
    first = [ask(poster).ab for poster in both]
    again = [ask(poster).ab for poster in reversed(both)]
    for one, two in zip(first, reversed(again), strict=True):
        np.testing.assert_array_equal(one, two)
    assert (first[0] != first[1]).any()


def test_a_regression_network_can_be_told_nothing(manifest):
    predictions = Predictions(load_model("regression").painter, Decoding())
    predictions.told(Told())
    for told in (Told(palette=True), Told(auto=True), Told(suggestions=4)):
        with pytest.raises(DecodingError, match=r"a regression network .* takes no palette"):
            predictions.told(told)
    with pytest.raises(DecodingError, match="takes no hints"):
        predictions.told(Told(hints=5))


def test_a_network_whose_outputs_are_not_finite_is_an_error(painter, poster):
    def look(**inputs):
        seen = painter.network.look(**inputs)
        return seen | {"outputs": np.where(np.arange(128) == 3, np.nan, seen["outputs"])}

    broken = Predictions(
        replace(painter, load=lambda: replace(painter.network, look=look)), Decoding()
    )
    with pytest.raises(MeasurementError, match=r"poster [0-9a-f]{64}: .* not finite"):
        broken.told(Told())(poster)


def a_poster() -> tuple[np.ndarray, np.ndarray]:
    lightness, ab = np.full((24, 24), 255, np.uint8), np.zeros((24, 24, 2), np.int8)
    lightness[BOX.slices] = RNG.integers(0, 256, (20, 16))
    ab[BOX.slices] = RNG.integers(-40, 60, (20, 16, 2))
    return lightness, ab


def test_frequencies_by_lightness_are_decoded_as_a_networks_distributions_are():
    """Against the networks' own constraint, where these frequencies are the network's answer."""
    colors = baselines.ColorsByLightness.empty()
    for _ in range(3):
        lightness, ab = a_poster()
        colors.add(lightness[BOX.slices], ab[BOX.slices])
    lightness, ab = a_poster()
    ab[BOX.slices] = RNG.choice([-30, 20, 45], (20, 16, 2))
    palette = Palette.of_pixels(lightness[BOX.slices], ab[BOX.slices], "own")
    found = colors.under(palette, lightness, BOX)
    assert (found[0] == 0).all()

    level = lightness[BOX.slices].ravel() // 8
    cells = np.flatnonzero(colors.counts.sum(axis=0))
    frequency = colors.counts[:, cells] + 0.01
    logits = SHARPENING * np.log(frequency / frequency.sum(axis=1, keepdims=True))[level]
    known = np.isin(np.flatnonzero(palette.shares), cells)
    assert known.all()
    wanted = palette.shares[cells]
    arrays = (logits[None], wanted[None], np.ones((1, len(level))))
    offsets = np.asarray(palette_offsets(*map(np.float32, arrays), rounds=100))[0]
    shares = np.exp((logits + offsets) / SHARPENING)
    expected = shares / shares.sum(axis=1, keepdims=True) @ palette.colors[cells]
    np.testing.assert_allclose(found[BOX.slices].reshape(-1, 2), expected, atol=1.0)


STRIPED = Box(2, 4, 18, 16)


def a_striped_poster(*stripes: tuple[int, tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return stored L and ab of a square with stripes: rows of a color, from the top of a box."""
    rows = [[color] * STRIPED.width for count, color in stripes for _ in range(count)]
    lightness, ab = np.zeros((24, 24), np.uint8), np.zeros((24, 24, 2), np.int8)
    lightness[STRIPED.slices], ab[STRIPED.slices] = rgb_to_lab8(np.uint8(rows))
    return lightness, ab


def test_the_own_mean_color_fills_the_poster():
    _, ab = a_poster()
    ab[BOX.slices] = (10, -20)
    ab[BOX.top, BOX.left :] = (28, -2)
    own = baselines.own_mean_color(ab, BOX)
    # One of twenty rows.
    assert (own[BOX.slices] == (11, -19)).all()
    assert (own[: BOX.top] == 0).all() and (own[:, : BOX.left] == 0).all()


def test_matched_histograms_give_the_lightest_pixels_the_most_of_each_channel():
    """Each third of the pixels has its rank's share of red, of green and of blue."""
    dark, middle, light = (120, 10, 60), (60, 130, 90), (250, 220, 40)
    lightness, ab = a_striped_poster((6, light), (6, dark), (6, middle))
    _, expected = a_striped_poster((6, (250, 220, 90)), (6, (60, 10, 40)), (6, (120, 130, 60)))
    found = baselines.matched_histograms(lightness, ab, STRIPED)
    np.testing.assert_allclose(found, expected, atol=2)


def test_matched_deviations_keep_mean_and_deviation_of_each_channel():
    """Of twelve dark rows to six light ones, dark is 0.71 deviations below, light 1.41 above."""
    lightness, ab = a_striped_poster((12, (120, 10, 60)), (6, (60, 190, 250)))
    # Only red falls where lightness rises: mean 100, deviation 28.3.
    _, expected = a_striped_poster((12, (80, 10, 60)), (6, (140, 190, 250)))
    found = baselines.matched_deviations(lightness, ab, STRIPED)
    np.testing.assert_allclose(found, expected, atol=2)


def test_obedience_and_diversity_are_measured_where_they_are_defined():
    lightness, ab = a_poster()
    true = Colors(lightness, ab, BOX)
    asked = Palette.of_colors("red")
    metrics = SplitMetrics()
    metrics.update(Observation(true, Answer(ab)))
    assert metrics.result()["palette_distance"] is None and metrics.result()["diversity"] is None
    other = ab.copy()
    other[BOX.slices] += 5
    metrics.update(Observation(true, Answer(ab, asked, [ab, other, ab])))
    obtained = Palette.of_pixels(lightness[BOX.slices], ab[BOX.slices], "obtained")
    assert metrics.result()["palette_distance"] == pytest.approx(asked.distance(obtained))
    one_pair = SplitMetrics()
    one_pair.update(Observation(true, Answer(other)))
    expected = one_pair.result()["delta_e_2000"] * 2 / 3
    assert metrics.result()["diversity"] == pytest.approx(expected, rel=0.02)


def test_every_baseline_is_measured(manifest):
    predictors = baseline_predictors(manifest, told_palette=True)
    columns = {name: found.result() for name, found in score(manifest, "test", predictors).items()}
    assert list(columns) == [
        "gray", "mean color", "own mean color", "lightness under the palette",
        "matched histograms", "matched deviations", "truth",
    ]  # fmt: skip
    for name in list(columns)[2:6]:
        assert columns[name]["l2_ab"] < columns["gray"]["l2_ab"]
        assert columns[name]["palette_distance"] > 0


def test_the_colors_by_lightness_are_as_vivid_as_the_models_beside_them(manifest):
    name = "lightness under the palette"
    plain, vivid = (
        score(manifest, "test", {name: baseline_predictors(manifest, True, share)[name]})[name]
        for share in (0.0, 1.0)
    )
    assert vivid.result()["palette_distance"] < plain.result()["palette_distance"]
    assert vivid.result()["colorfulness"] > plain.result()["colorfulness"]


def test_the_source_the_scheme_and_the_free_answer(painter):
    rgb = draw_poster(0, 1, "modern")[1]
    gray = rgb.convert("L").convert("RGB")
    colored, colorless = (painter.see(picture, Decoding()) for picture in (rgb, gray))
    assert painter.palette(colored, Decoding()) is colored.own_palette
    assert painter.palette(colorless, Decoding()).name in load_library().names
    assert painter.palette(colored, Decoding(palette="none")) is None
    assert len(painter.suggestions(colored, 5)) == 5


def test_strength_goes_from_the_free_answer_to_the_palettes(painter, poster):
    light = poster["lightness"][Box.of(poster).slices][..., 0]
    picture = Image.fromarray(lab8_to_rgb(light, np.zeros((*light.shape, 2))))

    def painted(**options) -> np.ndarray:
        return np.asarray(painter.recolor(picture, Decoding(**options))).astype(int)

    free, full = painted(palette="none"), painted(palette="teal,orange")
    none = painted(palette="teal,orange", strength=0.0)
    half = painted(palette="teal,orange", strength=0.5)
    np.testing.assert_array_equal(none, free)
    assert np.abs(half - full).mean() < np.abs(free - full).mean()
    assert np.abs(half - free).mean() < np.abs(free - full).mean()


def test_the_sources_own_colors_stay_but_where_a_hint_changes_them(painter):
    source = draw_poster(0, 1, "modern")[1].resize((40, 60))
    kept, restored = (
        np.asarray(painter.recolor(source, Decoding(restore=share, palette="source"))).astype(int)
        for share in (0.0, None)
    )
    np.testing.assert_array_equal(kept, source)
    seen = painter.see(source, Decoding())
    np.testing.assert_array_equal(restored, seen.restoration.applied(source))
    hint = parse_hints(["50%,50%=#c1121f"])
    hinted = np.asarray(painter.recolor(source, Decoding(restore=0.0, hint=hint))).astype(int)
    ab, true = rgb_to_lab8(hinted.astype(np.uint8))[1], rgb_to_lab8(np.asarray(source))[1]
    moved = np.hypot(*np.moveaxis(ab.astype(float) - true, -1, 0))
    assert ab[30, 20, 0] > 30 and moved[30, 20] > 10
    # Whatever the hint does not reach keeps its color.
    assert moved[0, 0] < 1 and moved[-1, -1] < 1


def test_a_share_of_one_inks_color_is_between_it_and_the_free_answer(painter):
    gray = draw_poster(0, 1, "modern")[1].resize((40, 60)).convert("L")
    source = Image.merge("RGB", [gray.point(lambda v, w=w: v * w // 255) for w in (250, 225, 170)])

    def ab(**options):
        painted = painter.recolor(source, Decoding(restore=0.0, **options))
        return rgb_to_lab8(np.asarray(painted))[1].astype(float)

    own, free = ab(palette="source"), ab(palette="none")
    half = ab(palette="source", strength=0.5)
    assert np.abs(half - (own + free) / 2).mean() < 1.5


def test_a_hint_colors_its_place_and_neutral_keeps_one_gray(painter):
    rgb = np.full((60, 40, 3), 150, np.uint8)
    rgb[:30] = 60
    source = Image.fromarray(rgb)

    def ab_at(row, column, *texts) -> np.ndarray:

        decoding = Decoding(palette="#2a9d8f,#f28c28", neutrals=0.0, hint=parse_hints(texts))
        painted = np.asarray(painter.recolor(source, decoding))
        return rgb_to_lab8(painted)[1][row, column].astype(float)

    red = ab_at(50, 20, "20,50=#a03030")
    assert red[0] > 30
    assert np.hypot(*ab_at(50, 20, "20,50=neutral")) < 4 < np.hypot(*ab_at(50, 20))
