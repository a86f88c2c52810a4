"""From a data set to a trained and registered network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from recolor.datasets.dataset import Dataset
from recolor.models.catalog import DEFAULT
from recolor.models.decoding.options import DEFAULT_DECODING, Decoding
from recolor.platform.tracking import store
from recolor.platform.training.saved_settings import saved_settings
from recolor.platform.training.settings import Settings, TrainingError

if TYPE_CHECKING:
    from recolor.platform.training.publication import TrainedModel


def train(
    data: Dataset,
    model: str = DEFAULT,
    *,
    resume: str | None = None,
    decoding: Decoding = DEFAULT_DECODING,
    started: Callable[[str], None] = lambda run_id: None,
    **settings: object,
) -> TrainedModel | None:
    """Train a network, track it in MLflow and register the result, as `recolor train` does.

    Args:
        data: The data set.
        model: The kind of network.
        resume: Id of a run to resume with its own settings; only ``epochs`` may change.
        decoding: The temperature and vividness of the trained model, where none is asked for.
        started: Called with the run's id when it begins, to be able to resume it.
        **settings: The other `Settings` by name, as ``epochs`` and ``learning_rate``.

    Returns:
        The run's id, the version that it has registered, its metrics, and the model. None in a
        worker that is not the chief.

    Raises:
        TrainingError: If there is no such setting, or a value is out of range.
        RecolorError: If the data set can't be trained on, or the store can't be used.

    Example:
        >>> run = train(Dataset("data"), model="regression", epochs=1, batch_size=8)
        2/2 - ... - loss: ... - val_loss: ... - learning_rate: 1.0000e-04
        >>> run.version, run.model.which
        ('1', 'poster-recolor version 1 (regression, 32 pixels, learned from 16 posters)')
    """
    names = [one.name for one in fields(Settings)]
    if unknown := set(settings) - set(names):
        raise TrainingError(f"there is no setting {min(unknown)}: choose from {', '.join(names)}")
    # What is wrong is said first, and before the seconds that TensorFlow takes.
    chosen = None if resume else Settings(model, **settings)
    store.connect(to_write=True)
    store.choose_experiment()
    chosen = chosen or replace(saved_settings(resume), **settings)
    from recolor.platform.training import tracked

    return tracked.train(data.manifest, chosen, resume, started, decoding)
