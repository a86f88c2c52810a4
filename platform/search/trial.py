"""One trial: a whole training in a run of its own, without a model that is registered."""

import os
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import keras
import mlflow
from optuna import Trial, TrialPruned
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import TrialState

from recolor.datasets.manifest import Manifest
from recolor.evaluation.answers import ranking
from recolor.evaluation.figures import learning_curve
from recolor.platform.search.options import VAL_LOSS
from recolor.platform.search.plan import Plan, PlanError
from recolor.platform.search.runs import REASON_TAG, STATE_TAG, TRIAL_TAG, runs_within, trial_tags
from recolor.platform.search.space import suggest
from recolor.platform.search.study import DONE, RUN_ID, WORKER, best_trial, number_of
from recolor.platform.tracking.checkpoint import Checkpoint
from recolor.platform.tracking.checkpoints import checkpoint_or_none, drop_older_checkpoint
from recolor.platform.tracking.metric_names import BEST_EPOCH
from recolor.platform.tracking.outbox import Outbox
from recolor.platform.tracking.store import tracked_run
from recolor.platform.training.devices import Devices
from recolor.platform.training.lineage import embedding_network_of, training_in_words
from recolor.platform.training.settings import DivergenceError
from recolor.platform.training.tracked import initial_weights, train_in_run


class SurplusTrialError(Exception):
    """A trial was begun at the same instant as the last one of the study."""


class TakenTrialError(Exception):
    """A trial was given to another worker, since this one gave no sign of life for too long."""


@dataclass
class Objective:
    """What Optuna calls for each trial.

    Attributes:
        study: The study.
        plan: Its plan; the settings are complete.
        manifest: Its data set.
        devices: What `find_devices` has found.
        trials: How many trials the study is to have.
        say: Takes what is to be shown of the trial: ``trial``, ``epoch``, ``epochs``, ``value``
            and ``best``, and in the end ``state``.
        current: Number of the trial under way in Optuna's own count, None between two.
    """

    study: Study
    plan: Plan
    manifest: Manifest
    devices: Devices
    trials: int
    say: Callable[..., None]
    current: int | None = None

    def __call__(self, trial: Trial) -> float:
        """Run a trial, or continue it, and return its value.

        Raises:
            TrialPruned: If it was given up, or has diverged.
            SurplusTrialError: If there are enough trials already.
            TakenTrialError: If another worker has taken it over.
        """
        self.current = trial.number
        self._check_is_wanted(trial)
        trial.set_user_attr(WORKER, f"{socket.gethostname()}:{os.getpid()}")
        number = number_of(self.study.get_trials(deepcopy=False)[trial.number])
        settings = self.plan.settings_of(suggest(trial, self.plan.space))
        earlier = runs_within(self.study, TRIAL_TAG, number)
        run_id = earlier[0].info.run_id if earlier else None
        start = checkpoint_or_none(run_id) if run_id else None
        initial = initial_weights(self.manifest, settings) if start is None else None
        best = best_trial(self.study)
        shown = {"trial": number, "epochs": settings.epochs, "best": best and best.value}
        self.say(**shown, epoch=start.progress.epoch if start else 0)

        def after_epoch(checkpoint: Checkpoint) -> None:
            epoch = checkpoint.progress.epoch
            value = checkpoint.progress.history[-1][VAL_LOSS]
            self._report(trial, value, epoch)
            self.say(**shown, epoch=epoch, value=value)
            if epoch < settings.epochs and trial.should_prune():
                raise TrialPruned(f"after epoch {epoch}")

        pruned = None
        name, tags = f"{self.study.study_name}: trial {number}", trial_tags(self.study, number)
        with tracked_run(name, training_in_words(self.manifest, settings), run_id, tags) as run:
            trial.set_user_attr(RUN_ID, run.info.run_id)
            try:
                for epoch, metrics in enumerate(start.progress.history if start else [], 1):
                    self._report(trial, metrics[VAL_LOSS], epoch)
                last = train_in_run(
                    run, self.manifest, settings, self.plan.decoding, self.devices, start, initial,
                    after_epoch=after_epoch,
                )  # fmt: skip
                value = self._value(last)
                mlflow.set_tag(STATE_TAG, "complete")
            except (TrialPruned, DivergenceError) as error:
                pruned = error
                # After the last epoch, `train_in_run` does it.
                Outbox.of(run).send()
                drop_older_checkpoint(run.info.run_id)
                mlflow.set_tags({STATE_TAG: "pruned", REASON_TAG: str(error)})
            except KeyboardInterrupt:
                # The store may be locked by what was interrupted here. The trial must be put back
                # all the same; `close_orphans` ends the run, if need be.
                with suppress(mlflow.MlflowException):
                    mlflow.set_tag(STATE_TAG, "killed")
                with suppress(mlflow.MlflowException):
                    mlflow.end_run("KILLED")
                raise
            except TakenTrialError:
                # It is another worker's by now.
                mlflow.end_run("RUNNING")
                raise
        keras.backend.clear_session()
        if pruned:
            self.say(**shown, state="pruned")
            raise TrialPruned(str(pruned))
        self.say(**shown, state="complete", value=value)
        return value

    def _check_is_wanted(self, trial: Trial) -> None:
        """Leave the place to those that were begun before, if they are enough."""
        counted = (*DONE, TrialState.RUNNING)
        others = self.study.get_trials(deepcopy=False, states=counted)
        if sum(other.number < trial.number for other in others) >= self.trials:
            raise SurplusTrialError

    def _report(self, trial: Trial, value: float, epoch: int) -> None:
        try:
            trial.report(value, epoch)
        except UpdateFinishedTrialError:
            raise TakenTrialError from None

    def _value(self, last: Checkpoint) -> float:
        """Return the objective's value of a training, whose run is active."""
        if self.plan.objective == VAL_LOSS:
            history = last.progress.history
            title = mlflow.active_run().info.run_name
            mlflow.log_figure(learning_curve(history, title), "learning_curve.png")
            mlflow.log_metric(BEST_EPOCH, last.progress.best_epoch)
            return last.progress.best_loss
        from recolor.platform.training.publication import measure

        embedding = embedding_network_of(self.manifest, self.plan.settings.model)
        with tempfile.TemporaryDirectory() as folder:
            _, _, metrics = measure(
                self.manifest, last, self.plan.decoding, embedding, Path(folder)
            )
        value = ranking(metrics, self.plan.objective)
        if value is None:
            raise PlanError(f"{self.plan.objective} is not defined for these validation posters")
        return value
