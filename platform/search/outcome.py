"""What comes out of a study, in its run: plots, a table, and the best trial at full length."""

import shlex
import tempfile
from dataclasses import dataclass, fields, replace
from pathlib import Path

import matplotlib.pyplot as plt
import mlflow
import numpy as np
import optuna.visualization as interactive
import optuna.visualization.matplotlib as drawn
import pandas as pd
from optuna.study import Study
from optuna.trial import TrialState

from recolor.datasets.manifest import Manifest
from recolor.models.option import options_of
from recolor.platform.search.plan import Plan
from recolor.platform.search.runs import runs_within
from recolor.platform.search.study import DONE, RUN_ID, WORKER, best_trial, count, number_of
from recolor.platform.tracking.provenance import STUDY_TAG
from recolor.platform.training.settings import Settings, data_options

FOLDER = "study"
TABLE = "trials.csv"
COMMAND_FILE = f"{FOLDER}/best-command.txt"
PLOTS = ("optimization_history", "slice", "parallel_coordinate", "intermediate_values")
IMPORTANCES = "param_importances"
# Fewer trials say nothing about them.
LEAST_FOR_IMPORTANCES = 3
# Tag of a run that repeats a trial at full length.
REPEATS_TAG = "repeats"


def log_outcome(study: Study, plan: Plan) -> None:
    """Log what is known of a study to its run, which is the active one.

    Args:
        study: The study.
        plan: Its plan.
    """
    with tempfile.TemporaryDirectory() as folder:
        table(study).to_csv(Path(folder) / TABLE, index=False)
        if count(study, TrialState.COMPLETE):
            names = PLOTS
            if len(plan.space) > 1 and count(study, TrialState.COMPLETE) >= LEAST_FOR_IMPORTANCES:
                names = (*PLOTS, IMPORTANCES)
            for name in names:
                _plot(study, plan.objective, name, Path(folder))
        mlflow.log_artifacts(folder, FOLDER)
    numbers = {f"trials.{state.name.lower()}": count(study, state) for state in DONE}
    if best := best_trial(study):
        numbers |= {"best_value": best.value, "best_trial": number_of(best)}
        mlflow.set_tags({f"best.{name}": value for name, value in best.params.items()})
    mlflow.log_metrics(numbers, step=count(study, *DONE))


def table(study: Study) -> pd.DataFrame:
    """Tabulate a study's trials, a row for each time that one was run.

    ``trial`` is the number of its first time, and the number of its run.
    """
    rows = [
        {
            "trial": number_of(trial),
            "state": trial.state.name.lower(),
            "value": trial.value,
            **trial.params,
            "epochs": trial.last_step,
            "begun": trial.datetime_start,
            "seconds": trial.duration and trial.duration.total_seconds(),
            "worker": trial.user_attrs.get(WORKER),
            "run_id": trial.user_attrs.get(RUN_ID),
        }
        for trial in study.get_trials(deepcopy=False)
    ]
    return pd.DataFrame(rows)


def _plot(study: Study, objective: str, name: str, folder: Path) -> None:
    """Write a plot as a picture, and as a page of its own that needs no network."""
    named = {} if name == "intermediate_values" else {"target_name": objective}
    axes = np.ravel(getattr(drawn, f"plot_{name}")(study, **named))
    figure = axes[0].figure
    figure.savefig(folder / f"{name}.png", dpi=110, bbox_inches="tight")
    plt.close(figure)
    page = getattr(interactive, f"plot_{name}")(study, **named)
    page.write_html(folder / f"{name}.html", include_plotlyjs=True)


@dataclass(frozen=True)
class Best:
    """The best trial.

    Attributes:
        number: Its number.
        value: The objective's value.
        run_id: Its run.
        chosen: What it has chosen of the plan's space.
    """

    number: int
    value: float
    run_id: str
    chosen: dict[str, object]

    def settings(self, plan: Plan, epochs: int | None) -> Settings:
        """Return its settings, for all of the posters.

        Args:
            plan: The study's plan.
            epochs: Number of epochs; None for the model kind's default.
        """
        return replace(plan.settings_of(self.chosen), epochs=epochs, train_fraction=1.0)

    def command(self, manifest: Manifest, plan: Plan, epochs: int | None) -> str:
        """Write its training at full length as a line for a shell, without what is the default.

        Args:
            manifest: The data set.
            plan, epochs: As for `settings`.
        """
        settings = self.settings(plan, epochs)
        words = ["recolor", "train", *data_options(manifest)]
        for option in options_of(Settings).values():
            value = getattr(settings, option.name)
            name = option.name.replace("_", "-")
            if value == option.default:
                continue
            if option.kind is bool:
                words.append(f"--{name}" if value else f"--no-{name}")
            else:
                words += [f"--{name}", str(value)]
        for option in fields(plan.decoding):
            if (value := getattr(plan.asked, option.name)) is not None:
                words += [f"--{option.name}", str(value)]
        return shlex.join(words)


def best_of(study: Study) -> Best | None:
    """Return the best of a study's complete trials; None before the first one."""
    best = best_trial(study)
    if best is None:
        return None
    return Best(number_of(best), best.value, best.user_attrs[RUN_ID], best.params)


def train_best(study: Study, plan: Plan, manifest: Manifest, best: Best, epochs: int | None):
    """Repeat the best trial at full length within the study's run, and register the model.

    Called again, it continues a training that was interrupted.

    Args:
        study, plan, manifest: The study, its plan and its data set.
        best: Its best trial.
        epochs: Number of epochs; None for the model kind's default.

    Returns:
        A `publication.TrainedModel`, whose version has the study's name as a tag.

    Raises:
        See `tracked.train`.
    """
    # TensorFlow is loaded for it.
    from recolor.platform.training.publication import VERSION_TAG, published_model
    from recolor.platform.training.tracked import train

    settings = best.settings(plan, epochs).complete()
    repeats = f"trial {best.number}, {settings.epochs} epochs"
    begun = runs_within(study, REPEATS_TAG, repeats)
    if begun and VERSION_TAG in begun[0].data.tags:
        return published_model(begun[0].info.run_id)
    trained = train(
        manifest,
        settings,
        begun[0].info.run_id if begun else None,
        decoding=plan.asked,
        tags={STUDY_TAG: study.study_name, REPEATS_TAG: repeats},
    )
    client = mlflow.MlflowClient()
    client.set_model_version_tag(trained.task.model, trained.version, STUDY_TAG, study.study_name)
    mlflow.set_tag(VERSION_TAG, trained.version)
    return trained
