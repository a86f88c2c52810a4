"""What a run has to tell its store, kept in a folder until the store has it."""

import json
import logging
import shutil
import time
from contextlib import suppress
from pathlib import Path

import mlflow
from mlflow.entities import Metric, Run

from recolor.datasets.atomic_file import atomic_write
from recolor.platform.tracking.checkpoint import Checkpoint
from recolor.platform.tracking.metric_names import EPOCHS, named_epoch
from recolor.platform.tracking.server import patience, what_failed

WAITING = Path("mlruns/waiting")
# Tag of a run: where on the machine that trains it something may wait.
FOLDER_TAG = "waiting.folder"
# Where a run has its checkpoints, here and among its artifacts.
CHECKPOINTS = "checkpoint"
# How long a training stands still for a server that is gone, and for one that takes a checkpoint.
PROBE_SECONDS, UPLOAD_SECONDS = 5, 120

_logger = logging.getLogger(__name__)


def checkpoint_name(epoch: int) -> str:
    """Return the file name of the checkpoint after an epoch.

    They alternate between two files, so that one of the store's is whole at any time.
    """
    return f"{epoch % 2}.npz"


class Outbox:
    """The metrics and the checkpoint of a run that its store does not have yet.

    Everything is written to the folder first, and deleted when it has arrived. So a training
    continues while its tracking server is down, and loses nothing if it is killed then.

    Args:
        run_id: The run.

    Attributes:
        folder: ``mlruns/waiting/RUN_ID`` of the working directory; it is there only while something
            waits.
    """

    def __init__(self, run_id: str):
        self.run_id = run_id
        self.folder = WAITING.absolute() / run_id
        self.delayed = False

    @classmethod
    def of(cls, run: Run) -> "Outbox":
        """Return a run's outbox: the one in its `FOLDER_TAG` where something waits there."""
        outbox = cls(run.info.run_id)
        tagged = run.data.tags.get(FOLDER_TAG)
        if tagged and Path(tagged).exists():
            outbox.folder = Path(tagged)
        return outbox

    def put(self, checkpoint: Checkpoint) -> None:
        """Take the state after an epoch, and send all that waits if the store answers at once."""
        epoch = checkpoint.progress.epoch
        metrics = named_epoch(epoch, checkpoint.progress.history[-1])
        with atomic_write(self.folder / f"{epoch}.json") as file:
            about = {"timestamp": int(time.time() * 1000), "metrics": metrics}
            file.write_text(json.dumps(about), encoding="utf-8")
        newest = self.folder / CHECKPOINTS / checkpoint_name(epoch)
        checkpoint.save(newest)
        for file in self.checkpoints():
            if file != newest:
                file.unlink()
        self._try_to_send()

    def send(self) -> None:
        """Send all that waits, metrics in the order of their epochs; each arrives once.

        What the store has got from elsewhere meanwhile, of the same or later epochs, stays.

        Raises:
            MlflowException, OSError: If the store can't be reached, or does not take it.
        """
        client = mlflow.MlflowClient()
        # It may have more than it has confirmed.
        known = client.get_run(self.run_id).data.metrics.get(EPOCHS, 0)
        waiting = {int(file.stem): file for file in self.folder.glob("*.json")}
        for epoch in sorted(epoch for epoch in waiting if epoch > known):
            about = json.loads(waiting[epoch].read_text(encoding="utf-8"))
            when, values = about["timestamp"], about["metrics"].items()
            metrics = [Metric(name, value, when, epoch) for name, value in values]
            client.log_batch(self.run_id, metrics)
        if max(waiting, default=-1) >= known:
            for file in self.checkpoints():
                client.log_artifact(self.run_id, str(file), CHECKPOINTS)
        if self.folder.exists():
            shutil.rmtree(self.folder)
        for folder in self.folder.parents[:2]:
            # What holds something else stays.
            with suppress(OSError):
                folder.rmdir()

    def checkpoints(self) -> list[Path]:
        """Return the checkpoint that waits, if there is one; two if a process was killed here."""
        return list((self.folder / CHECKPOINTS).glob("*.npz"))

    def _try_to_send(self) -> None:
        try:
            with patience(retries=0, seconds=PROBE_SECONDS):
                mlflow.MlflowClient().get_run(self.run_id)
            with patience(retries=0, seconds=UPLOAD_SECONDS):
                self.send()
        except (mlflow.MlflowException, OSError) as error:
            if not self.delayed:
                _logger.warning(
                    "%s: the training continues, its metrics and checkpoints wait in %s",
                    what_failed(error),
                    self.folder,
                )
            self.delayed = True
        else:
            if self.delayed:
                _logger.warning("the store has all that waited in %s", self.folder)
            self.delayed = False
