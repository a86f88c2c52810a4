"""What metrics are called in MLflow's runs.

MLflow shows those that share what is before the last slash under it, in alphabetical order, and
those without a slash last: so the curves of a training come first, then what validation measured.
"""

from collections.abc import Mapping

from recolor.evaluation.answers import Measured, MetricKey

# How many epochs a run has finished, and which was the best. Commands ask for the first.
EPOCHS, BEST_EPOCH = "epochs", "best_epoch"


def named_epoch(epoch: int, metrics: Mapping[str, float]) -> dict[str, float]:
    """Name what is known of an epoch, as ``training/loss``, and the number of epochs.

    Args:
        epoch: Its number, from 1.
        metrics: Its metrics, as `Progress.history` has them.
    """
    return {**{f"training/{name}": value for name, value in metrics.items()}, EPOCHS: epoch}


def named_validation(measured: Measured) -> dict[str, float]:
    """Name what validation has measured, as ``validation/told_palette/l2_ab``."""
    return {f"validation/{answer_metric(key)}": value for key, value in measured.items()}


def answer_metric(key: MetricKey) -> str:
    """Return the name of an answer's metric, as ``classification_v3.told_palette/l2_ab``."""
    answer, _, metric = str(key).rpartition(".")
    return f"{answer}/{metric}" if answer else metric
