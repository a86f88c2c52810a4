"""From trained weights to a registered model, with its pictures and metrics.

This is TensorFlow's part of a training, whatever the framework that trained.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import keras
import mlflow
import numpy as np

from recolor.datasets.embeddings.catalog import embedding_of
from recolor.datasets.manifest import Manifest
from recolor.datasets.posters import Box
from recolor.evaluation.figures import learning_curve
from recolor.evaluation.scoring import comparison_sheet, posters, score
from recolor.evaluation.told import Predictions, Told
from recolor.models.decoding.options import Decoding
from recolor.models.decoding.vividness import calibrate, no_calibration
from recolor.models.recolorer import Recolorer
from recolor.models.weights import ABOUT, Weights
from recolor.platform.registry.registration import METRIC_TAG, register
from recolor.platform.registry.weight_sources import WEIGHTS_FILE
from recolor.platform.tracking.provenance import origin as published_from
from recolor.platform.tracking.store import log_dataset, log_parameters, tracked_run
from recolor.platform.training.checkpoint import Checkpoint
from recolor.platform.training.loop import Settings
from recolor.platform.training.untracked import load_checkpoint

VERSION_TAG = "model.version"


@dataclass(frozen=True)
class TrainedModel:
    """What came out of a run: its id, the model's version, and its metrics in validation."""

    run_id: str
    version: str
    metrics: dict[str, float | None]


def best_weights(
    manifest: Manifest, settings: Settings, checkpoint: Checkpoint, origin: dict
) -> Weights:
    """Take what is published of a training: the weights of its best epoch, and where they are from.

    Args:
        manifest: The data set.
        settings: What the network was trained with.
        checkpoint: The last state of the training.
        origin: The training's ``tags``, of versions and commit, and ``initial``, the origin of the
            weights that the training began with, or None.

    Raises:
        WeightsError: If the weights are another network's.
    """
    progress = checkpoint.progress
    weights = Weights(
        model=settings.model,
        size=manifest.size,
        embedding=manifest.embedding_id,
        temperature=settings.temperature,
        vividness=settings.vividness,
        cell_counts=manifest.cell_counts("train"),
        calibration=no_calibration(),
        arrays=checkpoint.best,
        origin={
            "settings": asdict(settings),
            "size": manifest.size,
            "dataset_digest": manifest.digest,
            "training_posters": manifest.count("train"),
            "epochs": progress.epoch,
            "best_epoch": progress.best_epoch,
            "best_loss": progress.best_loss,
            "history": progress.history,
            "published": published_from(),
            **origin,
        },
    )
    return calibrated(manifest, weights)


def calibrated(manifest: Manifest, weights: Weights) -> Weights:
    """Fit the calibration of a network's colors to the posters held out, as `vividness` tells."""
    recolorer = Recolorer(
        *weights.network(), None, weights.size, no_calibration(), weights.coarse_size
    )
    painter = recolorer.painter(weights.temperature, vividness=0)
    predict = Predictions(painter, Decoding()).told(Told())

    def pictures() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        for poster in posters(manifest, _held_out_split(manifest)):
            inside = Box(*poster["box"]).slices
            yield poster["lightness"][inside], predict(poster).ab[inside], poster["ab"][inside]

    return replace(weights, calibration=calibrate(pictures()))


def publish(manifest: Manifest, weights: Weights, embedding: keras.Model | None) -> TrainedModel:
    """Log weights, pictures and metrics of a trained network to the active run; register it.

    Args:
        manifest: The data set.
        weights: What the training led to.
        embedding: The network of the data set's embedding, or None.

    Raises:
        WeightsError: If the weights are another network's.
    """
    recolorer = Recolorer(
        *weights.network(), embedding, weights.size, weights.calibration, weights.coarse_size
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / WEIGHTS_FILE
        weights.save(file)
        mlflow.log_artifact(str(file))
    title = f"{weights.model}, {manifest.count('train')} posters of {manifest.size} pixels"
    mlflow.log_figure(learning_curve(weights.origin["history"], title), "learning_curve.png")
    painter = recolorer.painter(weights.temperature, weights.vividness)
    predictors = {"predicted": Predictions(painter, Decoding()).told(Told())}
    split = _held_out_split(manifest)
    mlflow.log_image(comparison_sheet(manifest, split, predictors), "predictions.png")
    metrics = {}
    if split == "validation":
        metrics = score(manifest, split, predictors)["predicted"].result()
    measured = {METRIC_TAG + name: value for name, value in metrics.items() if value is not None}
    mlflow.log_metrics({**measured, "best_epoch": weights.origin["best_epoch"]})
    about = recolorer.about(weights.temperature, weights.vividness)
    metadata = {
        **{name: getattr(weights, name) for name in ABOUT if name != "origin"},
        "takes_palette": about["takes_palette"],
        "dataset_digest": manifest.digest,
    }
    version = register(
        recolorer,
        about,
        metadata,
        {"model": weights.model, "dataset.digest": manifest.digest, **measured},
    )
    mlflow.set_tag(VERSION_TAG, version.version)
    return TrainedModel(mlflow.active_run().info.run_id, str(version.version), metrics)


def import_weights(manifest: Manifest, file: Path, **decoding: float) -> TrainedModel:
    """Make a tracked run and a registered model of a file of `recolor train --untracked`.

    Args:
        manifest: The data set that the network was trained on.
        file: The file.
        decoding: ``temperature`` and ``vividness``, where they are to be others than in the
            training's settings; it does not depend on them.

    Raises:
        TrainingError: If the file is damaged, or was trained on other data.
        WeightsError: If its weights are another network's.
        EmbeddingError: If the embedding network can't be had.
    """
    checkpoint = load_checkpoint(file, manifest)
    settings = replace(Settings.of_saved(checkpoint.origin["settings"]), **decoding)
    tags, initial = checkpoint.origin["tags"], checkpoint.origin.get("initial")
    # Before there is a run, in which a mistake would stay.
    weights = best_weights(manifest, settings, checkpoint, {"tags": tags, "initial": initial})
    embedding = embedding_of(manifest).network(manifest.size)
    with tracked_run(f"import {settings.model}") as run:
        log_parameters(run, {**asdict(settings), "size": manifest.size})
        log_dataset(manifest, "training")
        mlflow.set_tags({f"trained.{name}": value for name, value in tags.items()})
        mlflow.set_tag("embedding", manifest.embedding)
        for epoch, values in enumerate(checkpoint.progress.history, 1):
            mlflow.log_metrics({**values, "epochs": epoch}, step=epoch)
        return publish(manifest, weights, embedding)


def _held_out_split(manifest: Manifest) -> str:
    return "validation" if manifest.count("validation") else "train"
