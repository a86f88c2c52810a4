"""The answers that are measured, and what the metrics of each are called."""

import re
from collections.abc import Mapping
from typing import NamedTuple

# In validation. Beside the free answer there is the one that was told each poster's own palette,
# since that is how a model is used that takes one. Gray and the mean color show what either is
# worth.
FREE, TOLD_PALETTE, GRAY, MEAN_COLOR = "", "told_palette", "gray", "mean_color"
ANSWERS = {
    FREE: "free answer",
    TOLD_PALETTE: "told the palette",
    MEAN_COLOR: "mean color",
    GRAY: "gray",
}
# Those of restoration networks, and of aged posters without one.
AGED, UNAGED, LEFT_ALONE, AUTOCONTRAST = "aged", "unaged", "left_alone", "autocontrast"
RESTORED_ANSWERS = {
    AGED: "restored",
    LEFT_ALONE: "left alone",
    AUTOCONTRAST: "autocontrast",
    UNAGED: "unaged posters restored",
}


class Column(NamedTuple):
    """An answer in a table: who gives it, and how, as ``unet, told palette``."""

    by: str
    how: str = ""

    def __str__(self) -> str:
        return ", ".join(filter(None, self))


class MetricKey(NamedTuple):
    """A metric of an answer. Its text is its name, as ``told_palette.l2_ab``."""

    answer: str
    metric: str

    def __str__(self) -> str:
        # MLflow's names take neither commas nor plus signs.
        answer = re.sub(r"[^\w.-]+", "_", self.answer.replace(", ", "."))
        return f"{answer}.{self.metric}" if answer else self.metric

    @classmethod
    def parse(cls, text: str) -> "MetricKey":
        """Return the key of a name."""
        answer, _, metric = text.rpartition(".")
        return cls(answer, metric)


# What validation has measured.
Measured = Mapping[MetricKey, float]


def by_name(measured: Measured) -> dict[str, float]:
    """Return metrics by their names."""
    return {str(key): value for key, value in measured.items()}


def ranking(measured: Measured, name: str) -> float | None:
    """Return the value that ranks a model; None if it was not measured.

    Args:
        measured: As `recolor.evaluation.validation` returns it.
        name: What ranks it, as ``l2_ab``, which is that of the answer told the palette, or of the
            free one where the model takes none; or as ``aged.l2_ab``.
    """
    return measured.get(_ranking_key(measured, name))


def ranking_in_words(measured: Measured, name: str) -> str:
    """Return the value that ranks a model, and how the model answered where that may differ.

    Args:
        measured, name: As for `ranking`.
    """
    key = _ranking_key(measured, name)
    if key not in measured:
        return f"not validated by {name}"
    how = {TOLD_PALETTE: f", {ANSWERS[TOLD_PALETTE]}", FREE: ", free"}.get(key.answer, "")
    return f"{name} {measured[key]:.4g}{how}"


def _ranking_key(measured: Measured, name: str) -> MetricKey:
    key = MetricKey.parse(name)
    told = MetricKey(TOLD_PALETTE, key.metric)
    return told if key.answer == FREE and told in measured else key
