"""Metrics and baselines against loops over pixels and cases computed by hand."""

import itertools
import math
import re
import statistics

import numpy as np
import pytest
from conftest import ROOT
from skimage.color import deltaE_ciede2000

from recolor.datasets.color import lab8_to_rgb
from recolor.datasets.palettes.palette import Palette
from recolor.datasets.posters import Box
from recolor.evaluation.baselines import gray, mean_color
from recolor.evaluation.metrics.catalog import METRICS, rankable
from recolor.evaluation.metrics.color_use import colorfulness
from recolor.evaluation.metrics.metric import HIGHER, LOWER, PosterMean
from recolor.evaluation.metrics.observation import Answer, Colors, MeasurementError, Observation
from recolor.evaluation.scoring import SplitMetrics, score
from recolor.evaluation.tables import metric_table

SIDE = 14
# Of different shapes and places, so that pixels and images are weighed differently.
BOXES = [Box(2, 1, 9, 12), Box(0, 3, 14, 8), Box(0, 0, 14, 14)]
FULL = Box(0, 0, SIDE, SIDE)

Poster = tuple[np.ndarray, np.ndarray, np.ndarray, Box]


def poster(seed: int, box: Box) -> Poster:
    """Lightness, true colors near gray (so that all distances occur), predictions near those."""
    rng = np.random.default_rng(seed)
    lightness = rng.integers(40, 220, (SIDE, SIDE), np.uint8)
    true_ab = rng.normal(0, 14, (SIDE, SIDE, 2)).round().clip(-128, 127).astype(np.int8)
    predicted = true_ab + rng.normal(0, 9, (SIDE, SIDE, 2)).round()
    return lightness, true_ab, predicted.clip(-128, 127).astype(np.int8), box


POSTERS = [poster(seed, box) for seed, box in enumerate(BOXES)]


def observed(each: Poster, *asked) -> Observation:
    lightness, true_ab, predicted_ab, box = each
    return Observation(Colors(lightness, true_ab, box), Answer(predicted_ab, *asked))


def result_of(*posters: Poster) -> dict[str, float | None]:
    metrics = SplitMetrics()
    for each in posters:
        metrics.update(observed(each))
    return metrics.result()


def pixels_in(box: Box) -> list[tuple[int, int]]:
    rows, columns = range(box.top, box.top + box.height), range(box.left, box.left + box.width)
    return [(row, column) for row in rows for column in columns]


def cell(color: list[int]) -> tuple[int, int]:
    return math.floor((color[0] + 128) / 8), math.floor((color[1] + 128) / 8)


def crop(array: np.ndarray, box: Box) -> np.ndarray:
    return array[box.top : box.top + box.height, box.left : box.left + box.width]


def rgb_pair(each: Poster) -> tuple[np.ndarray, np.ndarray]:
    """The poster without padding, true and predicted."""
    lightness, true_ab, predicted_ab, box = each
    true, predicted = (lab8_to_rgb(lightness, ab) for ab in (true_ab, predicted_ab))
    return crop(true, box).astype(float), crop(predicted, box).astype(float)


def hasler_suesstrunk(rgb: np.ndarray) -> float:
    """sqrt(var rg + var yb) + 0.3 sqrt(mean rg ^ 2 + mean yb ^ 2)."""
    colors = rgb.reshape(-1, 3).tolist()
    rg = [red - green for red, green, _ in colors]
    yb = [0.5 * (red + green) - blue for red, green, blue in colors]
    deviation = math.sqrt(statistics.pvariance(rg) + statistics.pvariance(yb))
    return deviation + 0.3 * math.sqrt(statistics.mean(rg) ** 2 + statistics.mean(yb) ** 2)


def ssim_by_loop(one: np.ndarray, other: np.ndarray) -> float:
    """SSIM over all whole 7x7 windows and channels, with the sample's covariance."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for row in range(one.shape[0] - 6):
        for column in range(one.shape[1] - 6):
            for channel in range(3):
                x = one[row : row + 7, column : column + 7, channel].ravel()
                y = other[row : row + 7, column : column + 7, channel].ravel()
                (vx, vxy), (_, vy) = np.cov(x, y)
                mx, my = x.mean(), y.mean()
                values.append(
                    (2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
                )
    return statistics.mean(values)


def test_the_result_has_every_metric_in_the_order_of_the_tables():
    assert list(result_of(*POSTERS)) == list(METRICS)
    assert all(metric.name == name for name, metric in METRICS.items())
    assert len({metric.label for metric in METRICS.values()}) == len(METRICS)


def test_a_metric_ranks_by_its_direction_if_it_has_one():
    assert METRICS["l2_ab"].direction == METRICS["delta_e_2000"].direction == LOWER
    assert METRICS["l2_ab"].is_better(1.0, 2.0) and not METRICS["l2_ab"].is_better(2.0, 2.0)
    assert METRICS["ssim"].direction == HIGHER
    assert METRICS["ssim"].is_better(2.0, 1.0) and not METRICS["ssim"].is_better(2.0, 2.0)
    ranked = rankable()
    assert "l2_ab" in ranked and "ssim" in ranked
    # The truth's is the aim; and validation does not measure it, which would take minutes.
    assert "colorfulness" not in ranked and "kernel_distance_lite0" not in ranked


def test_the_documents_explain_every_metric():
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    accuracies = {name for name in METRICS if name.startswith("accuracy_")}
    assert explained - {"accuracy_D_MASK"} >= set(METRICS) - accuracies


class Brightness(PosterMean):
    """A metric that is not recolor's."""

    name = "brightness"
    label = "brightness of red, green and blue"
    direction = HIGHER
    digits = 2

    def value(self, poster):
        return float(poster.predicted.rgb.mean())


@pytest.fixture
def brightness():
    METRICS.register(Brightness.name, Brightness)
    yield
    METRICS.unregister(Brightness.name)


def test_a_metric_that_is_registered_is_measured_ranked_and_shown(brightness, manifest):
    black = np.full((manifest.size, manifest.size, 2), 0, np.int8)
    found = score(manifest, "test", {"black": lambda poster: Answer(black)})
    columns = {name: metrics.result() for name, metrics in found.items()}
    assert 0 < columns["black"]["brightness"] < 255
    assert "brightness" in rankable()
    row = [Brightness.label, *(f"{column['brightness']:.2f}" for column in columns.values())]
    assert metric_table(columns)[-1] == row


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_color_that_is_not_finite_is_an_error_and_not_gray(wrong):
    lightness, true_ab, predicted, box = POSTERS[0]
    broken = predicted.astype(np.float32)
    broken[0, 0, 1] = wrong
    with pytest.raises(MeasurementError, match="not finite"):
        observed((lightness, true_ab, broken, box))
    with pytest.raises(MeasurementError, match="not finite"):
        observed(POSTERS[0], None, [predicted, broken])


def test_a_color_that_is_not_finite_is_reported_with_its_column_and_poster(manifest):
    broken = np.full((manifest.size, manifest.size, 2), np.nan)
    with pytest.raises(MeasurementError, match=r"^broken, poster [0-9a-f]{64}: [^\n]*$"):
        score(manifest, "test", {"broken": lambda poster: Answer(broken)})


def test_l2_ab_is_equation_1_averaged_over_images_with_padding():
    values = []
    for _, true_ab, predicted_ab, _ in POSTERS:
        total = 0
        for row in range(SIDE):
            for column in range(SIDE):
                for true, predicted in zip(
                    true_ab[row, column].tolist(), predicted_ab[row, column].tolist(), strict=True
                ):
                    total += (true - predicted) ** 2
        values.append(total / (2 * SIDE * SIDE))
    assert result_of(*POSTERS)["l2_ab"] == pytest.approx(statistics.mean(values), rel=1e-6)


def test_n_classes_counts_the_cells_of_all_predictions_together():
    cells = {cell(color) for each in POSTERS for color in each[2].reshape(-1, 2).tolist()}
    alone = [result_of(each)["n_classes"] for each in POSTERS]
    together = result_of(*POSTERS)["n_classes"]
    assert together == len(cells)
    assert isinstance(together, int)
    assert max(alone) < together < sum(alone)


@pytest.mark.parametrize("mask", ["padded", "poster", "chromatic"])
@pytest.mark.parametrize("distance", [0, 1, 2])
def test_accuracy_is_the_share_of_all_pixels_under_the_mask(mask, distance):
    hits = pixels = 0
    for _, true_ab, predicted_ab, box in POSTERS:
        for row, column in pixels_in(FULL if mask == "padded" else box):
            true, predicted = cell(true_ab[row, column].tolist()), cell(predicted_ab[row, column])
            if mask == "chromatic" and true == (16, 16):
                continue
            pixels += 1
            hits += max(abs(true[0] - predicted[0]), abs(true[1] - predicted[1])) <= distance
    assert 0 < hits < pixels
    actual = result_of(*POSTERS)[f"accuracy_{distance}_{mask}"]
    assert actual == pytest.approx(100 * hits / pixels, rel=1e-12)


def test_ciede2000_is_that_of_double_precision():
    values = []
    for lightness, true_ab, predicted_ab, box in POSTERS:
        true, predicted = (
            np.concatenate([lightness[..., None] / 2.55, ab.astype(np.float64)], axis=-1)
            for ab in (true_ab, predicted_ab)
        )
        differences = [
            float(deltaE_ciede2000(true[pixel], predicted[pixel])) for pixel in pixels_in(box)
        ]
        values.append(statistics.mean(differences))
    actual = result_of(*POSTERS)["delta_e_2000"]
    assert actual == pytest.approx(statistics.mean(values), abs=1e-3)


def test_colorfulness_is_that_of_the_predictions_without_padding():
    values = [hasler_suesstrunk(rgb_pair(each)[1]) for each in POSTERS]
    assert result_of(*POSTERS)["colorfulness"] == pytest.approx(statistics.mean(values))


@pytest.mark.parametrize("shape", [(50, 3), (8, 9, 3)])
def test_colorfulness_of_an_image(shape):
    rgb = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert colorfulness(rgb) == pytest.approx(hasler_suesstrunk(rgb.astype(float)))


def test_colorfulness_of_half_red_half_gray_by_hand():
    """rg is 200 and 0, yb is 100 and 0: deviations 100 and 50, means 100 and 50."""
    rgb = np.array([[200, 0, 0], [77, 77, 77]], np.uint8)
    assert colorfulness(rgb) == pytest.approx(1.3 * math.hypot(100, 50))
    assert colorfulness(rgb[1:]) == 0


def test_psnr_is_that_of_the_mean_squared_error_over_images():
    errors = []
    for each in POSTERS:
        true, predicted = (rgb.ravel().tolist() for rgb in rgb_pair(each))
        errors.append(statistics.mean((x - y) ** 2 for x, y in zip(true, predicted, strict=True)))
    expected = 10 * math.log10(255**2 / statistics.mean(errors))
    assert result_of(*POSTERS)["psnr"] == pytest.approx(expected, rel=1e-6)


def test_ssim_is_that_of_7x7_windows_in_rgb():
    values = [ssim_by_loop(*rgb_pair(each)) for each in POSTERS]
    actual = result_of(*POSTERS)["ssim"]
    assert 0.3 < actual < 0.99
    assert actual == pytest.approx(statistics.mean(values), rel=1e-6)


def test_four_pixels_by_hand():
    """Squared errors 0, 25, 64 and 256; the cells are 0, 0, 1 and 2 apart."""
    true = np.array([[[0, 0], [0, 0]], [[8, 0], [20, -20]]], np.int8)
    predicted = np.array([[[0, 0], [3, 4]], [[8, 8], [20, -36]]], np.int8)
    result = result_of((np.full((2, 2), 128, np.uint8), true, predicted, Box(0, 1, 2, 1)))
    expected = {
        "l2_ab": 345 / 8,
        "n_classes": 3,
    }
    shares = {"padded": (50, 75, 100), "poster": (50, 50, 100), "chromatic": (0, 0, 100)}
    for mask, values in shares.items():
        expected |= {f"accuracy_{d}_{mask}": value for d, value in enumerate(values)}
    assert {name: result[name] for name in expected} == expected


@pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB")
@pytest.mark.parametrize(
    ("predicted", "rounded"),
    [
        *((3.5, 4), (-0.0025, 0), (-0.4, 0), (0.0047, 0), (7.4, 7), (7.6, 8), (-8.4, -8)),
        *((-0.6, -1), (127.3, 127), (300.0, 127), (-128.3, -128), (-1e4, -128)),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predictions_of_any_real_type_are_rounded_first(predicted, rounded, dtype):
    lightness, true_ab, _, box = POSTERS[0]
    real, whole = np.full(true_ab.shape, predicted, dtype), np.full(true_ab.shape, rounded, np.int8)
    kept = real.copy()
    assert result_of((lightness, true_ab, real, box)) == result_of((lightness, true_ab, whole, box))
    assert np.array_equal(real, kept)


def test_a_prediction_of_almost_zero_is_neutral_like_the_padding():
    white, padding = np.full((SIDE, SIDE), 255, np.uint8), np.zeros((SIDE, SIDE, 2), np.int8)
    predicted = np.full((SIDE, SIDE, 2), (-0.0025, 0.0047), np.float32)
    result = result_of((white, padding, predicted, FULL))
    assert result["l2_ab"] == 0
    assert result["accuracy_0_padded"] == 100


def test_a_perfect_prediction():
    result = result_of(*((light, true, true, box) for light, true, _, box in POSTERS))
    assert result["l2_ab"] == result["delta_e_2000"] == 0
    assert all(value == 100 for name, value in result.items() if name.startswith("accuracy"))
    assert result["ssim"] == pytest.approx(1)
    assert result["psnr"] is None
    truth = [hasler_suesstrunk(rgb_pair(each)[0]) for each in POSTERS]
    assert result["colorfulness"] == pytest.approx(statistics.mean(truth))
    cells = {cell(color) for each in POSTERS for color in each[1].reshape(-1, 2).tolist()}
    assert result["n_classes"] == len(cells)


def test_gray_everywhere_scores_the_share_of_neutral_pixels_and_has_no_color():
    answer = gray((SIDE, SIDE))
    assert (answer.shape, answer.dtype) == ((SIDE, SIDE, 2), np.int8)
    assert not answer.any()
    result = result_of(*((light, true, answer, box) for light, true, _, box in POSTERS))
    true = [color for each in POSTERS for color in each[1].reshape(-1, 2).tolist()]
    neutral = sum(cell(color) == (16, 16) for color in true)
    assert result["n_classes"] == 1
    assert result["accuracy_0_padded"] == pytest.approx(100 * neutral / len(true))
    assert result["accuracy_0_chromatic"] == 0
    assert result["colorfulness"] < 0.1
    power = statistics.mean((a**2 + b**2) / 2 for a, b in true)
    assert result["l2_ab"] == pytest.approx(power, rel=1e-6)


def test_the_mean_color_fills_the_poster_and_leaves_the_padding_neutral():
    box = Box(1, 2, 3, 4)
    answer = mean_color((6, 8), box, (4.8, -6.9))
    assert (answer.shape, answer.dtype) == ((6, 8, 2), np.int8)
    for row in range(6):
        for column in range(8):
            inside = 1 <= row < 4 and 2 <= column < 6
            assert answer[row, column].tolist() == ([5, -7] if inside else [0, 0])


def test_the_mean_color_beats_gray_on_l2_ab_where_posters_have_a_cast():
    lightness, true_ab, _, box = poster(7, Box(0, 3, 14, 8))
    cast = np.zeros_like(true_ab)
    cast[:, 3:11] = true_ab[:, 3:11].clip(-100, 100) + np.array([12, 9])
    mean = crop(cast, box).astype(float).mean(axis=(0, 1))
    answers = gray((SIDE, SIDE)), mean_color((SIDE, SIDE), box, mean)
    without, with_mean = (result_of((lightness, cast, a, box))["l2_ab"] for a in answers)
    assert with_mean < without


@pytest.mark.parametrize("box", [Box(0, 4, 14, 6), Box(4, 0, 6, 14), Box(6, 0, 1, 14)])
def test_a_poster_narrower_than_the_window_of_ssim_counts_in_all_else(box):
    narrow = poster(3, box)
    alone = result_of(narrow)
    assert alone["ssim"] is None
    undefined = {name for name, value in result_of(POSTERS[0]).items() if value is None}
    assert {name for name, value in alone.items() if value is None} == {"ssim", *undefined}
    both = result_of(narrow, POSTERS[0])
    assert both["ssim"] == result_of(POSTERS[0])["ssim"]
    assert both["l2_ab"] == pytest.approx((alone["l2_ab"] + result_of(POSTERS[0])["l2_ab"]) / 2)


def test_ssim_is_computed_from_seven_pixels_on():
    just = poster(3, Box(0, 4, 14, 7))
    assert result_of(just)["ssim"] == pytest.approx(ssim_by_loop(*rgb_pair(just)), rel=1e-6)


def test_without_chromatic_pixels_their_accuracies_are_undefined():
    lightness, _, predicted, box = POSTERS[0]
    true_ab = np.full(predicted.shape, 7, np.int8)  # still in the neutral cell
    true_ab[0, 0] = 90  # chromatic, but in the padding
    result = result_of((lightness, true_ab, predicted, box))
    for distance in (0, 1, 2):
        assert result[f"accuracy_{distance}_chromatic"] is None
        assert result[f"accuracy_{distance}_poster"] is not None


@pytest.mark.parametrize("parts", [[0, 1, 2, 3], [0, 2, 2, 3], [0, 0, 3, 3]])
def test_merged_parts_equal_the_whole(parts):
    asked = Palette.of_colors("red")
    total, whole = SplitMetrics(), SplitMetrics()
    for start, stop in itertools.pairwise(parts):
        part = SplitMetrics()
        for each in POSTERS[start:stop]:
            for metrics in (part, whole):
                metrics.update(observed(each, asked, [each[2], each[1]]))
        total.merge(part)
    assert total.posters == 3
    results = [
        {name: value for name, value in metrics.result().items() if value is not None}
        for metrics in (total, whole)
    ]
    assert results[0] == pytest.approx(results[1], rel=1e-12)


def test_merging_leaves_the_merged_part_unchanged():
    total, part = SplitMetrics(), SplitMetrics()
    part.update(observed(POSTERS[0]))
    before = part.result()
    total.merge(part)
    total.update(observed(POSTERS[1]))
    assert part.result() == before


def test_no_posters_have_no_result():
    with pytest.raises(ValueError, match="no posters"):
        SplitMetrics().result()
