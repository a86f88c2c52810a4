"""A tracked evaluation of models and baselines on a split."""

from collections.abc import Callable

import mlflow
from mlflow.pyfunc import PyFuncModel

from recolor.datasets.manifest import Manifest
from recolor.evaluation.tables import report
from recolor.platform.registry import RegistryError, load_model
from recolor.platform.scoring import (
    baseline_predictors,
    comparison_sheet,
    model_predictor,
    score,
)
from recolor.platform.tracking import log_dataset, log_parameters, tracked_run


def evaluate_models(
    manifest: Manifest,
    split: str,
    models: list[str],
    temperature: float | None = None,
    progress: Callable[[int], None] = lambda posters: None,
) -> dict[str, dict[str, float | None]]:
    """Compute the metrics of models and of the baselines, and log them as a run of their own.

    Args:
        manifest: The data set.
        split: Its split.
        models: URIs of models, for example ``models:/poster-recolor/3``; may be empty.
        temperature: T of the annealed mean; by default each model's own.
        progress: Called with the number of posters after each batch.

    Returns:
        The metrics by column: each model's URI, then the baselines, then ``truth``.

    Raises:
        RegistryError: If a model can't be loaded, or does not fit the data set.
        DatasetError: If the split is empty.
    """
    predictors = {uri: _predictor(load_model(uri), uri, manifest, temperature) for uri in models}
    columns = score(manifest, split, {**predictors, **baseline_predictors(manifest)}, progress)
    with tracked_run(f"evaluate {split}") as run:
        parameters = {"split": split, "models": ",".join(models), "temperature": temperature}
        log_parameters(run, parameters)
        log_dataset(manifest, split)
        for number, (name, metrics) in enumerate(columns.items()):
            prefix = f"model_{number + 1}" if name in predictors else name.replace(" ", "_")
            known = {key: value for key, value in metrics.items() if value is not None}
            mlflow.log_metrics({f"{prefix}.{key}": value for key, value in known.items()})
        mlflow.log_text(report(columns), "metrics.md")
        mlflow.log_dict(columns, "metrics.json")
        if predictors:
            mlflow.log_image(comparison_sheet(manifest, split, predictors), "predictions.png")
    return columns


def _predictor(model: PyFuncModel, uri: str, manifest: Manifest, temperature: float | None):
    trained_on = model.metadata.metadata
    for name, value in (("size", manifest.size), ("embedding", manifest.embedding_id)):
        if trained_on[name] != value:
            raise RegistryError(
                f"model {uri} was trained with {name} {trained_on[name]}, but "
                f"{manifest.folder} was prepared with {value}: prepare the posters anew"
            )
    signature = model.unwrap_python_model().saved_model.signatures["predict_ab"]
    return model_predictor(signature, temperature or trained_on["temperature"])
