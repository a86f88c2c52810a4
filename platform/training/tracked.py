"""A tracked training run: from a data set to a registered model."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict

import mlflow

from recolor.datasets.embeddings import load_embedding
from recolor.datasets.errors import first_line
from recolor.datasets.manifest import Manifest
from recolor.platform.registry.weight_sources import find_weights
from recolor.platform.tracking.checkpoints import keep_checkpoint, newest_checkpoint
from recolor.platform.tracking.provenance import origin
from recolor.platform.tracking.store import RunError, log_dataset, log_parameters, tracked_run
from recolor.platform.training.checkpoint import Checkpoint
from recolor.platform.training.devices import BACKEND, find_devices
from recolor.platform.training.loop import Settings, TrainingError, fit

SETTINGS_FILE = "settings.json"
# The origin of the weights that the training began with.
INITIAL_FILE = "initial_weights.json"


def saved_settings(run_id: str) -> Settings:
    """Read the settings of a training run.

    Raises:
        RunError: If there is no such run, or it is not one of training.
    """
    try:
        return Settings.of_saved(mlflow.artifacts.load_dict(f"runs:/{run_id}/{SETTINGS_FILE}"))
    except (mlflow.MlflowException, OSError) as error:
        raise RunError(f"{run_id} is no training run of this store: {first_line(error)}") from None


def train(
    manifest: Manifest,
    settings: Settings,
    resume: str | None = None,
    started: Callable[[str], None] = lambda run_id: None,
):
    """Train a network, log everything about it to MLflow and register the result.

    The model that is registered has the weights of the epoch with the lowest validation loss (or
    training loss, where the validation split is empty).

    Of several workers only the chief writes to MLflow.

    Args:
        manifest: The data set.
        settings: The settings; in a resumed run only ``epochs`` may differ from the first ones.
        resume: Id of the run to go on with.
        started: Called with the run's id when it begins.

    Returns:
        `publication.TrainedModel`; None in a worker that is not the chief.

    Raises:
        DatasetError, RecordError: If the data set can't be trained on, or is damaged.
        DeviceError, TrainingError: See `devices.find_devices` and `fitting.fit`.
        RunError: If the run was trained on other data, or has nothing left to do.
        WeightsError: If the initial weights can't be had, or are another network's.
    """
    # First of all: TensorFlow's workers find each other before anything else is done.
    devices = find_devices()
    if importlib.util.find_spec("tensorflow") is None:
        raise TrainingError("models are registered by TensorFlow: install it, or use --untracked")
    start = None
    if resume:
        _check_resumable(manifest, settings, resume)
        start = newest_checkpoint(resume)
        if start and start.progress.epoch > settings.epochs:
            raise RunError(
                f"run {resume} has {start.progress.epoch} epochs already: raise --epochs"
            )
    initial = None
    if settings.initial_weights and start is None:
        initial = find_weights(settings.initial_weights)
        initial.check_model(settings.model)
    if not devices.chief:
        fit(manifest, settings, devices, start, initial=initial)
        return None
    # Before the hours of training, since it may be missing.
    embedding = load_embedding(manifest)
    with tracked_run(f"train {settings.model}", resume) as run:
        # First of all what it takes to go on.
        mlflow.log_dict(asdict(settings), SETTINGS_FILE)
        started(run.info.run_id)
        if resume:
            log_parameters(run, {"epochs": settings.epochs})
        else:
            log_parameters(run, {**asdict(settings), "size": manifest.size})
            mlflow.set_tag("embedding", manifest.embedding)
        log_dataset(manifest, "training")
        if start is None or start.progress.epoch < settings.epochs:
            mlflow.set_tags({"backend": BACKEND, "devices": devices.share.devices})
            if initial is not None:
                mlflow.log_dict(initial.origin, INITIAL_FILE)
            start = fit(manifest, settings, devices, start, _log_epoch, initial)
        if BACKEND == "tensorflow":
            from recolor.platform.registry.publication import best_weights, publish

            lineage = {"tags": _origin_tags(run), "initial": _initial_origin(settings, run)}
            weights = best_weights(manifest, settings, start, lineage)
            return publish(manifest, weights, embedding)
        return _publish_by_tensorflow(manifest, run.info.run_id)


def _origin_tags(run: mlflow.ActiveRun) -> dict[str, str]:
    """Return where the training came from, as the run's tags have it."""
    tags = mlflow.get_run(run.info.run_id).data.tags
    return {name: tags[name] for name in ("backend", *origin()) if name in tags}


def _initial_origin(settings: Settings, run: mlflow.ActiveRun) -> dict | None:
    if not settings.initial_weights:
        return None
    return mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/{INITIAL_FILE}")


def _log_epoch(checkpoint: Checkpoint) -> None:
    epoch = checkpoint.progress.epoch
    mlflow.log_metrics({**checkpoint.progress.history[-1], "epochs": epoch}, step=epoch)
    keep_checkpoint(checkpoint)


def _publish_by_tensorflow(manifest: Manifest, run_id: str):
    """Let another process publish: Keras has one backend only in each."""
    from recolor.platform.registry.publication import VERSION_TAG, TrainedModel
    from recolor.platform.registry.registration import METRIC_TAG

    command = ["train", "--data", str(manifest.folder), "--resume", run_id]
    environment = {
        **os.environ,
        "KERAS_BACKEND": "tensorflow",
        "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(),
        # This process still holds the GPU's memory.
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    # TensorFlow's XLA ends the process at a flag that only JAX's knows.
    environment.pop("XLA_FLAGS", None)
    result = subprocess.run(
        [sys.executable, "-m", "recolor.platform.cli.main", *command],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if result.returncode:
        reason = result.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise TrainingError(f"run {run_id} is trained, but was not registered: {reason[0]}")
    run = mlflow.get_run(run_id)
    metrics = {
        name.removeprefix(METRIC_TAG): value
        for name, value in run.data.metrics.items()
        if name.startswith(METRIC_TAG)
    }
    return TrainedModel(run_id, run.data.tags[VERSION_TAG], metrics)


def _check_resumable(manifest: Manifest, settings: Settings, run_id: str) -> None:
    settings.check_continues(saved_settings(run_id), f"run {run_id}")
    run = mlflow.get_run(run_id)
    if run.data.tags.get("dataset.digest", manifest.digest) != manifest.digest:
        raise RunError(f"run {run_id} was trained on other data than {manifest.folder}")
    last = run.data.metrics.get("epochs", 0)
    if run.info.status == "FINISHED" and last >= settings.epochs:
        raise RunError(f"run {run_id} has finished its {last:.0f} epochs: raise --epochs")
