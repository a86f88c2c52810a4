"""What a training came from and began with: kept in its checkpoints."""

from dataclasses import asdict

from recolor.datasets.dataset_info import DatasetInfo
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.models.weights import Weights
from recolor.platform.tracking.checkpoint import Checkpoint
from recolor.platform.tracking.provenance import origin
from recolor.platform.training.devices import BACKEND
from recolor.platform.training.settings import Settings


def lineage(
    manifest: DatasetInfo,
    settings: Settings,
    decoding: OwnDecoding,
    initial: Weights | None,
    start: Checkpoint | None,
) -> dict:
    """Describe a training, as JSON.

    Args:
        manifest: The data set.
        settings: The settings.
        decoding: The model's own.
        initial: The weights that it begins with, if any.
        start: The state that it continues from, if any: its tags and initial weights stay.

    Returns:
        ``settings``, ``decoding``, ``dataset_digest``, ``tags`` with backend, versions and commit,
        and ``initial``, the origin of the initial weights or None.
    """
    began = start.origin if start else {}
    return {
        "settings": asdict(settings),
        "decoding": asdict(decoding),
        "dataset_digest": manifest.digest,
        "tags": began.get("tags") or {"backend": BACKEND, **origin()},
        "initial": initial.origin if initial else began.get("initial"),
    }
