"""The tasks of registered models: each has a registered model and a champion of its own.

Nothing heavy is imported, so that it takes neither Keras nor MLflow to ask for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from recolor.evaluation.answers import (
    AUTOCONTRAST,
    GRAY,
    LEFT_ALONE,
    MEAN_COLOR,
    Measured,
    MetricKey,
)
from recolor.evaluation.metrics.catalog import DEFAULT_METRIC, METRICS, rankable
from recolor.evaluation.metrics.metric import HIGHER, LOWER
from recolor.models.catalog import BUNDLED, RECOLOR, RESTORE

# The alias, and the word for the recoloring champion wherever a model is asked for.
CHAMPION = "champion"
# Among the artifacts of every version of a registered model.
WEIGHTS_FILE = "weights.safetensors"


@dataclass(frozen=True)
class Measure:
    """What ranks versions.

    Attributes:
        label: What it is, in words.
        direction: `HIGHER` or `LOWER`, whichever is better.
    """

    label: str
    direction: str

    def is_better(self, value: float, than: float) -> bool:
        """Whether a value is better than another one."""
        return value > than if self.direction == HIGHER else value < than


# Each is equal to itself alone.
@dataclass(frozen=True, eq=False)
class Task:
    """What networks are for.

    Attributes:
        name: `ModelKind.task` of its networks, and how users name it.
        model: Name of the registered model.
        description: Description of the registered model.
        network: What its bundled network is called.
        answers: What a network does, as "the bundled unet answers by default".
        champion: How `--model` names its champion.
        metric: Name of what ranks its versions where nothing else is asked for.
        baselines: The answers that need no network, and what they are called. A version that is
            worse than the first one is not promoted.
        measures: What can rank its versions, by name; None for the metrics of answers.
    """

    name: str
    model: str
    description: str
    network: str
    answers: str
    champion: str
    metric: str
    baselines: Mapping[str, str]
    measures: Mapping[str, Measure] | None = None

    @property
    def key(self) -> MetricKey:
        """The answer that is ranked, and the metric that ranks it."""
        return MetricKey.parse(self.metric)

    @property
    def bundled(self) -> str:
        """Model kind of its bundled network."""
        return BUNDLED[self.name]

    @property
    def promote(self) -> str:
        """The command that promotes its versions."""
        return "recolor promote" + ("" if self is RECOLORING else f" --task {self.name}")

    @property
    def train(self) -> str:
        """The command that trains its networks."""
        return "recolor train" + ("" if self is RECOLORING else f" --model {self.bundled}")

    @property
    def metrics(self) -> list[str]:
        """Names of what can rank its versions."""
        return rankable() if self.measures is None else list(self.measures)

    def knows(self, metric: str) -> bool:
        """Whether versions may have a metric."""
        return metric in (METRICS if self.measures is None else self.measures)

    def baseline(self, measured: Measured, baseline: str, metric: str) -> float | None:
        """Return a baseline's metric; None if it was not measured.

        Args:
            measured: As `recolor.evaluation.validation` returns it.
            baseline: One of `baselines`.
            metric: The metric's name.
        """
        key = MetricKey.parse(metric)
        same = key.answer == self.key.answer
        return measured.get(MetricKey(baseline, key.metric)) if same else None


RECOLORING = Task(
    name=RECOLOR,
    model="poster-recolor",
    description="Networks that recolor movie posters. `recolor models` compares the versions.",
    network=BUNDLED[RECOLOR],
    answers="answers",
    champion=CHAMPION,
    metric=DEFAULT_METRIC,
    baselines={GRAY: "gray", MEAN_COLOR: "the mean color"},
)
RESTORING = Task(
    name=RESTORE,
    model="poster-restore",
    description="Networks that undo how movie posters have aged. `recolor models` compares the "
    "versions.",
    network="restoration network",
    answers="restores",
    champion=f"models:/poster-restore@{CHAMPION}",
    metric="aged.delta_e_2000",
    baselines={LEFT_ALONE: "leaving posters alone", AUTOCONTRAST: "autocontrast"},
    measures={
        "aged.delta_e_2000": Measure("CIEDE2000 of restored posters", LOWER),
        "aged.l2_ab": Measure("L2ab of restored posters", LOWER),
        "aged.lightness_error": Measure("error of restored posters' lightness", LOWER),
        "aged.harmed": Measure("posters made worse, %", LOWER),
        "unaged.delta_e_2000": Measure("CIEDE2000 of posters that had not aged", LOWER),
    },
)
TASKS = {task.name: task for task in (RECOLORING, RESTORING)}


def task_of_model(name: str) -> Task:
    """Return the task of a registered model's name."""
    return next((task for task in TASKS.values() if task.model == name), RECOLORING)


def task_of_metric(metric: str) -> Task:
    """Return the task whose versions have a metric."""
    return RESTORING if RESTORING.knows(metric) else RECOLORING


def measure_of(metric: str) -> Measure:
    """Return what a metric is, of whichever task.

    Raises:
        KeyError: If there is no such metric.
    """
    if (measures := task_of_metric(metric).measures) is not None:
        return measures[metric]
    known = METRICS[metric]
    return Measure(known.label, known.direction or LOWER)
