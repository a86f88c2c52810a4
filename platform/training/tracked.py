"""A tracked training run: from a data set to a registered model."""

import importlib.util
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict

import mlflow

from recolor.datasets.dataset_info import DatasetInfo
from recolor.datasets.input_pipeline import posters_in
from recolor.models.decoding.options import DEFAULT_DECODING, Decoding
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.models.weights import Weights
from recolor.platform.registry.sources import find_weights
from recolor.platform.tracking.checkpoint import Checkpoint
from recolor.platform.tracking.checkpoints import drop_older_checkpoint, newest_checkpoint
from recolor.platform.tracking.lost_runs import alone_with
from recolor.platform.tracking.metric_names import EPOCHS
from recolor.platform.tracking.outbox import FOLDER_TAG, Outbox
from recolor.platform.tracking.server import ServerError, what_failed
from recolor.platform.tracking.store import (
    RunError,
    log_dataset,
    log_parameters,
    tracked_run,
)
from recolor.platform.training.devices import BACKEND, Devices, find_devices
from recolor.platform.training.lineage import (
    check_initial_weights,
    embedding_network_of,
    lineage,
    training_in_words,
)
from recolor.platform.training.loop import fit
from recolor.platform.training.saved_settings import save_settings, saved_decoding, saved_settings
from recolor.platform.training.settings import Settings, TrainingError, check_decoding, data_options


def train(
    manifest: DatasetInfo,
    settings: Settings,
    resume: str | None = None,
    started: Callable[[str], None] = lambda run_id: None,
    decoding: Decoding = DEFAULT_DECODING,
    tags: dict[str, str] | None = None,
):
    """Train a network, log everything about it to MLflow and register the result.

    The model that is registered has the weights of the epoch with the lowest validation loss (or
    training loss, where the validation split is empty).

    Of several workers only the chief writes to MLflow.

    Args:
        manifest: The data set.
        settings: The settings; in a resumed run only ``epochs`` may differ from the first ones.
        resume: Id of the run to resume.
        started: Called with the run's id when it begins.
        decoding: How the model is to decode where nothing else is asked for; what is None in it is
            left as it was in the run to resume, or else as `OwnDecoding` has it.
        tags: More tags of the run.

    Returns:
        `publication.TrainedModel`; None in a worker that is not the chief.

    Raises:
        BusyRunError: If another process trains the run to resume.
        DatasetError, RecordError: If the data set can't be trained on, or is damaged.
        DeviceError, TrainingError: See `devices.find_devices`, `loop.fit` and
            `settings.check_decoding`.
        RunError: If the run was trained on other data, or has nothing left to do.
        ServerError: If the network is trained, but the store can't be told.
        WeightsError: If the initial weights can't be had, or are another network's.
    """
    # First of all: TensorFlow's workers find each other before anything else is done.
    devices = find_devices()
    if importlib.util.find_spec("tensorflow") is None:
        raise TrainingError(
            "models are registered by TensorFlow: install it, or use `recolor train --untracked`"
        )
    check_decoding(settings.model, decoding)
    # Before a run is begun: there may be no training posters.
    _ = manifest.classes
    with alone_with(resume) if resume and devices.chief else nullcontext():
        return _train(manifest, settings.complete(), devices, resume, started, decoding, tags)


def _train(
    manifest: DatasetInfo,
    settings: Settings,
    devices: Devices,
    resume: str | None,
    started: Callable[[str], None],
    decoding: Decoding,
    tags: dict[str, str] | None,
):
    start = None
    before = saved_decoding(resume) if resume else OwnDecoding()
    own = before.changed(decoding)
    if resume:
        _check_resumable(manifest, settings, resume, decodes_again=own != before)
        start = newest_checkpoint(resume)
        if start is None and mlflow.get_run(resume).data.metrics.get(EPOCHS):
            raise RunError(
                f"run {resume} can't be resumed: its checkpoints were removed, as by "
                "`recolor clean`; start a new training"
            )
        if start and start.progress.epoch > settings.epochs:
            raise RunError(
                f"run {resume} has {start.progress.epoch} epochs already: raise `epochs`"
            )
    initial = initial_weights(manifest, settings) if start is None else None
    if not devices.chief:
        fit(manifest, settings, devices, start, initial=initial)
        return None
    # Before the hours of training, since it may be missing.
    embedding = embedding_network_of(manifest, settings.model)
    name = f"train {settings.in_words} on {manifest.name}"
    with tracked_run(name, training_in_words(manifest, settings), resume, tags) as run:
        last = train_in_run(run, manifest, settings, own, devices, start, initial, started=started)
        with _how_to_go_on(Outbox.of(run), manifest):
            if BACKEND == "tensorflow":
                from recolor.platform.training.publication import publish

                return publish(manifest, last, own, embedding)
            return _publish_by_tensorflow(manifest, run.info.run_id)


def initial_weights(manifest: DatasetInfo, settings: Settings) -> Weights | None:
    """Find the weights that a training begins with; None if it begins with random ones.

    Raises:
        TrainingError, WeightsError: If they can't be had, or can't be used here.
    """
    if not settings.initial_weights:
        return None
    initial = find_weights(settings.initial_weights)
    check_initial_weights(initial, manifest, settings)
    return initial


def train_in_run(
    run: mlflow.ActiveRun,
    manifest: DatasetInfo,
    settings: Settings,
    decoding: OwnDecoding,
    devices: Devices,
    start: Checkpoint | None,
    initial: Weights | None,
    *,
    started: Callable[[str], None] = lambda run_id: None,
    after_epoch: Callable[[Checkpoint], None] = lambda checkpoint: None,
) -> Checkpoint:
    """Train a network, and log everything about it to the active run; nothing is registered.

    Args:
        run: The active run.
        manifest: The data set.
        settings: The settings, complete.
        decoding: The model's own.
        devices: What `find_devices` has found; this worker is the chief.
        start: The state to resume from, if the run has one.
        initial: The weights to begin with, if there are any and there is no ``start``.
        started: Called with the run's id when the run can be resumed.
        after_epoch: Called with the state after each epoch, once it is kept.

    Returns:
        The last state.

    Raises:
        DatasetError, DeviceError, RecordError, TrainingError, WeightsError: See `loop.fit`.
        ServerError: If the store does not take the last metrics or checkpoint; they wait for it.
    """
    # First of all what it takes to resume it.
    save_settings(settings, decoding)
    started(run.info.run_id)
    log_parameters(
        run,
        {
            **asdict(settings),
            **asdict(decoding),
            "size": manifest.size,
            "training_posters": posters_in(manifest, "train", settings.train_fraction),
        },
    )
    mlflow.set_tag("embedding", manifest.embedding)
    log_dataset(manifest, "training")
    about = lineage(manifest, settings, decoding, initial, start) | {"run": run.info.run_id}
    outbox = Outbox.of(run)
    # It may be resumed in another folder.
    mlflow.set_tag(FOLDER_TAG, str(outbox.folder))
    if start is not None and start.progress.epoch >= settings.epochs:
        # With a decoding that may be another than when it was kept.
        start.origin = about
        outbox.put(start)
        last = start
    else:
        mlflow.set_tags({"backend": BACKEND, "devices": devices.share.devices})

        def keep(checkpoint: Checkpoint) -> None:
            checkpoint.origin = about
            outbox.put(checkpoint)
            after_epoch(checkpoint)

        last = fit(manifest, settings, devices, start, keep, initial)
        last.origin = about
    with _how_to_go_on(outbox, manifest):
        outbox.send()
        drop_older_checkpoint(run.info.run_id)
    return last


@contextmanager
def _how_to_go_on(outbox: Outbox, manifest: DatasetInfo) -> Iterator[None]:
    """Say where a training is, and how to resume it, if the store fails after the last epoch."""
    try:
        yield
    except (mlflow.MlflowException, OSError) as error:
        run_id, folder = outbox.run_id, outbox.folder
        waiting = f"; metrics and checkpoint wait in {folder}" if folder.exists() else ""
        command = ["recolor", "train", "--resume", run_id, *data_options(manifest)]
        raise ServerError(
            f"run {run_id} is trained, but not registered: {what_failed(error)}{waiting}; "
            f"to bring it in: {shlex.join(command)}"
        ) from None


def _publish_by_tensorflow(manifest: DatasetInfo, run_id: str):
    """Let another process publish: Keras has one backend only in each."""
    from recolor.platform.training.publication import published_model

    environment = {
        **os.environ,
        "KERAS_BACKEND": "tensorflow",
        "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(),
        # This process still holds the GPU's memory.
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    # TensorFlow's XLA ends the process at a flag that only JAX's knows.
    environment.pop("XLA_FLAGS", None)
    module = "recolor.platform.training.publication"
    result = subprocess.run(
        [sys.executable, "-m", module, run_id, *(str(part.folder) for part in manifest.parts)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if result.returncode:
        reason = result.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise TrainingError(f"run {run_id} is trained, but was not registered: {reason[0]}")
    return published_model(run_id)


def _check_resumable(
    manifest: DatasetInfo, settings: Settings, run_id: str, decodes_again: bool
) -> None:
    settings.check_continues(saved_settings(run_id), f"run {run_id}")
    run = mlflow.get_run(run_id)
    if run.data.tags.get("dataset.digest", manifest.digest) != manifest.digest:
        raise RunError(f"run {run_id} was trained on other data than {manifest}")
    last = run.data.metrics.get(EPOCHS, 0)
    if run.info.status == "FINISHED" and last >= settings.epochs and not decodes_again:
        raise RunError(f"run {run_id} has finished its {last:.0f} epochs: raise `epochs`")
