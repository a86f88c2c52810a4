"""The answers that are measured in validation, by name.

Beside the free answer there is the one that was told each poster's own palette, since that is how
a model is used that takes one. Gray and the mean color show what either is worth.
"""

# How the names of their metrics begin, and what they are called in words.
FREE, TOLD_PALETTE, GRAY, MEAN_COLOR = "", "told_palette.", "gray.", "mean_color."
ANSWERS = {
    FREE: "free answer",
    TOLD_PALETTE: "told the palette",
    MEAN_COLOR: "mean color",
    GRAY: "gray",
}


def told_or_free(metrics: dict[str, float], metric: str) -> float | None:
    """Return the value that ranks a model: told the palette, or free where it takes none.

    Args:
        metrics: As `recolor.evaluation.validation.validate` returns them.
        metric: The metric's name.
    """
    return metrics.get(TOLD_PALETTE + metric, metrics.get(FREE + metric))


def told_or_free_in_words(metrics: dict[str, float], metric: str) -> str:
    """Return the value that ranks a model, and how the model answered.

    Args:
        metrics: As `recolor.evaluation.validation.validate` returns them.
        metric: The metric's name.
    """
    value = told_or_free(metrics, metric)
    if value is None:
        return f"not validated by {metric}"
    told = ANSWERS[TOLD_PALETTE] if TOLD_PALETTE + metric in metrics else "free"
    return f"{metric} {value:.4g}, {told}"
