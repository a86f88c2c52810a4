"""All that a training needs to go on after a crash, in one file of arrays, without pickle.

It needs neither TensorFlow nor MLflow, and one framework can go on with another's.
"""

import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np

from recolor.datasets.atomic_file import atomic_write
from recolor.models.weights import assign_by_name, named_values


@dataclass
class Progress:
    """How far a training has come.

    Attributes:
        epoch: Number of finished epochs.
        schedule: State of the learning-rate schedule.
        best_epoch: The epoch (from 1) with the lowest monitored loss; 0 before there is one.
        best_loss: That loss.
        history: The metrics of each finished epoch.
    """

    epoch: int = 0
    schedule: dict[str, float] = field(default_factory=dict)
    best_epoch: int = 0
    best_loss: float = float("inf")
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass
class Checkpoint:
    """The state of a training.

    Attributes:
        progress: How far it has come.
        weights: The network's variables by their paths.
        optimizer: The optimizer's variables by their paths.
        best: The network's variables after the best epoch.
        origin: What the training came from, see `lineage`.
    """

    progress: Progress
    weights: dict[str, np.ndarray]
    optimizer: dict[str, np.ndarray]
    best: dict[str, np.ndarray]
    origin: dict = field(default_factory=dict)

    @classmethod
    def of(
        cls, network: keras.Model, best: dict[str, np.ndarray], progress: Progress
    ) -> "Checkpoint":
        """Take the state of a compiled network."""
        weights, optimizer = map(named_values, (network.weights, network.optimizer.variables))
        return cls(progress, weights, optimizer, best)

    def restore(self, network: keras.Model) -> None:
        """Bring a compiled network, whose optimizer is built, back to this state.

        Raises:
            ValueError: If it is another network's.
        """
        for variables, values in (
            (network.weights, self.weights),
            (network.optimizer.variables, self.optimizer),
        ):
            assign_by_name(variables, values)

    def save(self, file: Path) -> None:
        """Write the file, or leave it as it was."""
        about = {"progress": asdict(self.progress), "origin": self.origin}
        state = {"about": np.array(json.dumps(about))}
        for name in ("weights", "optimizer", "best"):
            state |= {f"{name}/{path}": value for path, value in getattr(self, name).items()}
        with atomic_write(file) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **state)

    @classmethod
    def load(cls, file: Path) -> "Checkpoint | None":
        """Read a file; None if it is no whole checkpoint.

        One that was cut off does not open: it is a zip archive, whose directory is at its end.
        """
        try:
            with np.load(file) as content:
                about = json.loads(str(content["about"]))

                def values(name: str) -> dict[str, np.ndarray]:
                    paths = [key for key in content if key.startswith(f"{name}/")]
                    return {key.removeprefix(f"{name}/"): content[key] for key in paths}

                progress = Progress(**about["progress"])
                return cls(
                    progress, values("weights"), values("optimizer"), values("best"),
                    about["origin"],
                )  # fmt: skip
        except (zipfile.BadZipFile, OSError, ValueError, EOFError, KeyError, TypeError):
            return None
