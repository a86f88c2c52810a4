"""Whether a version is better than the bundled network: only then does it answer by default.

`recolor promote` measures the bundled network, and keeps the result as a tag of the version. Where
nothing has to be measured, neither Keras nor TensorFlow is loaded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING

import mlflow
from mlflow.entities.model_registry import ModelVersion

from recolor.evaluation.answers import Measured, MetricKey, by_name, ranking, ranking_in_words
from recolor.models.weights import pretrained_file
from recolor.platform.registry.tasks import RECOLORING, Task, measure_of
from recolor.platform.registry.versions import RegistryError, registered_versions, task_of
from recolor.platform.tracking.store import logged_data

if TYPE_CHECKING:
    from recolor.datasets.dataset_info import DatasetInfo

COMPARISON_TAG = "bundled.comparison"
# Makes a progress bar of a number of posters and a label; its `update` takes a count.
Bar = Callable[[int, str], AbstractContextManager]


def no_bar(total: int, label: str) -> AbstractContextManager:
    """Show no progress."""
    return nullcontext(SimpleNamespace(update=lambda count: None))


@dataclass(frozen=True)
class Comparison:
    """A version and the bundled network, by one metric on the same validation posters.

    Attributes:
        metric: The metric's name.
        data: Digest of the data set.
        version: The version's value; of answers, told the palette or, where it takes none, free.
        bundled: The bundled network's, as of `recolor.evaluation.validation`.
        may_know: Whether the bundled network may have learned from these posters.
        weights: `bundled_digest` of the bundled network.
    """

    metric: str
    data: str
    version: float
    bundled: Measured
    may_know: bool
    weights: str

    @classmethod
    def of(cls, version: ModelVersion) -> Comparison | None:
        """Read a version's tag.

        Returns:
            None if the version was not compared with this bundled network, or the tag can't be
            used here: it is damaged, or its metric is unknown.
        """
        try:
            said = json.loads(version.tags[COMPARISON_TAG])
            bundled = {MetricKey.parse(name): value for name, value in said["bundled"].items()}
            known = cls(**said | {"bundled": bundled})
        except (AttributeError, KeyError, ValueError, TypeError):
            return None
        task = task_of(version)
        usable = task.knows(known.metric) and known.bundled_value is not None
        return known if usable and known.weights == bundled_digest(task.bundled) else None

    @property
    def bundled_value(self) -> float:
        """The bundled network's value."""
        return ranking(self.bundled, self.metric)

    @property
    def won(self) -> bool:
        """Whether the version is better."""
        return measure_of(self.metric).is_better(self.version, than=self.bundled_value)

    @property
    def told(self) -> str:
        """The bundled network's value and how it answered, in words."""
        return ranking_in_words(self.bundled, self.metric)

    @property
    def values(self) -> str:
        """Both values, in words."""
        return f"{self.metric} {self.version:.4g} against {self.bundled_value:.4g}"

    def keep(self, number: str, task: Task = RECOLORING) -> None:
        """Keep it as a tag of a task's version."""
        client = mlflow.MlflowClient()
        text = json.dumps(asdict(self) | {"bundled": by_name(self.bundled)})
        client.set_model_version_tag(task.model, number, COMPARISON_TAG, text)


def compare(
    version: ModelVersion,
    metric: str,
    value: float | None,
    digest: str | None,
    data: DatasetInfo | None = None,
    bar: Bar = no_bar,
) -> Comparison:
    """Compare a version with the bundled network, which is measured only if it was not before.

    Args:
        version: The version.
        metric: The metric's name.
        value: The version's value; of answers, told the palette or, where it takes none, free.
        digest: Digest of the data set that it was measured on.
        data: This data set; by default it is looked for where the version was trained on it.
        bar: Makes a progress bar.

    Raises:
        RecolorError: If they can't be compared; it says why.
    """
    if value is None:
        raise RegistryError(f"version {version.version} was not validated by {metric}")
    task = task_of(version)
    weights = bundled_digest(task.bundled)
    for known in map(Comparison.of, registered_versions(task)):
        if known and (known.metric, known.data) == (metric, digest):
            return Comparison(metric, digest, value, known.bundled, known.may_know, weights)
    data = data or logged_data(version.run_id)
    if data.digest != digest:
        raise RegistryError("the data set that it was validated on is not known")
    from recolor.platform.registry.revalidation import may_know, validate_bundled

    with bar(data.count("validation"), f"measuring the bundled {task.network}") as shown:
        bundled = validate_bundled(data, task, metric, shown.update)
    if not bundled:
        raise RegistryError(f"its {metric} is undefined")
    return Comparison(metric, digest, value, bundled, may_know(data, task.bundled), weights)


def forget(version: ModelVersion) -> None:
    """Delete a version's tag, if it has one."""
    if COMPARISON_TAG in version.tags:
        client = mlflow.MlflowClient()
        client.delete_model_version_tag(version.name, str(version.version), COMPARISON_TAG)


def shortfall(version: ModelVersion) -> str | None:
    """Say why a champion does not answer by default; None if it does."""
    known = Comparison.of(version)
    if known is None:
        return f"was not compared with the bundled {task_of(version).network}"
    return None if known.won else f"is not better ({known.values})"


def bundled_digest(kind: str) -> str:
    """Return the sha256 of a bundled network's file; empty if there is none."""
    file = pretrained_file(kind)
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
