"""What comes out of a study, in its run: plots, the table of its trials, its best values."""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import mlflow
import numpy as np
import optuna.visualization as interactive
import optuna.visualization.matplotlib as drawn
import pandas as pd
from optuna.study import Study
from optuna.trial import TrialState

from recolor.platform.search.plan import Plan
from recolor.platform.search.study import DONE, RUN_ID, WORKER, best_trial, count, number_of

FOLDER = "study"
TABLE = "trials.csv"
PLOTS = ("optimization_history", "slice", "parallel_coordinate", "intermediate_values")
IMPORTANCES = "param_importances"
# Fewer trials say nothing about them.
LEAST_FOR_IMPORTANCES = 3


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
