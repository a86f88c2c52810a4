"""What a training run keeps to be resumed with: its settings, and its model's own decoding."""

from contextlib import suppress
from dataclasses import asdict

import mlflow

from recolor.datasets.errors import first_line
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.models.option import of_saved
from recolor.platform.tracking.store import RunError, missing_folder
from recolor.platform.training.settings import Settings

SETTINGS_FILE = "settings.json"
DECODING_FILE = "decoding.json"


def save_settings(settings: Settings, decoding: OwnDecoding) -> None:
    """Log what it takes to resume the active run."""
    mlflow.log_dict(asdict(settings), SETTINGS_FILE)
    mlflow.log_dict(asdict(decoding), DECODING_FILE)


def saved_settings(run_id: str) -> Settings:
    """Read the settings of a training run.

    Raises:
        RunError: If there is no such run, or it is not one of training.
    """
    return of_saved(Settings, _saved(run_id, SETTINGS_FILE))


def saved_decoding(run_id: str) -> OwnDecoding:
    """Read a training run's own decoding of its model.

    Raises:
        RunError: If there is no such run, or it is not one of training.
    """
    return of_saved(OwnDecoding, _saved(run_id, DECODING_FILE))


def _saved(run_id: str, file: str) -> dict:
    try:
        return mlflow.artifacts.load_dict(f"runs:/{run_id}/{file}")
    except (mlflow.MlflowException, OSError) as error:
        with suppress(mlflow.MlflowException):
            if folder := missing_folder(mlflow.get_run(run_id).info.artifact_uri):
                raise RunError(
                    f"the files of run {run_id} are not in {folder}, where it has made them: bring "
                    "them back, or start a new training"
                ) from None
        raise RunError(
            f"{run_id} is not a training run of this store: {first_line(error)}"
        ) from None
