"""What a study looks for, among what and how: the same for all of its trials and workers."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GridSampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)

from recolor.datasets.errors import RecolorError
from recolor.evaluation.metrics.metric import HIGHER
from recolor.models.decoding.options import Decoding
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.models.option import of_saved
from recolor.platform.registry.tasks import measure_of
from recolor.platform.search.options import VAL_LOSS
from recolor.platform.search.space import Space
from recolor.platform.training.settings import Settings


class PlanError(RecolorError):
    """A study can't be made, or continued, in this way."""


@dataclass(frozen=True)
class Plan:
    """A study's own settings.

    Attributes:
        dataset_digest: Digest of the data set.
        settings: What all trials have in common; the values of what is searched don't count.
        decoding: The models' own.
        space: What is searched.
        objective: ``val_loss``, or one of the metrics of its task, see
            `recolor.platform.registry.tasks`.
        sampler, pruner: Names of `options.SAMPLERS` and `options.PRUNERS`.
        seed: The sampler's.

    Raises:
        PlanError: If the parts don't go together.
    """

    dataset_digest: str
    settings: Settings
    decoding: OwnDecoding
    space: Space
    objective: str
    sampler: str
    pruner: str
    seed: int

    def __post_init__(self):
        if not self.space:
            raise PlanError("nothing is searched: give a --search, or a range of --learning-rate")
        if self.pruner != "none" and self.objective != VAL_LOSS:
            raise PlanError(
                f"--pruner {self.pruner} goes by the val_loss of every epoch, which is not the "
                "--objective: leave it out"
            )
        ranges = [name for name, one in self.space.items() if not hasattr(one, "choices")]
        if self.sampler == "grid" and ranges:
            raise PlanError(f"--sampler grid needs a list of values for {ranges[0]}, not a range")

    @property
    def asked(self) -> Decoding:
        """The part of the decoding that is not the default."""
        options = fields(self.decoding)
        values = {option.name: getattr(self.decoding, option.name) for option in options}
        return Decoding(
            **{one.name: values[one.name] for one in options if values[one.name] != one.default}
        )

    @property
    def direction(self) -> str:
        """Optuna's word for whether less of the objective is better, or more."""
        more = self.objective != VAL_LOSS and measure_of(self.objective).direction == HIGHER
        return "maximize" if more else "minimize"

    @property
    def points(self) -> float:
        """How many trials can differ: those of a grid; infinity for another sampler."""
        if self.sampler != "grid":
            return math.inf
        return math.prod(len(one.choices) for one in self.space.values())

    def settings_of(self, values: Mapping[str, object]) -> Settings:
        """Return the settings of a trial.

        Args:
            values: What was chosen of the space.
        """
        return replace(self.settings, **values)

    def complete(self) -> "Plan":
        """Fill in the model kind's defaults; Keras is imported for it."""
        return replace(self, settings=self.settings.complete())

    def to_json(self) -> dict:
        """Describe it for `of_json`."""
        settings = asdict(self.settings)
        return {
            "dataset_digest": self.dataset_digest,
            "settings": {name: settings[name] for name in settings if name not in self.space},
            "decoding": asdict(self.decoding),
            "space": {name: distribution_to_json(one) for name, one in self.space.items()},
            **{name: getattr(self, name) for name in ("objective", "sampler", "pruner", "seed")},
        }

    @classmethod
    def of_json(cls, saved: dict) -> "Plan":
        """Make a plan of what `to_json` has returned."""
        space = {name: json_to_distribution(one) for name, one in saved["space"].items()}
        settings = of_saved(Settings, saved["settings"])
        decoding = OwnDecoding(**saved["decoding"])
        return cls(**{**saved, "settings": settings, "decoding": decoding, "space": space})

    def check_continues(self, began: dict, study: str) -> None:
        """Check that a study may continue with this plan.

        Args:
            began: What `to_json` has returned when the study was begun.
            study: Its name.

        Raises:
            PlanError: If this is another plan.
        """
        for name, before, now in _differences(began, self.to_json()):
            raise PlanError(
                f"study {study} was begun with {name} {before}, not {now}: choose another --study"
            )


def _differences(began: dict, now: dict):
    """Yield the name, the first value and the present one of each part that differs."""
    for name in now:
        if isinstance(now[name], dict):
            for part in sorted({*began[name], *now[name]}):
                before, after = (one[name].get(part, "not searched") for one in (began, now))
                if before != after:
                    yield part, before, after
        elif began[name] != now[name]:
            yield name.replace("_", " "), began[name], now[name]


class SeededByTrial(BaseSampler):
    """Chooses each trial's values by a sampler of its own, seeded with the trial's number.

    So no two workers choose alike, nor does a study that continues choose again what it has begun
    with; yet one worker alone always chooses the same.

    Args:
        make: Makes a sampler with a seed.
        seed: The study's seed.
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int):
        self._make = make
        self._seed = seed

    def before_trial(self, study, trial):
        """Make the trial's sampler."""
        words = np.random.SeedSequence([self._seed, trial.number]).generate_state(1)
        self._sampler = self._make(int(words[0]))
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study, trial):
        """Ask the trial's sampler."""
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(self, study, trial, search_space):
        """Ask the trial's sampler."""
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(self, study, trial, param_name, param_distribution):
        """Ask the trial's sampler."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study, trial, state, values):
        """Let the trial's sampler learn."""
        self._sampler.after_trial(study, trial, state, values)


def make_sampler(plan: Plan) -> BaseSampler:
    """Make a study's sampler, the same one in every worker."""
    if plan.sampler == "grid":
        # The numbers of its points depend on the seed.
        return GridSampler({name: one.choices for name, one in plan.space.items()}, plan.seed)
    if plan.sampler == "qmc":
        # All workers go along one sequence; only the first trial is not of it.
        first = SeededByTrial(RandomSampler, plan.seed)
        return QMCSampler(scramble=True, seed=plan.seed, independent_sampler=first)
    makers = {
        # Takes the trials of other workers that are under way into account.
        "tpe": lambda seed: TPESampler(seed=seed, constant_liar=True),
        "random": RandomSampler,
        "cmaes": lambda seed: CmaEsSampler(seed=seed, warn_independent_sampling=False),
    }
    return SeededByTrial(makers[plan.sampler], plan.seed)


def make_pruner(plan: Plan) -> BasePruner:
    """Make a study's pruner; the plan's settings are complete."""
    if plan.pruner == "hyperband":
        return HyperbandPruner(min_resource=1, max_resource=plan.settings.epochs)
    return MedianPruner() if plan.pruner == "median" else NopPruner()
