"""How the next trial's values are chosen, and when a trial is given up: by Optuna."""

from collections.abc import Callable

import numpy as np
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GridSampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)

from recolor.platform.search.plan import Plan


class SeededByTrial(BaseSampler):
    """Chooses each trial's values by a sampler of its own, seeded with the trial's number.

    So no two workers choose alike, nor does a study that goes on choose again what it has begun
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
