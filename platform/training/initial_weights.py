"""Weights that a training begins with."""

from recolor.datasets.data_set import DataSet
from recolor.models.weights import Weights
from recolor.platform.training.settings import Settings, TrainingError


def check_initial_weights(weights: Weights, manifest: DataSet, settings: Settings) -> None:
    """Check that a training may begin with weights.

    Posters that are held out must not have been among those that the weights learned from.

    Raises:
        WeightsError: If they are another model kind's.
        TrainingError: If the weights learned from a data set with another division into splits, and
            the settings don't force it. (Weights of earlier versions don't know theirs.)
    """
    weights.check_model(settings.model)
    if not weights.held_out_like(manifest.held_out) and not settings.force_initial:
        raise TrainingError(
            f"{settings.initial_weights} learned from a data set with other splits, perhaps from "
            f"posters that {manifest} holds out: use its splits, or --force-initial"
        )
