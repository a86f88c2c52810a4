"""The checkpoints of a tracked run, among its artifacts.

They alternate between two files, so one of them is whole whenever the process is killed.
"""

import tempfile
from pathlib import Path

import mlflow

from recolor.platform.tracking.store import RunError
from recolor.platform.training.checkpoint import Checkpoint

FOLDER = "checkpoint"


def keep_checkpoint(checkpoint: Checkpoint) -> None:
    """Add a checkpoint to the active run, in the place of the last but one."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{checkpoint.progress.epoch % 2}.npz"
        checkpoint.save(file)
        mlflow.log_artifact(str(file), FOLDER)


def newest_checkpoint(run_id: str) -> Checkpoint | None:
    """Return the newest whole checkpoint of a run; None if it has none yet.

    Raises:
        RunError: If there are two checkpoints and both are damaged. (A single damaged one was cut
            off in the first epoch's.)
    """
    client = mlflow.MlflowClient()
    newest, listed = None, 0
    with tempfile.TemporaryDirectory() as folder:
        for artifact in client.list_artifacts(run_id, FOLDER):
            path = client.download_artifacts(run_id, artifact.path, folder)
            listed += 1
            found = Checkpoint.load(Path(path))
            if found and (newest is None or found.progress.epoch > newest.progress.epoch):
                newest = found
    if newest is None and listed > 1:
        raise RunError(f"no checkpoint of run {run_id} is whole: train anew")
    return newest
