"""What a model is worth on the validation posters, measured once at the end of its training."""

from collections.abc import Callable, Mapping

from recolor.datasets.dataset_info import DatasetInfo
from recolor.evaluation.answers import (
    AGED,
    AUTOCONTRAST,
    FREE,
    GRAY,
    LEFT_ALONE,
    MEAN_COLOR,
    TOLD_PALETTE,
    UNAGED,
    MetricKey,
)
from recolor.evaluation.baselines import baseline_predictors
from recolor.evaluation.metrics.catalog import METRICS
from recolor.evaluation.metrics.metric import Metric
from recolor.evaluation.metrics.observation import Predictor
from recolor.evaluation.pictures import Pictures
from recolor.evaluation.restoring_baselines import baselines_restoring
from recolor.evaluation.scoring import score
from recolor.evaluation.told import PALETTE, FiniteRestorer, Predictions, Told
from recolor.models.decoding.options import Decoding
from recolor.models.painter import Painter
from recolor.models.restoring import Restorer

# What a restoration network is measured by.
RESTORING = ("l2_ab", "delta_e_2000", "lightness_error", "harmed", "colorfulness")


def validate(
    manifest: DatasetInfo,
    painter: Painter,
    progress: Callable[[int], None] = lambda count: None,
    embedded: bool = True,
) -> dict[MetricKey, float]:
    """Measure a model on the validation posters.

    Args:
        manifest: The data set.
        painter: The model.
        progress: Called with 1 after each poster.
        embedded: As for `Predictions`.

    Returns:
        Every metric that is defined, of the answers `FREE`, `TOLD_PALETTE` (if the model takes a
        palette), `GRAY` and `MEAN_COLOR`. Nothing if there are no validation posters.

    Raises:
        MeasurementError: If the model's colors are not finite.
    """
    if not manifest.count("validation"):
        return {}
    predictions = Predictions(painter, Decoding(), embedded)
    predictors = {FREE: predictions.told(Told())}
    if painter.network.takes_palette:
        predictors[TOLD_PALETTE] = predictions.told(Told.parse(PALETTE))
    names = {"gray": GRAY, "mean color": MEAN_COLOR}
    predictors |= {names[name]: one for name, one in baseline_predictors(manifest).items()}
    return _measured(manifest, predictors, progress, METRICS)


def validate_by(
    metric: str,
    manifest: DatasetInfo,
    painter: Painter,
    progress: Callable[[int], None] = lambda count: None,
    embedded: bool = True,
) -> dict[MetricKey, float]:
    """Measure by one metric only, told the palette or, where the model takes none, free.

    It is what `validate` measures, but takes a fraction of its time.

    Args:
        metric: The metric's name.
        manifest, painter, progress, embedded: As for `validate`.

    Returns:
        The value, as `validate` has it. Nothing if it is undefined, or there are no validation
        posters.

    Raises:
        MeasurementError: If the model's colors are not finite.
    """
    if not manifest.count("validation"):
        return {}
    answer, told = FREE, Told()
    if painter.network.takes_palette:
        answer, told = TOLD_PALETTE, Told.parse(PALETTE)
    predictors = {answer: Predictions(painter, Decoding(), embedded).told(told)}
    return _measured(manifest, predictors, progress, {metric: METRICS[metric]})


def validate_restoration(
    manifest: DatasetInfo,
    restorer: Restorer,
    progress: Callable[[int], None] = lambda count: None,
) -> dict[MetricKey, float]:
    """Measure a restoration network on the validation posters, aged and as they are.

    Args:
        manifest: The data set.
        restorer: The network.
        progress: Called with 1 after each poster.

    Returns:
        `RESTORING` metrics of restored posters, `AGED` and `UNAGED`; and of aged ones that are
        `LEFT_ALONE`, or under Pillow's `AUTOCONTRAST`. Nothing if there are no validation posters.

    Raises:
        MeasurementError: If the network's numbers are not finite.
    """
    if not manifest.count("validation"):
        return {}
    restore, pictures = FiniteRestorer(restorer).restored, Pictures()
    baselines = baselines_restoring(pictures, AGED)
    predictors = {
        AGED: pictures.restored(restore, AGED),
        UNAGED: pictures.restored(restore, UNAGED),
        LEFT_ALONE: baselines["left alone"],
        AUTOCONTRAST: baselines["autocontrast"],
    }
    metrics = {name: METRICS[name] for name in RESTORING}
    return _measured(manifest, predictors, progress, metrics)


def _measured(
    manifest: DatasetInfo,
    predictors: dict[str, Predictor],
    progress: Callable[[int], None],
    metrics: Mapping[str, Callable[[], Metric]],
) -> dict[MetricKey, float]:
    """Return what is defined of some answers' metrics."""
    measured = score(manifest, "validation", predictors, progress, metrics)
    return {
        MetricKey(answer, name): value
        for answer in predictors
        for name, value in measured[answer].result().items()
        if value is not None
    }
