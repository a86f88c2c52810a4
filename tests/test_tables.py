"""The table of metrics: complete, aligned, and well-formed Markdown."""

import re

import pytest

from recolor.evaluation.answers import FREE, TOLD_PALETTE, Column, MetricKey
from recolor.evaluation.metrics.catalog import METRICS
from recolor.evaluation.tables import PAPER, markdown, metric_table

FULL = {name: 10 + 1.25 * number for number, name in enumerate(METRICS)} | {
    "n_classes": 385,
    "ssim": 0.87654,
}
COLUMNS = {"models:/poster-recolor/3": FULL, "gray": {**FULL, "psnr": None}, "nothing": {}}


def parsed(text: str) -> list[list[str]]:
    """The cells of a Markdown table, without its rule, by the syntax alone."""
    lines = text.split("\n")
    assert lines[-1] == ""
    assert all(line.startswith("| ") and line.endswith(" |") for line in lines[:-1])
    rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines[:-1]]
    assert all(re.fullmatch("-+:?", cell) for cell in rows[1])
    assert len({len(row) for row in rows}) == 1
    assert len({len(line) for line in lines[:-1]}) == 1
    return [rows[0], *rows[2:]]


def test_a_row_for_each_metric_and_a_column_for_each_answer():
    header, *rows = metric_table(COLUMNS)
    assert header == ["metric", *COLUMNS]
    assert [row[0] for row in rows] == [metric.label for metric in METRICS.values()]
    assert len({row[0] for row in rows}) == len(METRICS)
    assert all(len(row) == 4 for row in rows)


def test_what_is_undefined_or_missing_is_a_dash():
    _, *rows = metric_table(COLUMNS)
    for name, (_, full, gray, nothing) in zip(METRICS, rows, strict=True):
        assert full != "-"
        assert (gray == "-") == (name == "psnr")
        assert nothing == "-"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("l2_ab", 239.99, "240.0"),
        ("l2_ab", 0.0, "0.0"),
        ("n_classes", 385, "385"),
        ("accuracy_0_padded", 49.26, "49.3"),
        ("accuracy_0_padded", 100.0, "100.0"),
        ("ssim", 0.87654, "0.877"),
        ("psnr", 21.04, "21.0"),
    ],
)
def test_how_a_value_is_written(name, value, text):
    assert metric_table({"model": {name: value}})[1:] == [[METRICS[name].label, text]]


def test_a_metric_has_a_row_where_one_column_has_it():
    rows = metric_table({"gray": {"diversity": None}, "model": {"diversity": 1.25}, "other": {}})
    assert rows == [
        ["metric", "gray", "model", "other"],
        [METRICS["diversity"].label, "-", "1.2", "-"],
    ]


@pytest.mark.parametrize("columns", [{}, COLUMNS, PAPER, COLUMNS | PAPER])
def test_markdown_holds_the_cells_and_is_well_formed(columns):
    cells = metric_table(columns)
    assert parsed(markdown(cells)) == cells


def test_markdown_aligns_words_to_the_left_and_numbers_to_the_right():
    text = markdown([["metric", "a", "long name"], ["x", "12.5", "-"]])
    assert text == (
        "| metric |    a | long name |\n"
        "| ------ | ---: | --------: |\n"
        "| x      | 12.5 |         - |\n"
    )


def test_the_papers_figures_are_of_known_metrics():
    for column in PAPER.values():
        assert set(column) <= set(METRICS)
    regression, classification = PAPER["paper: regression"], PAPER["paper: classification"]
    assert (regression["l2_ab"], regression["n_classes"]) == (239.99, 250)
    assert (classification["l2_ab"], classification["n_classes"]) == (282.5, 319)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (FREE, "l2_ab"),
        (TOLD_PALETTE, "told_palette.l2_ab"),
        ("mean color", "mean_color.l2_ab"),
        ("best4", "best4.l2_ab"),
        ("palette+source", "palette_source.l2_ab"),
        (str(Column("unet_v3", "told palette+hints5")), "unet_v3.told_palette_hints5.l2_ab"),
    ],
)
def test_a_metric_has_a_name_in_mlflow(answer, name):
    assert str(MetricKey(answer, "l2_ab")) == name
    assert str(MetricKey.parse(name)) == name
