"""All that a training run needs to go on after a crash, in one file, kept with the MLflow run.

Checkpoints alternate between two files, so one of them is whole whenever the process is killed.
A file that was cut off does not open: it is a zip archive, whose directory stands at its end.
"""

import json
import tempfile
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import mlflow
import numpy as np
from keras import ops

from recolor.platform.tracking import RunError

FOLDER = "checkpoint"


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        epoch: Number of finished epochs.
        schedule: State of the learning-rate schedule.
        best_epoch: The epoch (from 1) with the lowest monitored loss; 0 before there is one.
        best_loss: That loss.
    """

    epoch: int = 0
    schedule: dict[str, float] = field(default_factory=dict)
    best_epoch: int = 0
    best_loss: float = float("inf")


def save_checkpoint(network: keras.Model, best: list[np.ndarray], progress: Progress) -> None:
    """Write the network, its optimizer's state, the best weights and the progress to the run."""
    state = {"progress": np.array(json.dumps(asdict(progress)))}
    state |= _numbered("weight", network.weights)
    state |= _numbered("optimizer", network.optimizer.variables)
    state |= _numbered("best", best)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{progress.epoch % 2}.npz"
        np.savez(file, **state)
        mlflow.log_artifact(str(file), FOLDER)


def restore_checkpoint(network: keras.Model, run_id: str) -> tuple[list[np.ndarray], Progress]:
    """Bring a compiled network back to the newest whole checkpoint of a run.

    Returns:
        The best weights and the progress; those of an unstarted run if there is no checkpoint.

    Raises:
        RunError: If there are two checkpoints and both are damaged. (A single damaged one was cut
            off in the first epoch's.)
    """
    client = mlflow.MlflowClient()
    newest: dict[str, np.ndarray] = {}
    progress, listed = Progress(), 0
    with tempfile.TemporaryDirectory() as folder:
        for artifact in client.list_artifacts(run_id, FOLDER):
            path = client.download_artifacts(run_id, artifact.path, folder)
            listed += 1
            try:
                with np.load(path) as file:
                    found = Progress(**json.loads(str(file["progress"])))
                    if found.epoch > progress.epoch:
                        newest, progress = {name: file[name] for name in file}, found
            except (zipfile.BadZipFile, OSError, ValueError, EOFError, KeyError):
                continue
    if not progress.epoch:
        if listed > 1:
            raise RunError(f"no checkpoint of run {run_id} is whole: train anew")
        return [], progress
    network.optimizer.build(network.trainable_variables)
    _assign(network.weights, newest, "weight")
    _assign(network.optimizer.variables, newest, "optimizer")
    return [newest[f"best_{number}"] for number in range(len(network.weights))], progress


def _numbered(name: str, values: list) -> dict[str, np.ndarray]:
    return {f"{name}_{number}": ops.convert_to_numpy(value) for number, value in enumerate(values)}


def _assign(variables: list, state: dict[str, np.ndarray], name: str) -> None:
    for number, variable in enumerate(variables):
        variable.assign(state[f"{name}_{number}"])
