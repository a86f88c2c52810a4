"""The table of metrics: on the screen, as Markdown."""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from recolor.evaluation.answers import Column
from recolor.evaluation.metrics.catalog import METRICS

# How columns of restored posters are answered, and what heads their tables.
RESTORED = {
    "told aged": "Restored from artificially aged posters:",
    "told unaged": "Restored from posters that have not aged:",
}
TRUTH = Column("truth")
# Metrics of color classes are for gray posters' many right answers: tables of restored posters do
# without them, and show smaller differences of colors.
OF_CLASSES = ("n_classes", "accuracy_")
RESTORED_DIGITS = {"delta_e_2000": 2}

# Table 1 of the paper, on its own 800 test posters. It does not define its accuracies at 1 and 2
# classes well enough to compute them; they stand beside the poster's without padding.
PAPER = {
    "paper: regression": {
        "l2_ab": 239.99,
        "n_classes": 250,
        "accuracy_0_padded": 51.5,
        "accuracy_1_poster": 21.0,
        "accuracy_2_poster": 42.8,
    },
    "paper: classification": {
        "l2_ab": 282.50,
        "n_classes": 319,
        "accuracy_0_padded": 52.4,
        "accuracy_1_poster": 23.0,
        "accuracy_2_poster": 44.8,
    },
}
# What stands in a cell that has no value.
NOTHING = "-"
PAPER_NOTE = (
    "The paper's figures are for its own posters, of which the truth has 386 classes, and its"
    " 1-class and 2-class accuracies follow a definition of its own: they are for reference."
)

# What is said of a model that was not certainly kept from the posters that it is measured on, and
# what marks its columns.
MAY_KNOW = (
    "may have learned from some of these posters: its training held out others, or does not say "
    "which"
)
MARK = "†"


def metric_table(
    columns: dict[str, dict[str, float | None]],
    names: Iterable[str] = METRICS,
    digits: Mapping[str, int] = MappingProxyType({}),
) -> list[list[str]]:
    """Lay out metrics as text cells, the header first.

    What a column lacks is a dash; a metric that no column has gets no row.

    Args:
        columns: Metrics by column.
        names: The rows.
        digits: How many decimals metrics have here; by default their own.
    """
    rows = []
    for name in names:
        metric, values = METRICS[name], [column.get(name) for column in columns.values()]
        if any(value is not None for value in values):
            places = digits.get(name, metric.digits)
            rows.append([metric.label, *(_format(value, places) for value in values)])
    return [["metric", *columns], *rows]


def markdown(cells: list[list[str]]) -> str:
    """Render cells as a Markdown table, aligned to be read as it is.

    Numbers stand at the right of their columns, unless it is the first one.

    Args:
        cells: The rows, the header first.
    """
    columns = list(zip(*cells, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [number and all(map(_is_number, column[1:])) for number, column in enumerate(columns)]

    def line(row: list[str]) -> str:
        aligned = (
            cell.rjust(width) if numeric else cell.ljust(width)
            for cell, width, numeric in zip(row, widths, right, strict=True)
        )
        return "| " + " | ".join(aligned) + " |"

    dashes = [
        "-" * (width - 1) + ":" if numeric else "-" * width
        for width, numeric in zip(widths, right, strict=True)
    ]
    rule = "| " + " | ".join(dashes) + " |"
    return "\n".join([line(cells[0]), rule, *map(line, cells[1:])]) + "\n"


def report(
    columns: Mapping[Column, dict[str, float | None]], may_know: Collection[str] = ()
) -> str:
    """Render metrics as Markdown.

    Answers to gray posters stand beside the paper's figures, with a note on those. Restored posters
    have tables of their own.

    Args:
        columns: Metrics by column.
        may_know: Models that may have learned from these posters: their columns are marked.
    """
    columns = {
        column._replace(by=f"{column.by} {MARK}") if column.by in may_know else column: values
        for column, values in columns.items()
    }
    gray = {str(one): values for one, values in columns.items() if one.how not in RESTORED}
    parts = []
    if len(gray) == len(columns) or set(gray) - {str(TRUTH)}:
        parts.append(f"{markdown(metric_table(gray | PAPER))}\n{PAPER_NOTE}\n")
    names = [name for name in METRICS if not name.startswith(OF_CLASSES)]
    for how, words in RESTORED.items():
        restored = {one.by: values for one, values in columns.items() if one.how == how}
        if restored:
            restored |= {str(TRUTH): columns[TRUTH]} if TRUTH in columns else {}
            parts.append(f"{words}\n\n{markdown(metric_table(restored, names, RESTORED_DIGITS))}")
    if may_know:
        parts.append(f"{MARK} {MAY_KNOW}\n")
    return "\n".join(parts)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell == NOTHING
    return True


def _format(value: float | None, digits: int) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}"
