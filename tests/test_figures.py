"""Pictures: where a sheet's posters lie, and figures that can be saved for odd input too."""

import numpy as np
import pytest
from PIL import Image

from recolor.evaluation.figures import class_distribution, learning_curve
from recolor.evaluation.sheets import contact_sheet

SIDE = 32
COLORS = [(230, 0, 0), (0, 170, 0), (0, 0, 230), (220, 0, 220), (0, 190, 190), (210, 160, 0)]


def solid(color: tuple[int, int, int], size: tuple[int, int] = (SIDE, SIDE)) -> Image.Image:
    return Image.new("RGB", size, color)


def place(sheet: Image.Image, color: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Left, top, width and height of the rectangle that one color fills."""
    rows, columns = np.nonzero((np.asarray(sheet) == color).all(axis=-1))
    left, top = columns.min(), rows.min()
    width, height = columns.max() - left + 1, rows.max() - top + 1
    assert len(rows) == width * height
    return int(left), int(top), int(width), int(height)


def corners(sheet: Image.Image, colors) -> np.ndarray:
    places = np.array([place(sheet, color) for color in colors])
    assert (places[:, 2:] == SIDE).all()
    return places[:, :2]


def saved(figure, path) -> np.ndarray:
    figure.savefig(path)
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def test_pictures_stand_in_rows_below_each_other():
    rows = [[solid(color) for color in COLORS[:3]], [solid(color) for color in COLORS[3:]]]
    sheet = contact_sheet(rows, ["a", "b", "c"], side=SIDE)
    at = corners(sheet, COLORS).reshape(2, 3, 2)

    assert len(set(at[..., 1].ravel().tolist())) == 2
    assert len(set(at[..., 0].ravel().tolist())) == 3
    across, down = np.diff(at[..., 0], axis=1), np.diff(at[..., 1], axis=0)
    assert (across == across[0, 0]).all()
    assert (down == across[0, 0]).all()
    assert across[0, 0] > SIDE
    right, bottom = at[-1, -1] + SIDE
    assert sheet.width - right == at[0, 0, 0] > 0
    assert sheet.height > bottom


def test_rows_stand_side_by_side_in_columns():
    sheet = contact_sheet([[solid(c)] for c in COLORS[:5]], ["a"], side=SIDE, columns=2)
    one, two, three, four, five = corners(sheet, COLORS[:5]).tolist()
    assert one[1] == two[1] < three[1] == four[1] < five[1]
    assert one[0] == three[0] == five[0] < two[0] == four[0]
    assert two[0] - one[0] > SIDE


def test_more_columns_than_rows_take_no_room():
    rows = [[solid(COLORS[0])], [solid(COLORS[1])]]
    wide, fitting = (contact_sheet(rows, ["a"], side=SIDE, columns=k) for k in (9, 2))
    assert wide.size == fitting.size
    assert wide.tobytes() == fitting.tobytes()


@pytest.mark.parametrize(
    ("size", "scaled"),
    [
        ((4, 4), (SIDE, SIDE)),
        ((1, 1), (SIDE, SIDE)),
        ((10, 20), (SIDE // 2, SIDE)),
        ((300, 150), (SIDE, SIDE // 2)),
    ],
)
def test_pictures_are_scaled_to_fit_and_centered(size, scaled):
    sheet = contact_sheet([[solid(COLORS[0], size), solid(COLORS[1])]], ["a", "b"], side=SIDE)
    left, top, width, height = place(sheet, COLORS[0])
    other_left, other_top, other_width, _ = place(sheet, COLORS[1])
    assert (width, height) == scaled
    assert top - other_top == (SIDE - height) // 2
    assert other_left - left - width == sheet.width - other_left - other_width + (SIDE - width) // 2


def test_pictures_are_not_changed():
    picture = solid(COLORS[0], (5, 9))
    contact_sheet([[picture]], ["a"], side=SIDE)
    assert picture.size == (5, 9)


def test_every_picture_has_its_label_above():
    rows = [[solid(COLORS[0]), solid(COLORS[1])]]
    sheets = {
        labels: np.asarray(contact_sheet(rows, labels, side=SIDE))
        for labels in (("gray", "true"), ("gray", ""), ("", ""))
    }
    top = place(Image.fromarray(sheets["", ""]), COLORS[0])[1]
    assert (sheets["", ""][:top] == 255).all()
    first, second = sheets["gray", ""], sheets["gray", "true"]
    half = first.shape[1] // 2
    assert (first[:top, :half] < 128).any()
    assert (first[:top, half:] == 255).all()
    assert (second[:top, half:] < 128).any()
    assert np.array_equal(first[:top, :half], second[:top, :half])


def test_gray_pictures_can_stand_beside_colored_ones():
    sheet = contact_sheet([[Image.new("L", (8, 8), 90), solid(COLORS[0])]], ["a", "b"], side=SIDE)
    assert place(sheet, (90, 90, 90))[2:] == (SIDE, SIDE)


@pytest.mark.filterwarnings("ignore:Data has no positive values")
@pytest.mark.parametrize(
    "history",
    [
        pytest.param({"loss": [3.0, 1.0, 0.5], "val_loss": [4.0, 2.0, 3.0]}, id="two"),
        pytest.param({"loss": [3.0, 9.0, 5.0]}, id="no validation"),
        pytest.param({"loss": [250.0]}, id="one epoch"),
        pytest.param({"loss": [0.0]}, id="zero alone"),
        pytest.param({"loss": [5.0, 0.0, 1.0]}, id="zero among others"),
        pytest.param({"loss": [5.0, float("nan")]}, id="not a number"),
        pytest.param({"loss": [1 / k for k in range(1, 261)]}, id="260 epochs"),
    ],
)
def test_learning_curve(tmp_path, history):
    columns = zip(*history.values(), strict=True)
    epochs = [dict(zip(history, values, strict=True)) for values in columns]
    figure = learning_curve(epochs, "regression, 9000 posters")
    (axes,) = figure.axes
    assert axes.get_title() == "regression, 9000 posters"
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    validated = ["validation", "best epoch, 2"] if "val_loss" in history else []
    assert words == ["training", *validated]
    for line, values in zip(axes.lines, history.values(), strict=False):
        points = list(enumerate(values, 1))
        assert np.array_equal(line.get_xydata(), points, equal_nan=True)
    if validated:
        assert list(axes.lines[-1].get_xdata()) == [2, 2]
    image = saved(figure, tmp_path / "curve.png")
    assert image.std() > 5


def test_a_curve_leaves_a_colored_line(tmp_path):
    image = saved(learning_curve([{"loss": 10.0}, {"loss": 1.0}], "t"), tmp_path / "curve.png")
    colored = np.ptp(image, axis=-1) > 60
    assert np.ptp(np.flatnonzero(colored.any(axis=1))) > image.shape[0] / 2
    assert np.ptp(np.flatnonzero(colored.any(axis=0))) > image.shape[1] / 2


@pytest.mark.parametrize(
    "cells",
    [
        pytest.param({}, id="none"),
        pytest.param({528: 1_000_000}, id="one"),
        pytest.param({528: 1, 100: 1}, id="two alike"),
        pytest.param({0: 1, 31: 10, 992: 100, 1023: 10**12}, id="corners"),
        pytest.param({cell: cell + 1 for cell in range(1024)}, id="all"),
    ],
)
def test_class_distribution(tmp_path, cells):
    counts = np.zeros(1024, np.int64)
    counts[list(cells)] = list(cells.values())
    figure = class_distribution({"train": counts})
    axes = figure.axes[0]
    assert axes.get_title() == f"train: {len(cells)} color classes"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("b", "a")
    if cells:
        (image,) = axes.images
        assert image.get_extent() == [-128, 128, -128, 128]
        assert image.origin == "lower"
        shares = image.get_array()
        for cell, count in cells.items():
            assert shares[cell // 32, cell % 32] == pytest.approx(count / sum(cells.values()))
        assert shares.count() == len(cells)
    assert saved(figure, tmp_path / "classes.png").std() > 5


def test_populated_cells_are_drawn_at_their_a_and_b(tmp_path):
    """A quarter of the plane, that of positive a and negative b, is up and to the left."""
    counts = np.zeros((32, 32), np.int64)
    counts[16:, :16] = 1
    figure = class_distribution({"train": counts.ravel()})
    image = saved(figure, tmp_path / "classes.png")
    box = figure.axes[0].get_window_extent()
    rows = np.linspace(image.shape[0] - box.y1, image.shape[0] - box.y0, 9).astype(int)
    columns = np.linspace(box.x0, box.x1, 9).astype(int)
    inside = [[np.ptp(image[row, column]) > 10 for column in columns[1::2]] for row in rows[1::2]]
    assert inside == [[True, True, False, False]] * 2 + [[False] * 4] * 2


def test_distributions_side_by_side_have_one_scale(tmp_path):
    counts = np.zeros((2, 1024), np.int64)
    counts[0, :10], counts[1, 500:503] = 1, 1000
    figure = class_distribution({"truth": counts[0], "gray": counts[1]})
    first, second, _ = figure.axes
    assert [axes.get_title() for axes in (first, second)] == [
        "truth: 10 color classes",
        "gray: 3 color classes",
    ]
    assert first.images[0].norm is second.images[0].norm
    assert saved(figure, tmp_path / "classes.png").std() > 5
