"""Trains a network on any backend of Keras; needs neither TensorFlow nor MLflow."""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import numpy as np
from keras import ops

from recolor.datasets.augmentation.catalog import PORTRAIT, names_of
from recolor.datasets.dataset_info import DatasetInfo
from recolor.datasets.errors import RecolorError, first_line
from recolor.datasets.input_pipeline import (
    Batch,
    steps_per_epoch,
    training_batches,
    validation_batches,
)
from recolor.models.catalog import MODELS
from recolor.models.weights import Weights, assign_by_name, named_values
from recolor.platform.tracking.checkpoint import Checkpoint, Progress
from recolor.platform.training.devices import Devices, jit_helps, make_deterministic
from recolor.platform.training.optimizer import ScaledAdam
from recolor.platform.training.settings import DivergenceError, Settings, TrainingError

# The paper halves the learning rate after 10 epochs without a lower loss.
PLATEAU_EPOCHS = 10


def fit(
    manifest: DatasetInfo,
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
        start: The checkpoint to resume from.
        after_epoch: Called with a checkpoint after each epoch, in the chief worker only.
        initial: The weights to start with if ``start`` is None.

    Returns:
        The checkpoint after the last epoch. Its ``best`` are the weights of the epoch with the
        lowest validation loss, or training loss if there is no validation split.

    Raises:
        DatasetError, RecordError: If the data set can't be trained on, or is damaged.
        DeviceError: If the workers start at different epochs.
        DivergenceError: If a loss is not finite any more.
        TrainingError: If the settings don't fit the devices or the checkpoint, or a worker was
            lost.
        ModelKindError: If the kind's weights can't be given to another network.
        WeightsError: If the initial weights are another network's.
    """
    settings = settings.complete()
    multiple = MODELS[settings.model].size_multiple
    if manifest.size % multiple:
        raise TrainingError(
            f"a {settings.model} network needs squares whose side is a multiple of {multiple}, and "
            f"those in {manifest} have {manifest.size} pixels: prepare it with another "
            "`size`"
        )
    classes = manifest.classes
    make_deterministic()
    keras.utils.set_random_seed(settings.seed)
    share = devices.share
    if settings.batch_size % share.devices:
        raise TrainingError(
            f"`batch_size` {settings.batch_size} can't be shared evenly by {share.devices} devices"
        )
    steps = steps_per_epoch(manifest, "train", settings.batch_size, share, settings.train_fraction)
    if not steps:
        raise TrainingError(f"{manifest} has too few posters for {share.devices} devices")
    validated = manifest.count("validation") > 0
    validation_steps = steps_per_epoch(manifest, "validation", settings.batch_size, share)
    if validated and not validation_steps:
        raise TrainingError(
            f"{manifest} has too few validation posters for {share.devices} devices"
        )
    best, progress = {}, Progress()
    failures: list[RecolorError] = []
    with _explained(devices, failures):
        kind = MODELS[settings.model](classes, manifest.embedding_size)
        network = compiled_network(kind, _side(manifest, settings), settings, devices)
        if start is None:
            # Else a training would end with weights that fit no other network.
            kind.check_weights(network)
        if start is not None:
            try:
                start.restore(network)
            except ValueError as error:
                reason = first_line(error)
                raise TrainingError(f"the checkpoint is another network's: {reason}") from None
            best, progress = start.best, start.progress
        elif initial is not None:
            initial.begin(network, kind)
        else:
            kind.initialize(network)
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
        warmup = [_Warmup(settings.warmup, steps)] if settings.warmup else []
        callbacks = [schedule, *warmup, keeper, _DropoutSeed(settings.seed)]
        if validated:

            def validation():
                batches = validation_batches(
                    manifest, "validation", settings.batch_size, share, example=kind.example
                )
                return devices.feed(_watched(batches, failures))

            # First, so that the other callbacks see its result.
            callbacks.insert(0, _Validation(validation, validation_steps))
        if progress.epoch < settings.epochs:
            training = training_batches(
                manifest,
                settings.batch_size,
                progress.epoch,
                example=kind.example,
                seed=settings.seed,
                augment=settings.augment,
                fraction=settings.train_fraction,
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
    # At the end of `fit`, Keras has put the average of the weights in their place.
    return keeper.last or Checkpoint.of(network, best, progress)


def _side(manifest: DatasetInfo, settings: Settings) -> int | None:
    """Return the side of all pictures; None where posters of training are no squares."""
    return None if PORTRAIT in names_of(settings.augment) else manifest.size


def compiled_network(kind, size: int | None, settings: Settings, devices: Devices) -> keras.Model:
    """Build and compile a network.

    Args:
        kind: An instance of a model kind of `recolor.models.catalog`.
        size: Side of the squares in pixels; None for pictures of any shape.
        settings: The settings.
        devices: What `find_devices` has found.

    Raises:
        TrainingError: If the devices don't support these settings.
    """
    special = (
        settings.accumulate > 1
        or settings.clip
        or settings.jit
        or settings.precision == "mixed_float16"
    )
    if special and not devices.takes_all_settings:
        raise TrainingError(
            "`accumulate`, `clip`, `jit` and mixed_float16 need a single device or "
            "KERAS_BACKEND=jax: Keras does not support them on several TensorFlow devices"
        )
    jit = devices.takes_all_settings and jit_helps() if settings.jit is None else settings.jit
    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy(settings.precision)
    try:
        with devices.scope():
            network = devices.adopt(kind.build(size))
            network.compile(
                ScaledAdam(
                    float(settings.learning_rate),
                    kind.learning_rate_scale,
                    global_clipnorm=settings.clip,
                    decay=settings.weight_decay or 0.0,
                    use_ema=settings.ema is not None,
                    # Keras averages after every batch, also where no weight has changed.
                    ema_momentum=(settings.ema or 0.0) ** (1 / settings.accumulate),
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
    """Keep the errors of reading, which a framework may replace by errors of its own."""
    try:
        yield from batches
    except RecolorError as error:
        failures.append(error)
        raise


@contextmanager
def _explained(devices: Devices, failures: list[RecolorError]) -> Iterator[None]:
    """Raise the cause instead, where reading failed or another worker was lost."""
    try:
        yield
    except RecolorError:
        raise
    except Exception as error:
        if failures:
            raise failures[0] from None
        if isinstance(error, devices.lost_worker_errors):
            raise TrainingError(
                "another worker was lost: restart all workers to resume the run"
            ) from None
        raise


class _ResumablePlateau(keras.callbacks.ReduceLROnPlateau):
    """Halves the learning rate when the training loss stops falling; its state can be saved."""

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
    """Lowers the learning rate along half a cosine; it has no state to save."""

    def __init__(self, start: float, epochs: int):
        super().__init__(lambda epoch: start * (1 + math.cos(math.pi * epoch / epochs)) / 2)
        self.state = {}


class _Warmup(keras.callbacks.Callback):
    """Raises the learning rate, step by step, to what the schedule has it at.

    Args:
        epochs: In how many epochs.
        steps: Steps of an epoch.
    """

    def __init__(self, epochs: int, steps: int):
        super().__init__()
        self.epochs = epochs
        self.steps = steps

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        # The schedule comes earlier in the list, and has set it.
        self.full = float(ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def on_train_batch_begin(self, batch, logs=None):
        # Afterwards not even the model is asked for: JAX would copy its whole state.
        if self.epoch < self.epochs:
            step = self.epoch * self.steps + batch + 1
            self.model.optimizer.learning_rate = self.full * step / (self.epochs * self.steps)

    def on_epoch_end(self, epoch, logs=None):
        # The schedule has logged what it was at last.
        if epoch < self.epochs:
            self.model.optimizer.learning_rate = self.full


class _DropoutSeed(keras.callbacks.Callback):
    """Lets dropout depend on seed and epoch alone, so that a training resumes exactly."""

    def __init__(self, seed: int):
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch, logs=None):
        for number, layer in enumerate(self.model.layers):
            if generator := getattr(layer, "seed_generator", None):
                state = np.random.SeedSequence([self.seed, epoch, number]).generate_state(2)
                generator.state.assign(state)


class _Validation(keras.callbacks.Callback):
    """Computes the validation loss after each epoch, in a new pass over the split.

    `fit` would use one generator for all epochs and lose what the framework had prefetched, so each
    epoch would be validated on another part of the split.
    """

    def __init__(self, new_pass: Callable, steps: int):
        super().__init__()
        self.new_pass = new_pass
        self.steps = steps

    def on_epoch_end(self, epoch, logs=None):
        with _averaged(self.model):
            found = self.model.evaluate(
                self.new_pass(), steps=self.steps, verbose=0, return_dict=True
            )
        logs.update({f"val_{name}": value for name, value in found.items()})


class _ProgressKeeper(keras.callbacks.Callback):
    """Tracks the progress and the best weights, and passes on a checkpoint after each epoch."""

    def __init__(
        self,
        monitor: str,
        best: dict[str, np.ndarray],
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
        self.last: Checkpoint | None = None

    def on_epoch_end(self, epoch, logs=None):
        values = {name: float(value) for name, value in logs.items()}
        for name in ("loss", self.monitor):
            if not np.isfinite(values[name]):
                raise DivergenceError(
                    f"{name} is {values[name]} after epoch {epoch + 1}: lower `learning_rate`"
                )
        self.progress.epoch = epoch + 1
        self.progress.history.append(values)
        if values[self.monitor] < self.progress.best_loss:
            self.progress.best_loss = values[self.monitor]
            self.progress.best_epoch = epoch + 1
            with _averaged(self.model):
                self.best = named_values(self.model.weights)
        self.progress.schedule = self.schedule.state
        self.last = Checkpoint.of(self.model, self.best, self.progress)
        self.after_epoch(self.last)


@contextmanager
def _averaged(network: keras.Model) -> Iterator[None]:
    """Put the weights' moving average in their place, where the optimizer keeps one."""
    optimizer = network.optimizer
    # In float16, Keras wraps it.
    if not getattr(optimizer, "inner_optimizer", optimizer).use_ema:
        yield
        return
    variables = network.trainable_variables
    weights = named_values(variables)
    optimizer.finalize_variable_values(variables)
    # JAX has one array for both now, and would free it in its next step.
    assign_by_name(variables, {path: one.copy() for path, one in named_values(variables).items()})
    try:
        yield
    finally:
        assign_by_name(variables, weights)
