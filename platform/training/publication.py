"""From trained weights to a registered model, with its pictures and metrics.

This is TensorFlow's part of a training, whatever the framework that trained.
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import keras
import mlflow
import numpy as np

from recolor.datasets.combination import load_data
from recolor.datasets.dataset_info import DatasetInfo
from recolor.datasets.embeddings.embedding import NONE
from recolor.datasets.input_pipeline import Posters, posters_in
from recolor.datasets.posters import Box
from recolor.evaluation.answers import Measured, by_name
from recolor.evaluation.figures import learning_curve
from recolor.evaluation.pictures import AGED, Pictures
from recolor.evaluation.scoring import posters
from recolor.evaluation.sheets import comparison_sheet
from recolor.evaluation.told import FiniteRestorer, Predictions, Told
from recolor.evaluation.validation import validate, validate_restoration
from recolor.models.catalog import MODELS, RESTORE
from recolor.models.decoding.options import DEFAULT_DECODING, Decoding
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.models.decoding.vividness import calibrate, no_calibration
from recolor.models.option import of_saved
from recolor.models.restoring import Restorer
from recolor.models.weights import Weights
from recolor.platform.registry.model import Model, load_model
from recolor.platform.registry.model_card import (
    CARD,
    LEARNING_CURVE,
    PREDICTIONS,
    description,
    model_card,
)
from recolor.platform.registry.registration import register, register_restorer
from recolor.platform.registry.restorer_card import restorer_card, restorer_description
from recolor.platform.registry.tasks import RECOLORING, RESTORING, TASKS, Task, task_of_model
from recolor.platform.registry.versions import (
    DATA_TAG,
    KIND_TAG,
    METRIC_TAG,
    POSTERS_TAG,
    validated_metrics,
    version_uri,
)
from recolor.platform.serving.saved_model import RecoloringGraph
from recolor.platform.tracking.checkpoint import Checkpoint
from recolor.platform.tracking.checkpoints import newest_checkpoint
from recolor.platform.tracking.metric_names import BEST_EPOCH, named_epoch, named_validation
from recolor.platform.tracking.provenance import origin as published_from
from recolor.platform.tracking.store import (
    describe,
    log_dataset,
    log_parameters,
    tracked_run,
)
from recolor.platform.training.lineage import embedding_network_of, training_in_words
from recolor.platform.training.settings import Settings, check_decoding
from recolor.platform.training.untracked import load_checkpoint, saved_decoding

# Tags of a run: the version that it has registered, and of which registered model.
VERSION_TAG, MODEL_TAG = "model.version", "model.name"


@dataclass(frozen=True)
class TrainedModel:
    """What came out of a run.

    Attributes:
        run_id: The run.
        version: The version that it has registered.
        measured: As `validate` or `validate_restoration` has returned it.
        task: What the network is for.
        model: The model itself, as `load_model` returns it.
    """

    run_id: str
    version: str
    measured: Measured
    task: Task = RECOLORING

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics in validation by their names, as ``told_palette.l2_ab``."""
        return by_name(self.measured)

    @cached_property
    def model(self) -> Model:
        return load_model(version_uri(self.version, self.task))


def best_weights(manifest: DatasetInfo, checkpoint: Checkpoint, decoding: OwnDecoding) -> Weights:
    """Take what is published of a training: the weights of its best epoch, and where they are from.

    The calibration of a color network changes nothing yet, see `calibrate_colors`; a restoration
    network has none.

    Args:
        manifest: The data set.
        checkpoint: The last state of the training, which knows its `lineage`.
        decoding: The model's own.

    Raises:
        WeightsError: If the weights are another network's.
    """
    progress, model = checkpoint.progress, checkpoint.origin["settings"]["model"]
    return Weights(
        model=model,
        size=manifest.size,
        # What a network does not look at need not be had where it is used.
        embedding=manifest.embedding_id if MODELS[model].takes_embedding else NONE.name,
        embedding_size=manifest.embedding_size,
        decoding=decoding,
        cell_counts=manifest.cell_counts("train"),
        calibration=None if MODELS[model].task == RESTORE else no_calibration(),
        tensors=checkpoint.best,
        origin={
            **{name: checkpoint.origin[name] for name in ("settings", "tags", "initial")},
            "size": manifest.size,
            "dataset_digest": manifest.digest,
            "held_out": manifest.held_out,
            "training_posters": _training_posters(manifest, checkpoint),
            "epochs": progress.epoch,
            "best_epoch": progress.best_epoch,
            "best_loss": progress.best_loss,
            "history": progress.history,
            "published": published_from(),
        },
    )


def calibrate_colors(manifest: DatasetInfo, recolorer: RecoloringGraph) -> np.ndarray:
    """Fit the calibration of a model's colors to the posters held out, as `vividness` tells.

    Returns:
        The calibration, which the model has from now on.
    """
    predict = Predictions(recolorer.painter(), Decoding(vividness=0)).told(Told())

    def pictures() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        for poster in posters(manifest, _held_out_split(manifest)):
            inside = Box.of(poster).slices
            yield poster["lightness"][inside], predict(poster).ab[inside], poster["ab"][inside]

    calibration = calibrate(pictures())
    recolorer.calibration.assign(calibration)
    return calibration


def publish(
    manifest: DatasetInfo,
    checkpoint: Checkpoint,
    decoding: OwnDecoding,
    embedding: keras.Model | None,
) -> TrainedModel:
    """Register what was trained, by whatever backend; log its pictures and metrics.

    They are logged to the active run.

    Args:
        manifest: The data set.
        checkpoint: The last state of the training, which knows its `lineage`.
        decoding: The model's own.
        embedding: The network of the data set's embedding, or None.

    Raises:
        WeightsError: If the weights are another network's.
    """
    with tempfile.TemporaryDirectory() as folder:
        pages = Path(folder) / "model_card"
        pages.mkdir()
        recolorer, weights, metrics = measure(manifest, checkpoint, decoding, embedding, pages)
        task = TASKS[MODELS[weights.model].task]
        card = restorer_card if task is RESTORING else model_card
        (pages / CARD).write_text(card(manifest, weights, metrics), encoding="utf-8")
        mlflow.log_artifact(str(pages / CARD))
        learned_from = weights.origin["training_posters"]
        metadata = {
            **weights.describe(),
            "dataset_digest": manifest.digest,
            "held_out": weights.held_out,
            "training_posters": learned_from,
        }
        tags = {
            KIND_TAG: weights.model,
            DATA_TAG: manifest.digest,
            POSTERS_TAG: learned_from,
            **{f"{METRIC_TAG}{key}": value for key, value in metrics.items()},
        }
        if recolorer is None:
            about = restorer_description(manifest, weights, metrics)
            version = register_restorer(weights, pages, about, metadata, tags)
        else:
            metadata["takes_palette"] = recolorer.kind.takes_palette
            about = description(manifest, weights, metrics)
            version = register(recolorer, weights, pages, about, metadata, tags)
    mlflow.set_tags({VERSION_TAG: version.version, MODEL_TAG: task.model})
    describe(mlflow.active_run(), f"Version {version.version} of `{task.model}`. {about}")
    return TrainedModel(mlflow.active_run().info.run_id, str(version.version), metrics, task)


def measure(
    manifest: DatasetInfo,
    checkpoint: Checkpoint,
    decoding: OwnDecoding,
    embedding: keras.Model | None,
    pages: Path,
) -> tuple[RecoloringGraph | None, Weights, Measured]:
    """Log the pictures and metrics of what was trained to the active run; register nothing.

    Args:
        manifest, checkpoint, decoding, embedding: As for `publish`.
        pages: An empty folder, in which the pictures are left.

    Returns:
        The model, or None for a restoration network, which is nothing but its weights; the weights;
        and the metrics as of `validate` or `validate_restoration`.

    Raises:
        WeightsError: If the weights are another network's.
    """
    weights = best_weights(manifest, checkpoint, decoding)
    recolorer = None
    if MODELS[weights.model].task == RESTORE:
        restorer = Restorer(weights.tensors, f"the network of {weights.model}")
        predictors = {"restored": Pictures().restored(FiniteRestorer(restorer).restored, AGED)}
    else:
        recolorer = RecoloringGraph(weights, embedding)
        weights = replace(weights, calibration=calibrate_colors(manifest, recolorer))
        painter = recolorer.painter()
        predictors = {"predicted": Predictions(painter, Decoding()).told(Told())}
    learned_from = f"{weights.origin['training_posters']} posters of {manifest.size} pixels"
    curve = learning_curve(weights.origin["history"], f"{weights.model}, {learned_from}")
    curve.savefig(pages / LEARNING_CURVE)
    sheet = comparison_sheet(Posters(manifest, _held_out_split(manifest)), predictors)
    sheet.save(pages / PREDICTIONS)
    mlflow.log_artifacts(str(pages))
    if recolorer is None:
        metrics = validate_restoration(manifest, restorer)
    else:
        metrics = validate(manifest, painter)
    best = {BEST_EPOCH: weights.origin["best_epoch"]}
    mlflow.log_metrics(named_validation(metrics) | best)
    return recolorer, weights, metrics


def published_model(run_id: str) -> TrainedModel:
    """Return what `publish` has returned for a run."""
    tags = mlflow.get_run(run_id).data.tags
    task = task_of_model(tags.get(MODEL_TAG, RECOLORING.model))
    version = mlflow.MlflowClient().get_model_version(task.model, tags[VERSION_TAG])
    return TrainedModel(run_id, tags[VERSION_TAG], validated_metrics(version.tags), task)


def import_weights(
    manifest: DatasetInfo, file: Path, decoding: Decoding = DEFAULT_DECODING
) -> TrainedModel:
    """Make a tracked run and a registered model of a file of `recolor train --untracked`.

    Args:
        manifest: The data set that the network was trained on.
        file: The file.
        decoding: How the model is to decode where nothing else is asked for; what is None in it is
            left as the training has kept it.

    Raises:
        TrainingError: If the file is damaged, or was trained on other data; or see
            `settings.check_decoding`.
        WeightsError: If its weights are another network's.
        EmbeddingError: If the embedding network can't be had.
    """
    checkpoint = load_checkpoint(file, manifest)
    settings = of_saved(Settings, checkpoint.origin["settings"])
    check_decoding(settings.model, decoding)
    own = saved_decoding(checkpoint).changed(decoding)
    # Before there is a run, in which a mistake would stay.
    embedding = embedding_network_of(manifest, settings.model)
    about = training_in_words(manifest, settings)
    with tracked_run(f"import {settings.model}: {file.name}", about) as run:
        log_parameters(run, {**asdict(settings), **asdict(own), "size": manifest.size})
        log_dataset(manifest, "training")
        tags = checkpoint.origin["tags"].items()
        mlflow.set_tags({f"trained.{name}": value for name, value in tags})
        mlflow.set_tag("embedding", manifest.embedding)
        for epoch, values in enumerate(checkpoint.progress.history, 1):
            mlflow.log_metrics(named_epoch(epoch, values), step=epoch)
        return publish(manifest, checkpoint, own, embedding)


def _training_posters(manifest: DatasetInfo, checkpoint: Checkpoint) -> int:
    settings = of_saved(Settings, checkpoint.origin["settings"])
    return posters_in(manifest, "train", settings.train_fraction)


def _held_out_split(manifest: DatasetInfo) -> str:
    return "validation" if manifest.count("validation") else "train"


if __name__ == "__main__":
    # For a training on another backend: Keras has one backend only in each process.
    trained_run, *folders = sys.argv[1:]
    data_set = load_data([Path(folder) for folder in folders])
    last = newest_checkpoint(trained_run)
    own = saved_decoding(last)
    # The training's process has begun it, and will end it.
    with mlflow.start_run(trained_run):
        model = last.origin["settings"]["model"]
        publish(data_set, last, own, embedding_network_of(data_set, model))
