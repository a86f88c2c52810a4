"""How restoring is measured: what models are given, metrics, baselines, and the tables."""

import json
import math
import statistics
from dataclasses import replace

import mlflow
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from skimage.color import deltaE_ciede2000

from recolor.datasets.ageing import Ageing, aged, linear_light
from recolor.datasets.color import lab8_to_rgb, rgb_to_lab8
from recolor.datasets.color_kind import COLORED
from recolor.datasets.demo_posters import draw_poster
from recolor.datasets.input_pipeline import Posters, fixed_generator
from recolor.datasets.posters import Box
from recolor.evaluation import restoring_baselines
from recolor.evaluation.answers import Column
from recolor.evaluation.baselines import baseline_predictors
from recolor.evaluation.metrics.catalog import METRICS
from recolor.evaluation.metrics.color_use import colorfulness
from recolor.evaluation.metrics.observation import Answer, Colors, MeasurementError, Observation
from recolor.evaluation.pictures import AGED, AGEING_SEED, UNAGED, Pictures
from recolor.evaluation.restoring_baselines import baselines_restoring
from recolor.evaluation.scoring import SplitMetrics, posters, score
from recolor.evaluation.sheets import comparison_sheet
from recolor.evaluation.tables import PAPER, markdown, metric_table, report
from recolor.evaluation.told import Predictions, Told, ToldError
from recolor.evaluation.validation import RESTORING, validate_restoration
from recolor.models.decoding.options import Decoding
from recolor.models.painter import Painter
from recolor.models.restoring import Restoration, Restorer
from recolor.platform.cli.main import main
from recolor.platform.experiments.evaluation import evaluate_models
from recolor.platform.registry.model import load_model

SIDE = 24
FADED = Restoration((0.01,) * 3, (0.9, 0.8, 0.8), (0.0, 0.02, 0.04))
DRAWN = [draw_poster(5, index, "modern")[1].resize((60, 90)) for index in range(9)]


def stored(picture: Image.Image, number: int) -> dict[str, np.ndarray]:
    """A picture as a data set stores it, in the middle of a square."""
    side = max(picture.size)
    box = Box((side - picture.height) // 2, (side - picture.width) // 2, *picture.size[::-1])
    lightness, ab = np.full((side, side), 255, np.uint8), np.zeros((side, side, 2), np.int8)
    lightness[box.slices], ab[box.slices] = rgb_to_lab8(np.asarray(picture))
    return {
        "lightness": lightness[..., None],
        "ab": ab,
        "box": np.array([box.top, box.left, box.height, box.width]),
        "sha256": f"{number:064x}",
        "embedding": np.zeros(0, np.float32),
    }


STORED = [stored(picture, 7919 * (1 + number) << 230) for number, picture in enumerate(DRAWN)]


class Found(Restorer):
    """A restorer that always finds the same."""

    def __init__(self, restoration: Restoration):
        super().__init__({})
        self.__dict__["restoration"] = restoration

    def look(self, poster: Image.Image) -> Restoration:
        return self.restoration


def never() -> None:
    raise AssertionError("the color network was loaded")


def mean_difference(lightness, ab, poster) -> float:
    """Mean CIEDE2000 of a poster from the stored truth, pixel by pixel of its box alone."""
    inside = Box.of(poster).slices
    one, other = (
        np.dstack([light[inside] / 2.55, colors[inside].astype(float)])
        for light, colors in ((lightness, ab), (poster["lightness"][..., 0], poster["ab"]))
    )
    return float(deltaE_ciede2000(one, other).mean())


def observed(poster, answer) -> Observation:
    return Observation(Colors.of(poster), answer)


def result_of(predict, chosen=STORED) -> dict[str, float | None]:
    metrics = SplitMetrics()
    for poster in chosen:
        metrics.update(observed(poster, predict(poster)))
    return metrics.result()


class TestWhatIsGiven:
    def test_told_is_parsed(self):
        assert Told.parse("aged") == Told(age=AGED) and Told.parse("unaged") == Told(age=UNAGED)
        for text in ("aged+hints5", "palette+aged", "unaged+palette", "Aged"):
            with pytest.raises(ToldError, match=r"choose one of .* aged, unaged"):
                Told.parse(text)

    def test_it_depends_on_the_seed_and_the_sha256_alone(self):
        """Not on the order, nor on who asks, nor on what was asked before."""
        seen = []

        def ask(poster, age):
            Pictures().restored(lambda one: seen.append(np.asarray(one)) or one, age)(poster)

        for poster in (*STORED[:2], *STORED[1::-1]):
            ask(dict(poster), AGED)
        first, second, second_again, first_again = seen
        np.testing.assert_array_equal(first, first_again)
        np.testing.assert_array_equal(second, second_again)
        inside = Box.of(STORED[0]).slices
        true = lab8_to_rgb(STORED[0]["lightness"][..., 0][inside], STORED[0]["ab"][inside])
        expected = aged(true, fixed_generator(STORED[0], AGEING_SEED))
        np.testing.assert_array_equal(first, expected)
        assert np.abs(first.astype(int) - true).mean() > 3
        ask(STORED[0] | {"sha256": "f" * 64}, AGED)
        assert (seen[-1] != first).any()
        ask(STORED[0], UNAGED)
        np.testing.assert_array_equal(seen[-1], true)

    def test_all_who_share_it_are_given_one_picture(self):
        shared, seen = Pictures(), []
        predictors = [shared.restored(lambda picture: seen.append(picture) or picture, AGED)] * 2
        answers = [predict(STORED[0]) for predict in predictors]
        assert seen[0] is seen[1] and answers[0].given is answers[1].given
        predictors[0](STORED[1])
        assert seen[2] is not seen[0]

    def test_the_answer_is_what_the_painter_makes_of_it_without_its_color_network(self):
        restoration = Restoration((0.02,) * 3, (0.8, 0.7, 0.6), (0.01, 0.03, 0.08))
        painter = Painter(never, Found(restoration))
        # Options of the answers to gray posters don't count.
        predictions = Predictions(painter, Decoding(palette="none", vividness=1.0))
        pictures = []
        Pictures().restored(lambda one: pictures.append(one) or one, AGED)(STORED[3])
        answer = predictions.told(Told(age=AGED))(STORED[3])
        expected = np.asarray(painter.recolor(pictures[0], Decoding()))
        np.testing.assert_array_equal(expected, restoration.applied(pictures[0]))
        lightness, ab = rgb_to_lab8(expected)
        inside = Box.of(STORED[3]).slices
        np.testing.assert_array_equal(answer.lightness[inside], lightness)
        np.testing.assert_array_equal(answer.ab[inside], ab)
        padding = np.ones(answer.lightness.shape, bool)
        padding[inside] = False
        assert (answer.lightness[padding] == 255).all() and (answer.ab[padding] == 0).all()

    def test_an_identity_is_the_poster_left_alone(self):
        shared = Pictures()
        painter = Painter(never, Found(Restoration.none()))
        identity = Predictions(painter, Decoding(), pictures=shared)
        alone = baselines_restoring(shared, AGED)["left alone"]
        assert result_of(identity.told(Told(age=AGED))) == result_of(alone)
        assert result_of(alone)["harmed"] == 0 < result_of(alone)["lightness_error"]

    def test_numbers_that_are_not_finite_are_an_error_that_names_the_poster(self):
        broken = Restoration((0.0,) * 3, (math.nan, 1.0, 1.0), (0.0,) * 3)
        told = Predictions(Painter(never, Found(broken)), Decoding()).told(Told(age=AGED))
        with pytest.raises(MeasurementError, match=r"poster [0-9a-f]{64}: .* not finite"):
            told(STORED[0])


@pytest.fixture(scope="module")
def answers():
    """Those of a restorer that is right for some posters and wrong for others."""
    wrong = Restoration((0.0,) * 3, (0.6, 0.75, 0.8), (0.0, 0.01, 0.03))
    predict = Pictures().restored(wrong.applied, AGED)
    return [predict(poster) for poster in STORED]


class TestMetrics:
    """Against loops over pixels."""

    def test_posters_that_are_made_worse(self, answers):
        worse, differences = [], []
        for poster, answer in zip(STORED, answers, strict=True):
            after = mean_difference(answer.lightness, answer.ab, poster)
            given = answer.given
            whole = np.full(answer.lightness.shape, 255, np.uint8)
            whole[Box.of(poster).slices] = given.lightness
            before = mean_difference(whole, given.ab, poster)
            worse.append(after > before + 1)
            differences.append(after)
        metrics = SplitMetrics()
        for poster, answer in zip(STORED, answers, strict=True):
            metrics.update(observed(poster, answer))
        found = metrics.result()
        assert 0 < sum(worse) < len(worse)
        assert found["harmed"] == pytest.approx(100 * sum(worse) / len(worse))
        assert found["delta_e_2000"] == pytest.approx(statistics.mean(differences), rel=1e-4)

    @pytest.mark.parametrize(("by", "harmed"), [(0.7, 0.0), (1.3, 100.0)])
    def test_a_poster_is_made_worse_by_more_than_one(self, by, harmed):
        """Of grays that differ in lightness alone; around L = 50, CIEDE2000 is that difference."""
        box, ab = Box(0, 0, SIDE, SIDE), np.zeros((SIDE, SIDE, 2), np.int8)
        levels = [round(2.55 * lightness) for lightness in (50, 52, 52 + by)]
        true, given, answer = (np.full((SIDE, SIDE), level, np.uint8) for level in levels)
        metrics = SplitMetrics()
        answered = Answer(ab, lightness=answer, given=Colors(given, ab, box))
        metrics.update(Observation(Colors(true, ab, box), answered))
        assert metrics.result()["harmed"] == harmed

    def test_the_error_of_lightness(self, answers):
        means = []
        for poster, answer in zip(STORED, answers, strict=True):
            top, left, height, width = poster["box"].tolist()
            total = 0.0
            for row in range(top, top + height):
                for column in range(left, left + width):
                    true = int(poster["lightness"][row, column, 0])
                    total += abs(true - int(answer.lightness[row, column])) / 255 * 100
            means.append(total / (height * width))
        metrics = SplitMetrics()
        for poster, answer in zip(STORED, answers, strict=True):
            metrics.update(observed(poster, answer))
        assert metrics.result()["lightness_error"] == pytest.approx(
            statistics.mean(means), rel=1e-5
        )

    def test_colors_are_those_of_the_predicted_lightness(self, answers):
        poster, answer = STORED[2], answers[2]
        inside = Box.of(poster).slices
        rgb = lab8_to_rgb(answer.lightness[inside], answer.ab[inside])
        true = lab8_to_rgb(poster["lightness"][..., 0][inside], poster["ab"][inside])
        metrics = SplitMetrics()
        metrics.update(observed(poster, answer))
        found = metrics.result()
        assert found["colorfulness"] == pytest.approx(colorfulness(rgb))
        error = np.mean((rgb.astype(float) - true) ** 2)
        assert found["psnr"] == pytest.approx(10 * math.log10(255**2 / error), rel=1e-5)
        metrics = SplitMetrics()
        metrics.update(observed(poster, replace(answer, lightness=None)))
        with_true_lightness = metrics.result()
        assert with_true_lightness["ssim"] > found["ssim"]
        assert with_true_lightness["delta_e_2000"] < found["delta_e_2000"]

    def test_both_are_undefined_where_a_gray_poster_was_given(self, manifest):
        columns = score(manifest, "test", baseline_predictors(manifest))
        for column in columns.values():
            assert column.result()["harmed"] is None and column.result()["lightness_error"] is None


class TestBaselines:
    def test_gray_world_makes_the_means_of_linear_light_alike(self):
        rgb = np.random.default_rng(2).integers(20, 140, (30, 20, 3)) * np.array([1, 0.8, 0.6])
        rgb = rgb.astype(np.uint8)
        found = np.asarray(restoring_baselines.gray_world(Image.fromarray(rgb)))

        def to_linear(value: int) -> float:
            s = value / 255
            return s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4

        pixels = rgb.reshape(-1, 3).tolist()
        means = [statistics.mean(to_linear(pixel[k]) for pixel in pixels) for k in range(3)]
        for pixel, restored in zip(pixels, found.reshape(-1, 3).tolist(), strict=True):
            for k in range(3):
                light = to_linear(pixel[k]) * statistics.mean(means) / means[k]
                s = 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
                assert restored[k] == pytest.approx(255 * s, abs=0.61)
        assert np.ptp(linear_light()[found].mean(axis=(0, 1))) < 0.002 < np.ptp(means)

    @pytest.mark.parametrize(("name", "cut"), [("autocontrast", 0.005), ("stretched", 0.0)])
    def test_each_channel_is_stretched_by_itself(self, name, cut):
        rgb = np.random.default_rng(3).normal((90, 120, 150), (9, 15, 25), (80, 50, 3))
        rgb = rgb.clip(0, 255).astype(np.uint8)
        found = np.asarray(restoring_baselines.BASELINES[name](Image.fromarray(rgb))).astype(int)
        for k in range(3):
            values = sorted(rgb[..., k].ravel().tolist())
            # So many pixels at each end don't count.
            off = int(len(values) * cut)
            low, high = values[off], values[-1 - off]
            expected = (rgb[..., k].astype(float) - low) * 255 / (high - low)
            assert np.abs(found[..., k] - expected.clip(0, 255)).max() <= 1

    def test_nothing_is_better_than_the_best_nine_numbers(self):
        shared = Pictures()
        bundled = Predictions(Painter(never, Restorer.bundled()), Decoding(), pictures=shared)
        found = baselines_restoring(shared, AGED) | {"network": bundled.told(Told(age=AGED))}
        assert list(found)[:5] == [
            "left alone", "gray world", "autocontrast", "stretched", "oracle",
        ]  # fmt: skip
        # Not the drawn posters that are taken for gray ones.
        some = [one for one in STORED if np.abs(one["ab"]).mean() > 4]
        differences = {name: result_of(predict, some) for name, predict in found.items()}
        oracle = differences.pop("oracle")["delta_e_2000"]
        assert all(other["delta_e_2000"] > 1.3 * oracle for other in differences.values())

    def test_the_best_nine_numbers_undo_what_each_channel_suffered(self):
        generator = np.random.default_rng(4)
        for picture in DRAWN[:4]:
            drawn = Ageing.drawn(generator)
            simple = replace(drawn, mixing=np.eye(3), border=0.0)
            faded = np.rint(simple.applied(np.asarray(picture))).astype(np.uint8)
            restored = restoring_baselines.oracle(Image.fromarray(faded), picture)
            error = np.abs(np.asarray(restored).astype(int) - np.asarray(picture))
            assert np.abs(faded.astype(int) - np.asarray(picture)).mean() > 5
            assert error.mean() < 1

    def test_a_picture_of_one_color_has_best_numbers_too(self):
        flat, true = Image.new("RGB", (5, 5), (120, 110, 90)), Image.new("RGB", (5, 5), (128,) * 3)
        assert np.asarray(restoring_baselines.oracle(flat, true)).ravel() == pytest.approx(
            128, abs=1
        )
        unchanged = restoring_baselines.oracle(true, true)
        assert np.asarray(unchanged).ravel() == pytest.approx(128, abs=1)


@pytest.fixture(scope="module")
def network():
    return load_model("regression").painter


class TestGrayPosters:
    def test_they_are_never_restored(self, network, manifest):
        """Even by a restorer that would change everything, whatever is asked for."""
        black = replace(network, restorer=Found(Restoration((0.9,) * 3, (0.1,) * 3, (0.5,) * 3)))
        poster = next(posters(manifest, "test"))
        plain, by_black, asked = (
            Predictions(painter, decoding).told(Told())(poster)
            for painter, decoding in (
                (network, Decoding()), (black, Decoding()), (black, Decoding(restore=1.0)),
            )
        )  # fmt: skip
        np.testing.assert_array_equal(plain.ab, by_black.ab)
        np.testing.assert_array_equal(plain.ab, asked.ab)
        assert plain.lightness is None and plain.given is None

    def test_a_gray_border_is_the_posters_own(self, network, manifest):
        """A scan's margin would stay gray."""
        poster = next(posters(manifest, "test"))
        lightness, ab = poster["lightness"].copy(), poster["ab"].copy()
        top, left, height, width = map(int, poster["box"])
        lightness[top : top + height, left : left + width] = 130
        lightness[top + 4 : top + height - 4, left + 4 : left + width - 4] = 250
        framed = poster | {"lightness": lightness, "ab": ab}
        answer = Predictions(network, Decoding()).told(Told())(framed)
        assert np.abs(answer.ab[top : top + 4, left : left + width].astype(int)).mean() > 1


class TestTables:
    FULL = {name: 10 + 1.25 * number for number, name in enumerate(METRICS)}  # noqa: RUF012
    GRAY = {**FULL, "harmed": None, "lightness_error": None}  # noqa: RUF012

    def test_columns_of_gray_posters_are_shown_as_ever(self):
        columns = (Column("unet"), Column("unet", "told palette"), Column("truth"))
        table, _, note = report(dict.fromkeys(columns, self.GRAY)).rpartition("\n\n")
        named = dict.fromkeys(("unet", "unet, told palette", "truth"), self.GRAY)
        assert table + "\n" == markdown(metric_table(named | PAPER))
        assert note.startswith("The paper's figures")
        assert "made worse" not in table

    def test_restored_posters_have_tables_of_their_own_and_the_paper_has_none(self):
        aged = dict.fromkeys((Column("a", "told aged"), Column("oracle", "told aged")), self.FULL)
        unaged = {Column("a", "told unaged"): self.FULL}
        text = report({**aged, **unaged, Column("truth"): self.GRAY})
        assert not any(name in text for name in PAPER) and text.count("| metric") == 2
        assert "| a     | oracle | truth |".replace(" ", "") in text.replace(" ", "")
        assert "told" not in text.replace("that have not aged", "")
        rows = [line for line in text.splitlines() if METRICS["delta_e_2000"].label in line]
        value = f"{self.FULL['delta_e_2000']:.2f}"
        assert [row.count(value) for row in rows] == [3, 2]
        for name in ("l2_ab", "harmed", "lightness_error", "psnr", "ssim", "colorfulness"):
            assert text.count(METRICS[name].label) == 2
        assert "accuracy" not in text and METRICS["n_classes"].label not in text

    def test_both_kinds_stand_below_each_other(self):
        gray = {Column("a"): self.GRAY, Column("truth"): self.GRAY}
        text = report({**gray, Column("a", "told aged"): self.FULL})
        gray, restored = text.split("Restored from artificially aged posters:")
        assert "paper: regression" in gray and METRICS["n_classes"].label in gray
        assert "told" not in gray and METRICS["harmed"].label in restored


def test_a_restoration_network_is_validated(manifest):
    counts = []
    found = validate_restoration(manifest, Found(Restoration.none()), counts.append)
    assert sum(counts) == manifest.count("validation")
    assert set(found) == {
        (answer, name)
        for answer in ("aged", "unaged", "left_alone", "autocontrast")
        for name in RESTORING
    }
    for name in RESTORING:
        assert found["aged", name] == found["left_alone", name]
    assert found["unaged", "delta_e_2000"] < 0.5 < 3 < found["aged", "delta_e_2000"]
    assert found["aged", "harmed"] == found["unaged", "harmed"] == 0
    assert found["autocontrast", "delta_e_2000"] != found["aged", "delta_e_2000"]
    whitening = Found(Restoration((0.0,) * 3, (1.0,) * 3, (0.5,) * 3))
    bright = validate_restoration(manifest, whitening)
    assert bright["unaged", "harmed"] == 100 and bright["unaged", "lightness_error"] > 10
    for name in RESTORING:
        assert bright["left_alone", name] == found["left_alone", name]


@pytest.fixture
def one_restorer(monkeypatch):
    """A model that restores; its color network must not be loaded."""
    bundled = load_model("restoration")
    return replace(bundled, painter=replace(bundled.painter, load=never))


def test_an_evaluation_of_restoring_alone(manifest, store, one_restorer, monkeypatch):
    """No gray baselines, no color network; nothing is lost on its way to MLflow."""
    colored = replace(one_restorer, painter=Painter(never, Found(FADED)))
    # Drawn posters of 32 pixels may be taken for gray ones.
    monkeypatch.setattr("recolor.models.painter.color_kind", lambda picture: COLORED)
    columns = evaluate_models(manifest, "test", [colored], told=("aged", "unaged")).columns
    baselines = ("left alone", "gray world", "autocontrast", "stretched", "oracle")
    assert list(columns) == [
        *(f"restoration, told {age}" for age in (AGED, UNAGED)),
        *(f"{name}, told {age}" for age in (AGED, UNAGED) for name in baselines),
        "truth",
    ]
    run = mlflow.search_runs(output_format="list", max_results=1)[0]
    for name, metrics in columns.items():
        prefix = name.replace(", ", ".").replace(" ", "_")
        for key, value in metrics.items():
            assert run.data.metrics.get(f"{prefix}/{key}") == value
    assert columns["truth"]["harmed"] is None
    assert run.data.params["restoration.model"] == colored.which


def test_a_restoration_network_can_be_told_nothing_of_gray_posters(manifest, store, one_restorer):
    with pytest.raises(ToldError, match=r"restoration network, .* tell it aged or unaged"):
        evaluate_models(manifest, "test", [one_restorer])


def test_a_sheet_shows_what_was_given(manifest):
    shared = Pictures()
    alone = {"alone": baselines_restoring(shared, AGED)["left alone"]}
    width = comparison_sheet(Posters(manifest, "test"), {}).width
    both = comparison_sheet(Posters(manifest, "test"), alone | baseline_predictors(manifest))
    colored = comparison_sheet(Posters(manifest, "test"), alone)
    # Gray and true; given, alone and true; gray, given, alone, gray, mean color and true.
    cell = (colored.width - width) // 2
    assert (both.width - colored.width) // 2 == 3 * cell
    with_restored = np.asarray(colored)
    given, left = (with_restored[26:, 8 + k * cell : 8 + k * cell + cell - 8] for k in (0, 1))
    np.testing.assert_array_equal(given, left)


def test_evaluate_tells_aged(manifest, store, tmp_path):
    file = tmp_path / "figures.json"
    arguments = ["evaluate", "--data", manifest.folder, "--model", "restoration", "--json", file]
    told = ["--told", "aged", "--told", "unaged"]
    result = CliRunner().invoke(main, [str(one) for one in (*arguments, *told)])
    assert result.exit_code == 0, result.output
    columns = json.loads(file.read_text())["columns"]
    assert columns["restoration, told aged"].keys() == set(METRICS)
    assert (
        columns["oracle, told aged"]["delta_e_2000"]
        < (columns["left alone, told aged"]["delta_e_2000"])
    )
    assert "| restoration † | left alone | gray world |" in result.output
    assert "paper" not in result.output
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 1 and "tell it aged or unaged" in result.output
