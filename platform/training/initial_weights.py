"""Weights that a training begins with."""

import logging

from recolor.datasets.dataset_info import DatasetInfo
from recolor.models.weights import Weights
from recolor.platform.training.settings import Settings, TrainingError

_logger = logging.getLogger(__name__)


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
