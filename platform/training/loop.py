"""The training itself, on any of Keras' backends: it needs neither TensorFlow nor MLflow."""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import keras
import numpy as np

from recolor.datasets.errors import RecolorError, first_line
from recolor.datasets.input_pipeline import (
    Batch,
    steps_per_epoch,
    training_batches,
    validation_batches,
)
from recolor.datasets.manifest import Manifest
from recolor.models.catalog import MODELS
from recolor.models.weights import Weights
from recolor.platform.training.checkpoint import Checkpoint, Progress
from recolor.platform.training.devices import Devices, jit_helps, make_deterministic

# The paper halves the learning rate after 10 epochs without a lower loss.
PLATEAU_EPOCHS = 10
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
SCHEDULES = ("plateau", "cosine")


class TrainingError(RecolorError):
    """A training can't begin or go on."""


@dataclass(frozen=True)
class Settings:
    """What a training depends on, beside its data. The defaults are the paper's.

    Attributes:
        model: Name of a model kind in `recolor.models.catalog.MODELS`.
        epochs: Passes over the training split; by default 180 (regression) or 260.
        batch_size: Posters a step, of all devices together; by default 50 (regression) or 20.
        learning_rate: Adam's, at the start.
        schedule: How it falls, one of `SCHEDULES`: halved on each plateau of the training loss, as
            in the paper, or along half a cosine to nearly zero in the last epoch.
        augment: What is done to the training posters at random: a recipe, see
            `recolor.datasets.augmentation.catalog.augmentation`.
        temperature: T of the annealed mean (classification).
        vividness: How vivid the trained model's colors become by default, 0 to 1; the training
            itself does not depend on it. See `recolor.models.decoding.vividness`.
        seed: Seed of the initial weights, the order of posters and the augmentation.
        precision: What the layers compute in, one of `PRECISIONS`; weights, losses and the annealed
            mean are float32 always.
        jit: Compile the step; by default where it is known to help.
        accumulate: Number of steps whose gradients are averaged before the weights change.
        clip: Largest norm of all gradients together; longer ones are scaled down to it. None to
            leave them as they are.
        initial_weights: File or URI of the weights to begin with; None for random ones.
    """

    model: str
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float = 1e-4
    schedule: str = "plateau"
    augment: str = "none"
    temperature: float = 0.38
    vividness: float = 0.0
    seed: int = 0
    precision: str = "float32"
    jit: bool | None = None
    accumulate: int = 1
    clip: float | None = None
    initial_weights: str | None = None

    def __post_init__(self):
        kind = MODELS[self.model]
        for name in ("epochs", "batch_size"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(kind, name))

    @classmethod
    def of_saved(cls, saved: dict) -> "Settings":
        """Make settings of what a training has kept.

        Raises:
            TrainingError: If they are another version's.
        """
        augment = saved.get("augment")
        if isinstance(augment, bool):
            # As it was kept when there was but one kind of augmentation.
            saved = {**saved, "augment": "full" if augment else "none"}
        try:
            return cls(**saved)
        except (TypeError, KeyError):
            raise TrainingError("the training's settings are another version's") from None

    def check_continues(self, began: "Settings", what: str) -> None:
        """Check that a training that began with other settings may go on with these.

        Args:
            began: The first settings.
            what: Names the training in the message.

        Raises:
            TrainingError: If more differs than the number of epochs, or this number does but the
                learning rate was planned by it.
        """
        if self.epochs != began.epochs and began.schedule == "cosine":
            raise TrainingError(f"{what} ends after {began.epochs} epochs by its cosine schedule")
        if replace(began, epochs=self.epochs) != self:
            raise TrainingError(f"{what} began with other settings: only --epochs may change")


def fit(
    manifest: Manifest,
    settings: Settings,
    devices: Devices,
    start: Checkpoint | None = None,
    after_epoch: Callable[[Checkpoint], None] = lambda checkpoint: None,
    initial: Weights | None = None,
) -> Checkpoint:
    """Train a network.

    Args:
        manifest: The data set.
        settings: The settings.
        devices: What `find_devices` has found.
        start: The state to go on from.
        after_epoch: Called with the state after each epoch, in the chief worker only.
        initial: The weights to begin with, where there is no ``start``.

    Returns:
        The last state. Its ``best`` are the weights after the epoch with the lowest validation loss
        (or training loss, where there is no validation split).

    Raises:
        DatasetError, RecordError: If the data set can't be trained on, or is damaged.
        DeviceError: If the workers begin at different epochs.
        TrainingError: If the settings don't fit the devices or the checkpoint, the loss is no
            finite number, or a worker was lost.
        WeightsError: If the initial weights are another network's.
    """
    make_deterministic()
    keras.utils.set_random_seed(settings.seed)
    share = devices.share
    if settings.batch_size % share.devices:
        raise TrainingError(
            f"--batch-size {settings.batch_size} can't be shared evenly by {share.devices} devices"
        )
    steps = steps_per_epoch(manifest, "train", settings.batch_size, share)
    if not steps:
        raise TrainingError(f"{manifest.folder} has too few posters for {share.devices} devices")
    validated = manifest.count("validation") > 0
    validation_steps = steps_per_epoch(manifest, "validation", settings.batch_size, share)
    if validated and not validation_steps:
        raise TrainingError(
            f"{manifest.folder} has too few validation posters for {share.devices} devices"
        )
    best, progress = [], Progress()
    failures: list[RecolorError] = []
    with _explained(devices, failures):
        kind = MODELS[settings.model](manifest.classes)
        network = compiled_network(kind, manifest.size, settings, devices)
        if start is not None:
            try:
                start.restore(network)
            except ValueError as error:
                reason = first_line(error)
                raise TrainingError(f"the checkpoint is another network's: {reason}") from None
            best, progress = start.best, start.progress
        elif initial is not None:
            initial.begin(network, kind)
        devices.check_agreement(progress.epoch)
        schedule = (
            _ResumablePlateau(progress.schedule)
            if settings.schedule == "plateau"
            else _CosineDecay(settings.learning_rate, settings.epochs)
        )
        keeper = _ProgressKeeper(
            "val_loss" if validated else "loss", best, progress, schedule,
            after_epoch if devices.chief else lambda checkpoint: None,
        )  # fmt: skip
        callbacks = [schedule, keeper]
        if validated:

            def validation():
                batches = validation_batches(manifest, "validation", settings.batch_size, share)
                return devices.feed(_watched(batches, failures))

            # First, for the others to see its result.
            callbacks.insert(0, _Validation(validation, validation_steps))
        if progress.epoch < settings.epochs:
            training = training_batches(
                manifest,
                settings.batch_size,
                progress.epoch,
                seed=settings.seed,
                augment=settings.augment,
                share=share,
            )
            network.fit(
                devices.feed(_watched(training, failures)),
                initial_epoch=progress.epoch,
                epochs=settings.epochs,
                steps_per_epoch=steps,
                callbacks=callbacks,
                verbose=(1 if sys.stdout.isatty() else 2) if devices.chief else 0,
            )
    return Checkpoint.of(network, keeper.best, progress)


def compiled_network(kind, size: int, settings: Settings, devices: Devices) -> keras.Model:
    """Build a network with its loss and its optimizer, ready to be trained.

    Args:
        kind: An instance of a model kind of `recolor.models.catalog`.
        size: Side of the squares in pixels.
        settings: The settings.
        devices: What `find_devices` has found.

    Raises:
        TrainingError: If the devices can't be trained on with these settings.
    """
    special = (
        settings.accumulate > 1
        or settings.clip
        or settings.jit
        or settings.precision == "mixed_float16"
    )
    if special and not devices.takes_all_settings:
        raise TrainingError(
            "--accumulate, --clip, --jit and mixed_float16 are for one device, or "
            "KERAS_BACKEND=jax: Keras can't do them on several of TensorFlow's"
        )
    jit = devices.takes_all_settings and jit_helps() if settings.jit is None else settings.jit
    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy(settings.precision)
    try:
        with devices.scope():
            network = devices.adopt(kind.network(size))
            network.compile(
                keras.optimizers.Adam(
                    settings.learning_rate,
                    global_clipnorm=settings.clip,
                    gradient_accumulation_steps=(
                        settings.accumulate if settings.accumulate > 1 else None
                    ),
                ),
                loss=kind.loss,
                jit_compile=jit,
            )
            network.optimizer.build(network.trainable_variables)
    finally:
        keras.config.set_dtype_policy(usual)
    return network


def _watched(batches: Iterator[Batch], failures: list[RecolorError]) -> Iterator[Batch]:
    """Remember what goes wrong in reading: a framework may turn it into an error of its own."""
    try:
        yield from batches
    except RecolorError as error:
        failures.append(error)
        raise


@contextmanager
def _explained(devices: Devices, failures: list[RecolorError]) -> Iterator[None]:
    """Turn a failure of reading, or of another worker, into an error that says so."""
    try:
        yield
    except RecolorError:
        raise
    except Exception as error:
        if failures:
            raise failures[0] from None
        if isinstance(error, devices.lost_worker_errors):
            raise TrainingError(
                "another worker was lost: start all of them again, to go on with the run"
            ) from None
        raise


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


class _CosineDecay(keras.callbacks.LearningRateScheduler):
    """Lowers the learning rate from epoch to epoch; it has no state to be kept."""

    def __init__(self, start: float, epochs: int):
        super().__init__(lambda epoch: start * (1 + math.cos(math.pi * epoch / epochs)) / 2)
        self.state = {}


class _Validation(keras.callbacks.Callback):
    """Adds the validation loss to an epoch's metrics, from a new pass over the split.

    `fit` would take what is left of a generator for the next epoch's pass, less what its frameworks
    have read ahead: another part of the split each time.
    """

    def __init__(self, new_pass: Callable, steps: int):
        super().__init__()
        self.new_pass = new_pass
        self.steps = steps

    def on_epoch_end(self, epoch, logs=None):
        found = self.model.evaluate(self.new_pass(), steps=self.steps, verbose=0, return_dict=True)
        logs.update({f"val_{name}": value for name, value in found.items()})


class _ProgressKeeper(keras.callbacks.Callback):
    """Keeps the progress and the best weights, and hands out a checkpoint after each epoch."""

    def __init__(
        self,
        monitor: str,
        best: list[np.ndarray],
        progress: Progress,
        schedule: _ResumablePlateau | _CosineDecay,
        after_epoch: Callable[[Checkpoint], None],
    ):
        super().__init__()
        self.monitor = monitor
        self.best = best
        self.progress = progress
        self.schedule = schedule
        self.after_epoch = after_epoch

    def on_epoch_end(self, epoch, logs=None):
        values = {name: float(value) for name, value in logs.items()}
        for name in ("loss", self.monitor):
            if not np.isfinite(values[name]):
                raise TrainingError(
                    f"{name} is {values[name]} after epoch {epoch + 1}: lower --learning-rate"
                )
        self.progress.epoch = epoch + 1
        self.progress.history.append(values)
        if values[self.monitor] < self.progress.best_loss:
            self.progress.best_loss = values[self.monitor]
            self.progress.best_epoch = epoch + 1
            self.best = self.model.get_weights()
        self.progress.schedule = self.schedule.state
        self.after_epoch(Checkpoint.of(self.model, self.best, self.progress))
