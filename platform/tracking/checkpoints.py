"""The checkpoints of tracked runs: the one to resume from, and those that nobody needs any more."""

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow.entities import LifecycleStage, Run, ViewType
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from recolor.datasets.errors import first_line
from recolor.platform.tracking.checkpoint import Checkpoint
from recolor.platform.tracking.lost_runs import alone_with
from recolor.platform.tracking.metric_names import EPOCHS
from recolor.platform.tracking.outbox import CHECKPOINTS, Outbox, checkpoint_name
from recolor.platform.tracking.store import RunError

# What an artifact store raises that can't be reached, or can't delete.
STORE_ERRORS = (mlflow.MlflowException, OSError, NotImplementedError)


class CheckpointError(RunError):
    """A run has checkpoints, and can't be resumed from any of them."""


def newest_checkpoint(run_id: str) -> Checkpoint | None:
    """Return the newest whole checkpoint of a run; None if it has no checkpoint.

    One that waits here for the store counts as well.

    Raises:
        CheckpointError: If all of its checkpoints are damaged, or another run's.
    """
    client = mlflow.MlflowClient()
    with tempfile.TemporaryDirectory() as folder:
        files = Outbox.of(client.get_run(run_id)).checkpoints()
        for artifact in client.list_artifacts(run_id, CHECKPOINTS):
            files.append(Path(client.download_artifacts(run_id, artifact.path, folder)))
        whole = list(filter(None, map(Checkpoint.load, files)))
    own = [found for found in whole if found.origin.get("run", run_id) == run_id]
    if own or not files:
        return max(own, key=lambda found: found.progress.epoch, default=None)
    if whole:
        others = f"run {whole[0].origin['run']}'s"
        raise CheckpointError(
            f"the checkpoint of run {run_id} is {others}: put its own back into {CHECKPOINTS}/ of "
            "its artifacts, or start a new training"
        )
    raise CheckpointError(
        f"no checkpoint of run {run_id} is whole, as the training has left it: start a new training"
    )


def checkpoint_or_none(run_id: str) -> Checkpoint | None:
    """Return what `newest_checkpoint` does; None also where a run has to start over."""
    with suppress(CheckpointError):
        return newest_checkpoint(run_id)


def drop_older_checkpoint(run_id: str) -> None:
    """Leave a run that has all of its epochs its last checkpoint alone, if the store can delete."""
    run = mlflow.get_run(run_id)
    older = f"{CHECKPOINTS}/{checkpoint_name(int(run.data.metrics.get(EPOCHS, 0)) + 1)}"
    with suppress(*STORE_ERRORS):
        if older in {one.path for one in mlflow.MlflowClient().list_artifacts(run_id, CHECKPOINTS)}:
            get_artifact_repository(run.info.artifact_uri).delete_artifacts(older)


@dataclass(frozen=True)
class Leftover:
    """The checkpoints of a run that is not being trained.

    Attributes:
        run_id: The run.
        name: Its name.
        state: ``finished``, ``deleted``, ``failed`` or ``killed``.
        size: In bytes.
    """

    run_id: str
    name: str
    state: str
    size: int


def leftovers(unfinished: bool) -> Iterator[Leftover]:
    """Find checkpoints that can be removed: of finished and deleted runs.

    Args:
        unfinished: Also of failed and killed runs, which can be resumed until then.
    """
    client = mlflow.MlflowClient()
    experiments = client.search_experiments(view_type=ViewType.ALL)
    for run in mlflow.search_runs(
        [one.experiment_id for one in experiments],
        f"metrics.{EPOCHS} > 0",
        ViewType.ALL,
        max_results=100_000,
        output_format="list",
    ):
        state = _state(run)
        if state in ("finished", "deleted") or (unfinished and state in ("failed", "killed")):
            found = client.list_artifacts(run.info.run_id, CHECKPOINTS)
            if size := sum(one.file_size or 0 for one in found):
                yield Leftover(run.info.run_id, run.info.run_name, state, size)


def _state(run: Run) -> str:
    if run.info.lifecycle_stage == LifecycleStage.DELETED:
        return "deleted"
    return run.info.status.lower()


def remove(leftover: Leftover) -> None:
    """Remove the checkpoints of a run, which can't be resumed after that.

    Raises:
        BusyRunError: If a process works on it meanwhile.
        RunError: If the store can't remove them.
    """
    with alone_with(leftover.run_id):
        uri = mlflow.get_run(leftover.run_id).info.artifact_uri
        try:
            get_artifact_repository(uri).delete_artifacts(CHECKPOINTS)
        except STORE_ERRORS as error:
            raise RunError(
                f"the store can't remove the checkpoints of run {leftover.run_id}: "
                f"{first_line(error)}"
            ) from None
