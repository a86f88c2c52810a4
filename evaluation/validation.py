"""What a model is worth on the validation posters, measured once at the end of its training."""

from collections.abc import Callable

from recolor.datasets.dataset_info import DatasetInfo
from recolor.evaluation.answers import FREE, TOLD_PALETTE
from recolor.evaluation.baselines import baseline_predictors
from recolor.evaluation.metrics.catalog import METRICS
from recolor.evaluation.pictures import AGED, UNAGED, Pictures
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
    if painter.network.takes_palette:
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
    manifest: DatasetInfo,
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
    answer, told = FREE, Told()
    if painter.network.takes_palette:
        answer, told = TOLD_PALETTE, Told.parse(PALETTE)
    predictors = {answer: Predictions(painter, Decoding(), embedded).told(told)}
    only = {metric: METRICS[metric]}
    value = score(manifest, "validation", predictors, progress, only)[answer].result()[metric]
    return {} if value is None else {answer + metric: value}


def validate_restoration(
    manifest: DatasetInfo,
    restorer: Restorer,
    progress: Callable[[int], None] = lambda count: None,
) -> dict[str, float]:
    """Measure a restoration network on the validation posters, aged and as they are.

    Args:
        manifest: The data set.
        restorer: The network.
        progress: Called with 1 after each poster.

    Returns:
        `RESTORING` metrics of restored posters as ``aged.delta_e_2000`` and, of those that had not
        aged, as ``unaged.delta_e_2000``; of aged ones left alone as ``left_alone.delta_e_2000``,
        and under Pillow's autocontrast as ``autocontrast.delta_e_2000``. Nothing if there are no
        validation posters.

    Raises:
        MeasurementError: If the network's numbers are not finite.
    """
    if not manifest.count("validation"):
        return {}
    restore, pictures = FiniteRestorer(restorer).restored, Pictures()
    baselines = baselines_restoring(pictures, AGED)
    predictors = {
        "aged.": pictures.restored(restore, AGED),
        "unaged.": pictures.restored(restore, UNAGED),
        "left_alone.": baselines["left alone"],
        "autocontrast.": baselines["autocontrast"],
    }
    metrics = {name: METRICS[name] for name in RESTORING}
    measured = score(manifest, "validation", predictors, progress, metrics)
    return {
        answer + name: value
        for answer in predictors
        for name, value in measured[answer].result().items()
        if value is not None
    }
