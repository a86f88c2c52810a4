"""Everything that is needed to resume a training, in one file of arrays, without pickle.

Needs neither TensorFlow nor MLflow. One backend can resume another's checkpoint.
"""

import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np
from pydantic import BaseModel, ConfigDict, NonNegativeInt
from pydantic.dataclasses import dataclass as checked_dataclass

from recolor.datasets.atomic_file import atomic_write
from recolor.models.weights import assign_by_name, named_values


@checked_dataclass(config=ConfigDict(strict=True, extra="forbid"))
class Progress:
    """The progress of a training.

    Attributes:
        epoch: Number of finished epochs.
        schedule: State of the learning-rate schedule.
        best_epoch: The epoch with the lowest monitored loss, from 1; 0 if there is none yet.
        best_loss: That loss.
        history: The metrics of each finished epoch.
    """

    epoch: NonNegativeInt = 0
    schedule: dict[str, float] = field(default_factory=dict)
    best_epoch: NonNegativeInt = 0
    best_loss: float = float("inf")
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def consistent(self) -> bool:
        """Whether its parts can be of the same training."""
        known = all("loss" in metrics for metrics in self.history)
        return known and self.best_epoch <= self.epoch == len(self.history)


class _Origin(BaseModel):
    """The types of what is in `Checkpoint.origin`."""

    model_config = ConfigDict(strict=True)

    settings: dict[str, object] = {}
    decoding: dict[str, object] = {}
    dataset_digest: str = ""
    tags: dict[str, str] = {}
    initial: dict[str, object] | None = None
    run: str = ""


@dataclass
class Checkpoint:
    """The state of a training.

    Attributes:
        progress: Its progress.
        weights: The network's variables by their paths.
        optimizer: The optimizer's variables by their paths.
        best: The network's variables after the best epoch.
        origin: What the training came from, see `lineage`; and ``run``, the id of its run, where
            it is tracked.
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
        """Return the state of a compiled network."""
        weights, optimizer = map(named_values, (network.weights, network.optimizer.variables))
        return cls(progress, weights, optimizer, best)

    def restore(self, network: keras.Model) -> None:
        """Set a compiled network, whose optimizer is built, to this state.

        Raises:
            ValueError: If the state is another network's.
        """
        for variables, values in (
            (network.weights, self.weights),
            (network.optimizer.variables, self.optimizer),
        ):
            assign_by_name(variables, values)

    def save(self, file: Path) -> None:
        """Write the file; it is replaced only when all is written."""
        about = {"progress": asdict(self.progress), "origin": self.origin}
        state = {"about": np.array(json.dumps(about))}
        # The best weights may be the last ones, a quarter of the file. Those of the best epoch may
        # be an average, which the last ones are not.
        last_is_best = self.best.keys() == self.weights.keys() and all(
            np.array_equal(value, self.weights[path]) for path, value in self.best.items()
        )
        for name in ("weights", "optimizer", *(() if last_is_best else ("best",))):
            state |= {f"{name}/{path}": value for path, value in getattr(self, name).items()}
        with atomic_write(file) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **state)

    @classmethod
    def load(cls, file: Path) -> "Checkpoint | None":
        """Read a file; return None if it is not a whole checkpoint, as a training has left it.

        A truncated file does not open, since a zip archive has its directory at the end.
        """
        try:
            with np.load(file) as content:
                about = json.loads(str(content["about"]))

                def values(name: str) -> dict[str, np.ndarray]:
                    paths = [key for key in content if key.startswith(f"{name}/")]
                    return {key.removeprefix(f"{name}/"): content[key] for key in paths}

                progress, weights = Progress(**about["progress"]), values("weights")
                if not progress.consistent:
                    return None
                _Origin(**about["origin"])
                best = values("best") or weights
                return cls(progress, weights, values("optimizer"), best, about["origin"])
        except (zipfile.BadZipFile, OSError, ValueError, EOFError, KeyError, TypeError):
            return None
