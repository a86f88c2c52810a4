"""What a model is worth on the validation posters, measured once at the end of its training."""

from collections.abc import Callable

from recolor.datasets.manifest import Manifest
from recolor.evaluation.answers import FREE, TOLD_PALETTE
from recolor.evaluation.metrics.catalog import METRICS
from recolor.evaluation.scoring import baseline_predictors, score
from recolor.evaluation.told import PALETTE, Predictions, Told
from recolor.models.decoding.options import Decoding
from recolor.models.painter import Painter


def validate(
    manifest: Manifest,
    painter: Painter,
    progress: Callable[[int], None] = lambda count: None,
    embedded: bool = True,
) -> dict[str, float]:
    """Measure a model on the validation posters.

    Args:
        manifest: The data set.
        painter: The model.
        progress: Called with 1 after each poster.
        embedded: As for `Predictions`.

    Returns:
        Every metric that is defined, of the free answer as ``l2_ab``, of the others as
        ``told_palette.l2_ab`` (if the model takes a palette), ``gray.l2_ab`` and
        ``mean_color.l2_ab``. Nothing if there are no validation posters.

    Raises:
        MeasurementError: If the model's colors are not finite.
    """
    if not manifest.count("validation"):
        return {}
    predictions = Predictions(painter, Decoding(), embedded)
    predictors = {FREE: predictions.told(Told())}
    if painter.takes_palette:
        predictors[TOLD_PALETTE] = predictions.told(Told.parse(PALETTE))
    baselines = baseline_predictors(manifest)
    predictors |= {f"{name.replace(' ', '_')}.": answer for name, answer in baselines.items()}
    measured = score(manifest, "validation", predictors, progress)
    return {
        answer + name: value
        for answer in predictors
        for name, value in measured[answer].result().items()
        if value is not None
    }


def validate_by(
    metric: str,
    manifest: Manifest,
    painter: Painter,
    progress: Callable[[int], None] = lambda count: None,
    embedded: bool = True,
) -> dict[str, float]:
    """Measure by one metric only, told the palette or, where the model takes none, free.

    It is what `validate` measures, but takes a fraction of its time.

    Args:
        metric: The metric's name.
        manifest, painter, progress, embedded: As for `validate`.

    Returns:
        The value by its name in `validate`. Nothing if it is undefined, or there are no validation
        posters.

    Raises:
        MeasurementError: If the model's colors are not finite.
    """
    if not manifest.count("validation"):
        return {}
    answer, told = (TOLD_PALETTE, Told.parse(PALETTE)) if painter.takes_palette else (FREE, Told())
    predictors = {answer: Predictions(painter, Decoding(), embedded).told(told)}
    only = {metric: METRICS[metric]}
    value = score(manifest, "validation", predictors, progress, only)[answer].result()[metric]
    return {} if value is None else {answer + metric: value}
