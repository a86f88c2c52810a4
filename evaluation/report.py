"""The report of a reproduction, as Markdown."""

from dataclasses import dataclass

from recolor.evaluation.tables import markdown, metric_table
from recolor.evaluation.tables import report as table

# The columns of the paper's own table; all others were told something.
PAPER_COLUMNS = ("regression", "classification", "gray", "mean color", "truth")
# The pictures that every report has, beside it.
PICTURES = {"classes": "class-distribution.png", "test posters": "test-posters.jpg"}


@dataclass(frozen=True)
class Training:
    """How a network was trained.

    Attributes:
        stages: Each stage in words, the first one first.
        curves: File names of their learning curves.
        use: How the network was used, in words.
    """

    stages: list[str]
    curves: list[str]
    use: str


def report(
    facts: dict[str, str],
    columns: dict[str, dict[str, float | None]],
    trainings: dict[str, Training],
    sheets: list[str],
) -> str:
    """Write the report.

    Args:
        facts: What it is about, by name.
        columns: Metrics of `PAPER_COLUMNS`, and of answers that were told each poster's palette.
        trainings: By network.
        sheets: File names of the sheets of old posters; may be empty.
    """
    lines = ["# Recoloring movie posters, reproduced", ""]
    lines += [f"- {name}: {words}" for name, words in facts.items()]
    paper = {name: columns[name] for name in PAPER_COLUMNS}
    lines += ["", "## The table", "", table(paper), _verdict(columns), ""]
    if told := {name: values for name, values in columns.items() if name not in PAPER_COLUMNS}:
        told |= {name: columns[name] for name in ("mean color", "truth")}
        lines += [
            "## Told each poster's palette",
            "",
            "The same posters, where an answer knows which colors the poster has, and how much of "
            "each, but not where. The other answers of the same knowledge need no network.",
            "",
            markdown(metric_table(told)),
        ]
    lines += ["## The trainings", ""]
    for network, training in trainings.items():
        lines += [f"### {network.capitalize()}", ""]
        for stage, curve in zip(training.stages, training.curves, strict=True):
            lines += [stage, "", f"![Learning curve of the {network} network]({curve})", ""]
        lines += [training.use, ""]
    lines += [
        "## Color classes of the test posters",
        "",
        f"![Distributions of color classes]({PICTURES['classes']})",
        "",
        "## Test posters",
        "",
        f"![Test posters: gray, the networks, true colors]({PICTURES['test posters']})",
        "",
    ]
    if sheets:
        lines += ["## Old posters", ""]
        words = "Old posters: source, gray, the networks, and under a palette"
        lines += [line for name in sheets for line in (f"![{words}]({name})", "")]
    return "\n".join(lines)


def _verdict(columns: dict[str, dict[str, float | None]]) -> str:
    """Say how the networks stand to the answers without a model."""
    regression, classification = columns["regression"], columns["classification"]
    gray, mean, truth = (columns[name] for name in ("gray", "mean color", "truth"))
    if not gray["l2_ab"] or not truth["colorfulness"]:
        return "The test posters are gray."
    vivid = 100 * classification["colorfulness"] / truth["colorfulness"]
    return (
        f"The regression's l2_ab is {_compared(regression['l2_ab'], mean['l2_ab'])} the mean "
        f"color's. The classification's is {_compared(classification['l2_ab'], gray['l2_ab'])} "
        f"gray's; it has {classification['n_classes']} of {truth['n_classes']} color classes and "
        f"{vivid:.0f} % of the truth's colorfulness."
    )


def _compared(value: float, reference: float) -> str:
    percent = 100 * (value / reference - 1)
    return f"{abs(percent):.1f} % {'above' if percent > 0 else 'below'}"
