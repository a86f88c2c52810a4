"""Training without MLflow and TensorFlow, into a file: for a machine that has only JAX or PyTorch.

`recolor import-weights` makes a tracked run and a registered model of the file.
"""

from pathlib import Path

from recolor.datasets.dataset_info import DatasetInfo
from recolor.models.decoding.options import DEFAULT_DECODING, Decoding
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.models.option import of_saved
from recolor.platform.registry.sources import local_weights, no_weights
from recolor.platform.tracking.checkpoint import Checkpoint
from recolor.platform.training.devices import find_devices
from recolor.platform.training.lineage import LINEAGE, check_initial_weights, lineage
from recolor.platform.training.loop import fit
from recolor.platform.training.settings import Settings, TrainingError, check_decoding


def train_untracked(
    manifest: DatasetInfo, settings: Settings, file: Path, decoding: Decoding = DEFAULT_DECODING
) -> Checkpoint | None:
    """Train a network; the file is rewritten after each epoch.

    Where the file exists, the training continues from it. Of several workers only the chief writes
    it, and all of them must be able to read it.

    Args:
        manifest: The data set.
        settings: The settings; only ``epochs`` may differ from those the file was begun with.
        file: The checkpoint's path.
        decoding: As for `tracked.train`; what is None in it is left as it was in the file.

    Returns:
        The last state; None in a worker that is not the chief.

    Raises:
        DeviceError: If the devices can't be used.
        TrainingError: If the file is damaged, or of other settings or data; or see
            `settings.check_decoding`.
        WeightsError: If the initial weights can't be used.
        DatasetError, RecordError: If the data set can't be trained on, or is damaged.
    """
    # First of all: TensorFlow's workers find each other before anything else is done.
    devices = find_devices()
    settings = settings.complete()
    check_decoding(settings.model, decoding)
    start = None
    if file.exists():
        start = load_checkpoint(file, manifest)
        settings.check_continues(of_saved(Settings, start.origin["settings"]), str(file))
        if start.progress.epoch >= settings.epochs:
            raise TrainingError(f"{file} has {start.progress.epoch} epochs already: raise `epochs`")
    initial = None
    if settings.initial_weights and start is None:
        initial = local_weights(settings.initial_weights)
        if initial is None:
            raise no_weights(settings.initial_weights)
        check_initial_weights(initial, manifest, settings)
    own = (saved_decoding(start) if start else OwnDecoding()).changed(decoding)
    about = lineage(manifest, settings, own, initial, start)

    def save(checkpoint: Checkpoint) -> None:
        checkpoint.origin = about
        checkpoint.save(file)

    last = fit(manifest, settings, devices, start, save, initial)
    return last if devices.chief else None


def load_checkpoint(file: Path, manifest: DatasetInfo) -> Checkpoint:
    """Read a file of `train_untracked`.

    Raises:
        TrainingError: If it is not such a file, is damaged, or was trained on another data set.
    """
    checkpoint = Checkpoint.load(file) if file.is_file() else None
    if checkpoint is None or not checkpoint.origin.keys() >= LINEAGE:
        raise TrainingError(f"{file} is not a complete file of `recolor train --untracked`")
    if checkpoint.origin["dataset_digest"] != manifest.digest:
        raise TrainingError(f"{file} was trained on other data than {manifest}")
    return checkpoint


def saved_decoding(checkpoint: Checkpoint) -> OwnDecoding:
    """Return the model's own decoding that a checkpoint keeps."""
    return of_saved(OwnDecoding, checkpoint.origin["decoding"])
