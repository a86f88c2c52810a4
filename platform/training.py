"""A tracked training run: from a data set to a registered model."""

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import keras
import mlflow
import numpy as np
import tensorflow as tf
from keras import ops

from recolor.datasets.embeddings import EmbeddingError, embedding_identity, embedding_network
from recolor.datasets.errors import first_line
from recolor.datasets.input_pipeline import steps_per_epoch, training_batches, validation_batches
from recolor.datasets.manifest import Manifest
from recolor.evaluation.figures import learning_curve
from recolor.models.catalog import MODELS
from recolor.platform.checkpoint import Progress, restore_checkpoint, save_checkpoint
from recolor.platform.prediction import Recolorer
from recolor.platform.registry import METRIC_TAG, register
from recolor.platform.scoring import comparison_sheet, model_predictor, score
from recolor.platform.tracking import RunError, log_dataset, log_parameters, tracked_run

SETTINGS_FILE = "settings.json"
# The paper halves the learning rate after 10 epochs without a lower loss.
PLATEAU_EPOCHS = 10


@dataclass(frozen=True)
class Settings:
    """What a training run depends on, beside its data. The defaults are the paper's.

    Attributes:
        model: Name of a model kind in `recolor.models.catalog.MODELS`.
        epochs: Passes over the training split; by default 180 (regression) or 260.
        batch_size: Posters a step; by default 50 (regression) or 20.
        learning_rate: Adam's, at the start.
        augment: Mirror, turn and zoom the training posters.
        temperature: T of the annealed mean (classification).
        seed: Seed of the initial weights, the order of posters and the augmentation.
    """

    model: str
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float = 1e-4
    augment: bool = False
    temperature: float = 0.38
    seed: int = 0

    def __post_init__(self):
        kind = MODELS[self.model]
        for name in ("epochs", "batch_size"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(kind, name))


@dataclass(frozen=True)
class TrainedModel:
    """What came out of a run: its id, the model's version, and its metrics in validation."""

    run_id: str
    version: str
    metrics: dict[str, float | None]


def saved_settings(run_id: str) -> Settings:
    """Read the settings of a training run.

    Raises:
        RunError: If there is no such run, or it is not one of training.
    """
    try:
        return Settings(**mlflow.artifacts.load_dict(f"runs:/{run_id}/{SETTINGS_FILE}"))
    except (mlflow.MlflowException, OSError) as error:
        raise RunError(f"{run_id} is no training run of this store: {first_line(error)}") from None


def train(
    manifest: Manifest,
    settings: Settings,
    resume: str | None = None,
    started: Callable[[str], None] = lambda run_id: None,
) -> TrainedModel:
    """Train a network, log everything about it to MLflow and register the result.

    The model that is registered has the weights of the epoch with the lowest validation loss (or
    training loss, where the validation split is empty).

    Args:
        manifest: The data set.
        settings: The settings; in a resumed run only ``epochs`` may differ from the first ones.
        resume: Id of the run to go on with.
        started: Called with the run's id when it begins.

    Raises:
        DatasetError: If the data set can't be trained on.
        RunError: If the run was trained on other data, or has nothing left to do.
    """
    if resume:
        _check_resumable(manifest, settings, resume)
    # Before the hours of training, since it may be missing; and before the seed, which it uses up.
    embedding = load_embedding(manifest)
    # Bit for bit the same result, on any number of CPU threads.
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(settings.seed)
    kind = MODELS[settings.model](manifest.classes)
    network = kind.network(manifest.size)
    network.compile(
        keras.optimizers.Adam(settings.learning_rate),
        loss=kind.loss,
        metrics=[] if settings.model == "regression" else [_L2ab(kind, settings.temperature)],
        # XLA makes the step a third slower on CPUs.
        jit_compile=bool(tf.config.list_physical_devices("GPU")),
    )
    with tracked_run(f"train {settings.model}", resume) as run:
        started(run.info.run_id)
        if not resume:
            log_parameters(run, {**asdict(settings), "size": manifest.size})
            mlflow.set_tag("embedding", manifest.embedding)
        log_dataset(manifest, "training")
        best, progress = restore_checkpoint(network, resume) if resume else ([], Progress())
        if progress.epoch > settings.epochs:
            raise RunError(f"run {resume} has {progress.epoch} epochs already: raise --epochs")
        mlflow.log_dict(asdict(settings), SETTINGS_FILE)
        monitor = "val_loss" if manifest.count("validation") else "loss"
        schedule = _ResumablePlateau(progress.schedule)
        keeper = _ProgressKeeper(monitor, best, progress, schedule)
        if progress.epoch < settings.epochs:
            network.fit(
                training_batches(
                    manifest,
                    settings.batch_size,
                    range(progress.epoch, settings.epochs),
                    seed=settings.seed,
                    augment=settings.augment,
                ),
                initial_epoch=progress.epoch,
                epochs=settings.epochs,
                steps_per_epoch=steps_per_epoch(manifest, settings.batch_size),
                validation_data=(
                    validation_batches(manifest, "validation", settings.batch_size)
                    if manifest.count("validation")
                    else None
                ),
                callbacks=[schedule, keeper],
                verbose=1 if sys.stdout.isatty() else 2,
            )
        network.set_weights(keeper.best)
        recolorer = Recolorer(kind, network, embedding, manifest.size)
        return _finish(manifest, settings, run.info.run_id, recolorer, keeper.progress)


def load_embedding(manifest: Manifest) -> keras.Model | None:
    """Build the embedding network that a data set was prepared with.

    Raises:
        EmbeddingError: If it can't be had any more, or a weights file has changed.
    """
    if embedding_identity(manifest.embedding) != manifest.content["settings"]["embedding"]:
        raise EmbeddingError(
            f"{manifest.embedding} has changed since {manifest.folder} was prepared with it: "
            "prepare the data set again"
        )
    return embedding_network(manifest.embedding, manifest.size)


def _finish(manifest, settings, run_id, recolorer: Recolorer, progress: Progress) -> TrainedModel:
    """Log the pictures and the metrics of a trained network, and register it."""
    client = mlflow.MlflowClient()
    history = {
        name: [(metric.step, metric.value) for metric in client.get_metric_history(run_id, name)]
        for name in ("loss", "val_loss")
    }
    curves = {
        label: history[name]
        for name, label in (("loss", "training"), ("val_loss", "validation"))
        if history[name]
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
    mlflow.set_tag("model.version", version.version)
    return TrainedModel(run_id, str(version.version), metrics)


def _check_resumable(manifest: Manifest, settings: Settings, run_id: str) -> None:
    began = saved_settings(run_id)
    if replace(began, epochs=settings.epochs) != settings:
        raise RunError(f"run {run_id} began with other settings: only --epochs may change")
    run = mlflow.get_run(run_id)
    if run.data.tags.get("dataset.digest", manifest.digest) != manifest.digest:
        raise RunError(f"run {run_id} was trained on other data than {manifest.folder}")
    last = run.data.metrics.get("epochs", 0)
    if run.info.status == "FINISHED" and last >= settings.epochs:
        raise RunError(f"run {run_id} has finished its {last:.0f} epochs: raise --epochs to go on")


class _L2ab(keras.metrics.Mean):
    """Eq. 1 of decoded colors, for a network whose loss is another."""

    def __init__(self, kind, temperature: float):
        super().__init__(name="l2_ab")
        self.kind = kind
        self.temperature = temperature

    def update_state(self, ab, outputs, sample_weight=None):
        error = ops.cast(ab, "float32") - self.kind.decode(outputs, self.temperature)
        return super().update_state(ops.mean(ops.square(error), axis=(1, 2, 3)))


class _ResumablePlateau(keras.callbacks.ReduceLROnPlateau):
    """Halves the learning rate on a plateau of the training loss; its state can be kept."""

    def __init__(self, state: dict[str, float]):
        super().__init__(
            monitor="loss", factor=0.5, patience=PLATEAU_EPOCHS, min_delta=0, verbose=0
        )
        self.restored = state

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self.best = self.restored.get("best", self.best)
        self.wait = self.restored.get("wait", self.wait)

    @property
    def state(self) -> dict[str, float]:
        return {"best": float(self.best), "wait": self.wait}


class _ProgressKeeper(keras.callbacks.Callback):
    """Logs an epoch's metrics, remembers the best weights, and writes a checkpoint."""

    def __init__(
        self,
        monitor: str,
        best: list[np.ndarray],
        progress: Progress,
        schedule: _ResumablePlateau,
    ):
        super().__init__()
        self.monitor = monitor
        self.best = best
        self.progress = progress
        self.schedule = schedule

    def on_epoch_end(self, epoch, logs=None):
        values = {name: float(value) for name, value in logs.items()}
        for name in ("loss", self.monitor):
            if not np.isfinite(values[name]):
                raise RunError(
                    f"{name} is {values[name]} after epoch {epoch + 1}: lower --learning-rate"
                )
        self.progress.epoch = epoch + 1
        if values[self.monitor] < self.progress.best_loss:
            self.progress.best_loss = values[self.monitor]
            self.progress.best_epoch = epoch + 1
            self.best = self.model.get_weights()
        self.progress.schedule = self.schedule.state
        mlflow.log_metrics({**values, "epochs": epoch + 1}, step=epoch + 1)
        save_checkpoint(self.model, self.best, self.progress)
