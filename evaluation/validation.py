"""What a model is worth on the validation posters, measured once at the end of its training.

Beside the free answer there is the one that was told each poster's own palette, since that is how
a model is used that takes one. Gray and the mean color show what either is worth.
"""

from recolor.datasets.manifest import Manifest
from recolor.evaluation.scoring import baseline_predictors, score
from recolor.evaluation.told import PALETTE, Predictions, Told
from recolor.models.decoding.options import Decoding
from recolor.models.painter import Painter

# The answers: how the names of their metrics begin, and what they are called in words.
FREE, TOLD_PALETTE, GRAY, MEAN_COLOR = "", "told_palette.", "gray.", "mean_color."
ANSWERS = {
    FREE: "free answer",
    TOLD_PALETTE: "told the palette",
    MEAN_COLOR: "mean color",
    GRAY: "gray",
}


def validate(manifest: Manifest, painter: Painter) -> dict[str, float]:
    """Measure a model on the validation posters.

    Args:
        manifest: The data set.
        painter: The model.

    Returns:
        Every metric that is defined, of the free answer as ``l2_ab``, of the others as
        ``told_palette.l2_ab`` (if the model takes a palette), ``gray.l2_ab`` and
        ``mean_color.l2_ab``. Nothing if there are no validation posters.

    Raises:
        MeasurementError: If the model's colors are not finite.
    """
    if not manifest.count("validation"):
        return {}
    predictions = Predictions(painter, Decoding())
    predictors = {FREE: predictions.told(Told())}
    if painter.takes_palette:
        predictors[TOLD_PALETTE] = predictions.told(Told.parse(PALETTE))
    baselines = baseline_predictors(manifest)
    predictors |= {f"{name.replace(' ', '_')}.": answer for name, answer in baselines.items()}
    measured = score(manifest, "validation", predictors)
    return {
        answer + name: value
        for answer in predictors
        for name, value in measured[answer].result().items()
        if value is not None
    }


def told_or_free(metrics: dict[str, float], metric: str) -> float | None:
    """Return the value that ranks a model: told the palette, or free where it takes none.

    Args:
        metrics: As `validate` returns them.
        metric: The metric's name.
    """
    return metrics.get(TOLD_PALETTE + metric, metrics.get(FREE + metric))
