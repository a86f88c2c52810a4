"""From trained weights to a registered model, with its pictures and metrics.

This is TensorFlow's part of a training, whatever the framework that trained.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import mlflow

from recolor.datasets.embeddings import load_embedding
from recolor.datasets.manifest import Manifest
from recolor.evaluation.figures import learning_curve
from recolor.models.catalog import MODELS
from recolor.platform.checkpoint import Checkpoint, Progress
from recolor.platform.fitting import Settings, TrainingError
from recolor.platform.prediction import Recolorer
from recolor.platform.registry import METRIC_TAG, register
from recolor.platform.scoring import comparison_sheet, model_predictor, score
from recolor.platform.tracking import log_dataset, log_parameters, tracked_run
from recolor.platform.untracked import load_checkpoint

VERSION_TAG = "model.version"


@dataclass(frozen=True)
class TrainedModel:
    """What came out of a run: its id, the model's version, and its metrics in validation."""

    run_id: str
    version: str
    metrics: dict[str, float | None]


def best_recolorer(
    manifest: Manifest,
    settings: Settings,
    checkpoint: Checkpoint,
    embedding: keras.Model | None,
) -> Recolorer:
    """Build what is published of a training: its best weights, in single precision.

    Args:
        manifest: The data set.
        settings: What the network was trained with.
        checkpoint: The last state of the training.
        embedding: The data set's, from `embeddings.load_embedding`.

    Raises:
        TrainingError: If the weights are another network's.
    """
    kind = MODELS[settings.model](manifest.classes)
    network = kind.network(manifest.size)
    try:
        network.set_weights(checkpoint.best)
    except ValueError:
        raise TrainingError("the weights are not those of this network") from None
    return Recolorer(kind, network, embedding, manifest.size)


def publish(
    manifest: Manifest, settings: Settings, progress: Progress, recolorer: Recolorer
) -> TrainedModel:
    """Log the pictures and metrics of a trained network to the active run; register it.

    Args:
        manifest: The data set.
        settings: What the network was trained with.
        progress: How the training went.
        recolorer: What it led to.
    """
    curves = {
        label: [(epoch, values[name]) for epoch, values in enumerate(progress.history, 1)]
        for name, label in (("loss", "training"), ("val_loss", "validation"))
        if progress.history and name in progress.history[0]
    }
    mlflow.log_figure(
        learning_curve(curves, f"{settings.model}, {manifest.count('train')} posters"),
        "learning_curve.png",
    )
    predictors = {"predicted": model_predictor(recolorer.predict_ab, settings.temperature)}
    split = "validation" if manifest.count("validation") else "train"
    mlflow.log_image(comparison_sheet(manifest, split, predictors), "predictions.png")
    metrics = {}
    if split == "validation":
        metrics = score(manifest, split, predictors)["predicted"]
    measured = {METRIC_TAG + name: value for name, value in metrics.items() if value is not None}
    mlflow.log_metrics({**measured, "best_epoch": progress.best_epoch})
    metadata = {
        "model": settings.model,
        "size": manifest.size,
        "embedding": manifest.embedding_id,
        "temperature": settings.temperature,
        "dataset_digest": manifest.digest,
    }
    version = register(
        recolorer,
        settings.temperature,
        metadata,
        {"model": settings.model, "dataset.digest": manifest.digest, **measured},
    )
    mlflow.set_tag(VERSION_TAG, version.version)
    return TrainedModel(mlflow.active_run().info.run_id, str(version.version), metrics)


def import_weights(manifest: Manifest, file: Path) -> TrainedModel:
    """Make a tracked run and a registered model of a file of `recolor train --untracked`.

    Args:
        manifest: The data set that the network was trained on.
        file: The file.

    Raises:
        TrainingError: If the file is damaged, or was trained on other data.
        EmbeddingError: If the embedding network can't be had.
    """
    checkpoint = load_checkpoint(file, manifest)
    settings = Settings(**checkpoint.origin["settings"])
    # Before there is a run, in which a mistake would stay.
    recolorer = best_recolorer(manifest, settings, checkpoint, load_embedding(manifest))
    with tracked_run(f"import {settings.model}") as run:
        log_parameters(run, {**asdict(settings), "size": manifest.size})
        log_dataset(manifest, "training")
        mlflow.set_tags(
            {f"trained.{name}": value for name, value in checkpoint.origin["tags"].items()}
        )
        mlflow.set_tag("embedding", manifest.embedding)
        for epoch, values in enumerate(checkpoint.progress.history, 1):
            mlflow.log_metrics({**values, "epochs": epoch}, step=epoch)
        return publish(manifest, settings, checkpoint.progress, recolorer)
