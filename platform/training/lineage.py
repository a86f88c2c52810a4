"""What a training begins with and comes from."""

import logging
from dataclasses import asdict

import keras

from recolor.datasets.dataset_info import DatasetInfo
from recolor.datasets.embeddings.catalog import embedding_of
from recolor.datasets.input_pipeline import posters_in
from recolor.models.catalog import MODELS
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.models.weights import Weights
from recolor.platform.tracking.checkpoint import Checkpoint
from recolor.platform.tracking.provenance import origin
from recolor.platform.training.devices import BACKEND
from recolor.platform.training.settings import Settings, TrainingError

# What `lineage` returns.
LINEAGE = {"settings", "decoding", "dataset_digest", "tags", "initial"}

_logger = logging.getLogger(__name__)


def training_in_words(manifest: DatasetInfo, settings: Settings) -> str:
    """Say in a sentence, as Markdown, what a run trains; the settings are complete."""
    posters = posters_in(manifest, "train", settings.train_fraction)
    return (
        f"Trains a `{settings.model}` network for {settings.epochs} epochs on {posters} posters of "
        f"`{manifest.name}`."
    )


def embedding_network_of(manifest: DatasetInfo, model: str) -> keras.Model | None:
    """Return the network of a data set's embedding; None for a model kind that takes none.

    Args:
        manifest: The data set.
        model: Name of the model kind.

    Raises:
        EmbeddingError: If it can't be had.
    """
    if not MODELS[model].takes_embedding:
        return None
    return embedding_of(manifest).network(manifest.size)


def check_initial_weights(weights: Weights, manifest: DatasetInfo, settings: Settings) -> None:
    """Check that a training may begin with weights.

    Posters that are held out must not have been among those that the weights learned from. Where
    that is not known, it logs a warning.

    Raises:
        WeightsError: If they are another model kind's.
        TrainingError: If the weights learned from a data set with another division into splits, and
            the settings don't force it.
    """
    weights.check_model(settings.model)
    if settings.force_initial:
        return
    alike = weights.held_out_like(manifest.held_out)
    if alike is None:
        _logger.warning(
            "%s may have learned from posters that %s holds out: it does not say which ones its "
            "training held out",
            settings.initial_weights,
            manifest,
        )
    elif not alike:
        raise TrainingError(
            f"{settings.initial_weights} learned from a data set with other splits, perhaps from "
            f"posters that {manifest} holds out: use its splits, or `force_initial`"
        )


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
