"""A tracked evaluation of models and baselines on a split."""

from collections.abc import Callable

import mlflow

from recolor.datasets.manifest import Manifest
from recolor.evaluation.tables import report
from recolor.platform.registry import RegistryError
from recolor.platform.scoring import (
    Predictor,
    baseline_predictors,
    comparison_sheet,
    model_predictor,
    score,
)
from recolor.platform.tracking import log_dataset, log_parameters, tracked_run
from recolor.platform.usable_model import UsableModel, load


def evaluate_models(
    manifest: Manifest,
    split: str,
    models: list[str],
    temperature: float | None = None,
    vividness: float | None = None,
    progress: Callable[[int], None] = lambda posters: None,
) -> dict[str, dict[str, float | None]]:
    """Compute the metrics of models and of the baselines, and log them as a run of their own.

    Args:
        manifest: The data set.
        split: Its split.
        models: Sources of models, as `usable_model.load` takes them; may be empty.
        temperature: T of the annealed mean; by default each model's own.
        vividness: See `recolor.platform.vividness`; by default each model's own.
        progress: Called with the number of posters after each batch.

    Returns:
        The metrics by column: each model's source, then the baselines, then ``truth``.

    Raises:
        RegistryError: If a model can't be loaded, or was trained with another embedding.
        WeightsError, EmbeddingError: See `usable_model.load`.
        DatasetError: If the split is empty.
    """
    predictors = {
        source: predictor(load(source), manifest, temperature, vividness) for source in models
    }
    measured = score(manifest, split, {**predictors, **baseline_predictors(manifest)}, progress)
    columns = {name: metrics.result() for name, metrics in measured.items()}
    with tracked_run(f"evaluate {split}") as run:
        parameters = {"split": split, "models": ",".join(models)}
        parameters |= {"temperature": temperature, "vividness": vividness}
        log_parameters(run, parameters)
        log_dataset(manifest, split)
        names = {source: f"model_{number}" for number, source in enumerate(predictors, 1)}
        log_columns({names.get(name, name): metrics for name, metrics in columns.items()})
        mlflow.log_text(report(columns), "metrics.md")
        if predictors:
            mlflow.log_image(comparison_sheet(manifest, split, predictors), "predictions.png")
    return columns


def log_columns(columns: dict[str, dict[str, float | None]]) -> None:
    """Log a table of metrics to the active run, as metrics ``COLUMN.METRIC`` and as a file."""
    for name, metrics in columns.items():
        prefix = name.replace(" ", "_")
        known = {key: value for key, value in metrics.items() if value is not None}
        mlflow.log_metrics({f"{prefix}.{key}": value for key, value in known.items()})
    mlflow.log_dict(columns, "metrics.json")


def predictor(
    model: UsableModel,
    manifest: Manifest,
    temperature: float | None = None,
    vividness: float | None = None,
) -> Predictor:
    """Make a model answer for a data set's posters.

    Raises:
        RegistryError: If the data set was prepared with another embedding.
    """
    if model.embedding != manifest.embedding_id:
        raise RegistryError(
            f"model {model.source} was trained with embedding {model.embedding}, but "
            f"{manifest.folder} was prepared with {manifest.embedding_id}: prepare the posters anew"
        )
    return model_predictor(
        model.predict_ab,
        model.temperature if temperature is None else temperature,
        model.vividness if vividness is None else vividness,
    )
