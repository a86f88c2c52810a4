"""A tracked evaluation of models and baselines on a split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from typing import TYPE_CHECKING

import mlflow
from mlflow.entities import LoggedModelInput

from recolor.datasets.dataset import Dataset
from recolor.datasets.dataset_info import DatasetInfo
from recolor.datasets.input_pipeline import Posters
from recolor.evaluation.answers import Column, MetricKey
from recolor.evaluation.baselines import baseline_predictors, baselines_told_the_source
from recolor.evaluation.metrics.catalog import METRICS
from recolor.evaluation.metrics.observation import Predictor
from recolor.evaluation.pictures import AGED, UNAGED, Pictures
from recolor.evaluation.restoring_baselines import baselines_restoring
from recolor.evaluation.scoring import score, with_kernel_distance
from recolor.evaluation.sheets import comparison_sheet
from recolor.evaluation.tables import TRUTH, report
from recolor.evaluation.told import NOTHING, Predictions, Told, ToldError
from recolor.models.decoding.options import DEFAULT_DECODING, FREE, PALETTE_VIVIDNESS, Decoding
from recolor.platform.registry.model import Model, load_model
from recolor.platform.tracking import store
from recolor.platform.tracking.metric_names import answer_metric
from recolor.platform.tracking.store import log_dataset, log_parameters, tracked_run

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Evaluation:
    """What models and baselines are worth on a split.

    Attributes:
        digest: The data set's.
        split: The split's name.
        measured: The metrics by column: each model's source with what it was told, the baselines
            that know as much, and ``truth``.
        may_know: The models that may have learned from some of these posters.
    """

    digest: str
    split: str
    measured: dict[Column, dict[str, float | None]]
    may_know: list[str]

    @property
    def columns(self) -> dict[str, dict[str, float | None]]:
        """The metrics by the columns' names, as ``unet, told palette``."""
        return {str(column): values for column, values in self.measured.items()}

    def describe(self) -> dict:
        """Return it as JSON holds it."""
        return {
            "digest": self.digest,
            "split": self.split,
            "columns": self.columns,
            "may_know": self.may_know,
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a table: a row for each answer, a column for each metric."""
        import pandas as pd

        frame = pd.DataFrame.from_dict(self.columns, orient="index", dtype=float)
        # What none of them has is left out.
        frame = frame.dropna(axis="columns", how="all")
        return frame.rename_axis(index="answer", columns="metric")

    def to_markdown(self) -> str:
        """Return the table that `recolor evaluate` prints, beside the paper's figures."""
        return report(self.measured, self.may_know)


def evaluate(
    data: Dataset,
    models: Sequence[Model | str | PathLike] = (),
    told: Sequence[str] = (NOTHING,),
    *,
    split: str = "test",
    decoding: Decoding = DEFAULT_DECODING,
    kernel_distance: bool = False,
    progress: Callable[[int], None] = lambda count: None,
) -> Evaluation:
    """Measure models, and answers without a model, on a split, as `recolor evaluate` does.

    It is a run of its own in the MLflow store.

    Args:
        data: The data set.
        models: The models, or what `load_model` takes.
        told: What the models are told of each gray poster: ``nothing``, its own ``palette``, its
            true color at N points (``hintsN``), or both (``palette+hintsN``); or they choose a
            scheme (``auto``), or make N suggestions, of which the best counts (``bestN``). Or they
            recolor the poster in other colors (``palette+source``), or restore it (``aged``,
            ``unaged``).
        split: ``train``, ``validation`` or ``test``.
        decoding: How their answers become colors, where ``told`` does not say otherwise.
        kernel_distance: Also measure how much the recolored posters look like true ones, which
            takes a few minutes.
        progress: Called with 1 after each poster.

    Raises:
        RecolorError: If there is no such model, it can't be told this, or the split is empty.

    Example:
        >>> frame = evaluate(Dataset("data"), ["regression"]).to_frame()
        >>> list(frame.index)
        ['regression', 'gray', 'mean color', 'truth']
        >>> float(frame.loc["truth", "l2_ab"])
        0.0
    """
    # What is wrong is said before models are loaded.
    for text in told:
        Told.parse(text)
    store.connect()
    loaded = [one if isinstance(one, Model) else load_model(one) for one in models]
    return evaluate_models(data.manifest, split, loaded, decoding, told, progress, kernel_distance)


def evaluate_models(
    manifest: DatasetInfo,
    split: str,
    models: Sequence[Model],
    decoding: Decoding = DEFAULT_DECODING,
    told: Sequence[str] = (NOTHING,),
    progress: Callable[[int], None] = lambda count: None,
    kernel_distance: bool = False,
) -> Evaluation:
    """Compute the metrics of models and of the baselines, and log them as a run of their own.

    Args:
        manifest: The data set.
        split: Its split.
        models: The models; may be none.
        decoding: How their answers become colors, where ``told`` does not say otherwise.
        told: What they are told, each as `Told.parse` takes it.
        progress: Called with 1 after each poster.
        kernel_distance: Whether to compute `KernelDistance` too, which takes time.

    Raises:
        ToldError, DecodingError: If a model can't be told this.
        MeasurementError: If a model's colors are not finite.
        DatasetError: If the split is empty.
    """
    predictors, pictures = {}, Pictures()
    for model in models:
        predictors |= predictors_told(model, manifest, told, decoding, pictures)
    parsed = [Told.parse(text) for text in told]
    ages = [one.age for one in parsed if one.age]
    palettes = any(one.palette for one in parsed)
    vividness = PALETTE_VIVIDNESS if decoding.vividness is None else decoding.vividness
    # Begun before the posters are scored, so that a scoring that fails leaves a failed run.
    labels = _labels(models)
    name = ": ".join(filter(None, [f"evaluate {split}", ", ".join(labels.values())]))
    about = "\n".join(f"- `{labels[model.source]}`: {model.about}" for model in models)
    posters = f"{manifest.count(split)} {split} posters of `{manifest.name}`"
    with tracked_run(name, f"Measured on {posters}.\n\n{about}") as run:
        parameters = {"split": split, "models": ",".join(model.source for model in models)}
        parameters |= {"told": ",".join(told), **decoding.describe()}
        log_parameters(run, parameters)
        log_dataset(manifest, split)
        _log_models(run, models, labels, decoding)
        answers = dict(predictors)
        if len(ages) < len(told):
            answers |= _columns(baseline_predictors(manifest, palettes, vividness))
        if any(one.source for one in parsed):
            answers |= _columns(baselines_told_the_source(pictures))
        for age in ages:
            answers |= _columns(baselines_restoring(pictures, age), f"told {age}")
        metrics = with_kernel_distance(manifest, split) if kernel_distance else METRICS
        scored = score(manifest, split, answers, progress, metrics)
        results = [metrics.result() for metrics in scored.values()]
        measured = dict(zip([*answers, TRUTH], results, strict=True))
        # Sources may be paths or URIs.
        labeled = [one._replace(by=labels.get(one.by, one.by)) for one in measured]
        log_columns(dict(zip(labeled, results, strict=True)))
        may_know = [model.source for model in models if model.may_know(manifest, split)]
        evaluation = Evaluation(manifest.digest, split, measured, may_know)
        mlflow.log_text(evaluation.to_markdown(), "metrics.md")
        if predictors:
            sheet = comparison_sheet(Posters(manifest, split), predictors)
            mlflow.log_image(sheet, "predictions.png")
    return evaluation


def _labels(models: Sequence[Model]) -> dict[str, str]:
    """Return what each source is called in metrics: its label, with a number where two share it."""
    labels = {}
    for model in models:
        number, label = 1, model.label
        while label in labels.values():
            number += 1
            label = f"{model.label}_{number}"
        labels.setdefault(model.source, label)
    return labels


def _log_models(
    run: mlflow.ActiveRun, models: Sequence[Model], labels: dict[str, str], decoding: Decoding
) -> None:
    """Log which models these are, whatever alias they were asked for by, and how they decode."""
    registered = [one.version for one in models if one.version]
    if registered:
        # A version's source is models:/ID, of the model that the registering run has logged.
        inputs = [LoggedModelInput(one.source.removeprefix("models:/")) for one in registered]
        mlflow.MlflowClient().log_inputs(run.info.run_id, models=inputs)
    for model in models:
        facts = {"model": model.which}
        if not model.restores:
            facts |= asdict(model.painter.network.own.changed(decoding))
        if model.version:
            facts["version"] = model.version.version
        mlflow.log_params({f"{labels[model.source]}.{name}": fact for name, fact in facts.items()})


def _columns(baselines: dict[str, Predictor], how: str = "") -> dict[Column, Predictor]:
    return {Column(name, how): answer for name, answer in baselines.items()}


def log_columns(columns: Mapping[Column | str, dict[str, float | None]]) -> None:
    """Log a table of metrics to the active run, as a file and by their `answer_metric`.

    The column ``classification, told palette`` has metrics like
    ``classification.told_palette/l2_ab``.
    """
    texts = {str(column): metrics for column, metrics in columns.items()}
    for column, metrics in texts.items():
        known = {name: value for name, value in metrics.items() if value is not None}
        named = {answer_metric(MetricKey(column, name)): one for name, one in known.items()}
        mlflow.log_metrics(named)
    mlflow.log_dict(texts, "metrics.json")


def predictors_told(
    model: Model,
    manifest: DatasetInfo,
    told: Sequence[str] = (NOTHING,),
    decoding: Decoding = DEFAULT_DECODING,
    pictures: Pictures | None = None,
) -> dict[Column, Predictor]:
    """Return what predicts colors with a model, by column: one for each text of ``told``.

    Args:
        model: The model.
        manifest: The data set.
        told: What it is told, each as `Told.parse` takes it.
        decoding: How its answers become colors.
        pictures: As for `Predictions`.

    Returns:
        The predictors. A restoration network answers to colored posters only.

    Raises:
        ToldError, DecodingError: If the model can't be told what it is to be told.
    """
    if model.restores:
        told = [text for text in told if Told.parse(text).age]
        if not told:
            raise ToldError(
                f"{model.source} is a restoration network, which needs colored posters: tell it "
                f"{AGED} or {UNAGED}"
            )
    embedded = model.knows_embeddings_of(manifest)
    predictions = Predictions(model.painter, decoding, embedded, pictures)
    palette = decoding.describe()["palette"]
    free = "" if palette in (None, FREE) else f"palette {palette}"
    return {
        Column(model.source, free if text == NOTHING else f"told {text}"): predictions.told(
            Told.parse(text)
        )
        for text in told
    }
