"""The table of metrics: on the screen, as Markdown."""

from recolor.evaluation.metrics.catalog import METRICS

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


def metric_table(columns: dict[str, dict[str, float | None]]) -> list[list[str]]:
    """Lay out metrics as text cells, the header first.

    What a column lacks is a dash; a metric that no column has gets no row.
    """
    rows = []
    for name, metric in METRICS.items():
        values = [column.get(name) for column in columns.values()]
        if any(value is not None for value in values):
            rows.append([metric.label, *(_format(value, metric.digits) for value in values)])
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


def report(columns: dict[str, dict[str, float | None]]) -> str:
    """Render metrics beside the paper's figures as Markdown, with a note on those."""
    return f"{markdown(metric_table(columns | PAPER))}\n{PAPER_NOTE}\n"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell == NOTHING
    return True


def _format(value: float | None, digits: int) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}"
