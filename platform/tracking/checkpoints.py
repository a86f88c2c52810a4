"""Finding the checkpoint that a tracked run goes on from."""

import tempfile
from pathlib import Path

import mlflow

from recolor.platform.tracking.outbox import CHECKPOINTS, Outbox
from recolor.platform.tracking.store import RunError
from recolor.platform.training.checkpoint import Checkpoint


def newest_checkpoint(run_id: str) -> Checkpoint | None:
    """Return the newest whole checkpoint of a run; None if it has none yet.

    One that waits here for the store counts as well.

    Raises:
        RunError: If there are two checkpoints and both are damaged. (A single damaged one was cut
            off in the first epoch's.)
    """
    client = mlflow.MlflowClient()
    with tempfile.TemporaryDirectory() as folder:
        files = Outbox(run_id).checkpoints()
        for artifact in client.list_artifacts(run_id, CHECKPOINTS):
            files.append(Path(client.download_artifacts(run_id, artifact.path, folder)))
        whole = filter(None, map(Checkpoint.load, files))
        newest = max(whole, key=lambda found: found.progress.epoch, default=None)
    if newest is None and len(files) > 1:
        raise RunError(f"no checkpoint of run {run_id} is whole: train anew")
    return newest
