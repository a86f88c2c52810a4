"""Trained weights in a compact file of arrays, without pickle: all that a network needs to work.

Half precision keeps it small; trained weights lose nothing that could be seen by it.
"""

import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from recolor.datasets.atomic_file import atomic_write
from recolor.datasets.classes import ColorClasses
from recolor.datasets.errors import RecolorError, first_line
from recolor.models.catalog import MODELS
from recolor.models.classification import ClassHead
from recolor.models.decoding.vividness import SHAPE

FORMAT = 2
# What reading a damaged file may raise.
DAMAGE = (
    zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, KeyError, TypeError,
    AttributeError,
)  # fmt: skip
ABOUT = (
    *("model", "size", "coarse_size", "embedding"),
    *("temperature", "vividness", "origin"),
)


class WeightsError(RecolorError):
    """A file of weights is missing, damaged, or of another network."""


@dataclass(frozen=True)
class Weights:
    """A network's weights, and what one must know to use them.

    Attributes:
        model: Name of the model kind in `recolor.models.catalog.MODELS`.
        size: Side in pixels of the squares that it looks at: those that it was trained on, or
            larger ones.
        embedding: `Manifest.embedding_id` of its data: ``none``, or which weights.
        temperature: T of the annealed mean (classification).
        vividness: How vivid its colors become, 0 to 1; see `recolor.models.decoding.vividness`.
        cell_counts: Training pixels in each cell of the color grid, ``int64 [1024]``.
        calibration: Of its colors, from `recolor.models.decoding.vividness.calibrate`.
        arrays: The network's variables, ``float32``.
        origin: How they came about, as JSON; see `best_weights` in the registry's publication.
        coarse_size: Side of smaller squares that it looks at as well; None for none.
    """

    model: str
    size: int
    embedding: str
    temperature: float
    vividness: float
    cell_counts: np.ndarray
    calibration: np.ndarray
    arrays: list[np.ndarray]
    origin: dict
    coarse_size: int | None = None

    @property
    def stages(self) -> list[dict]:
        """The origins of all trainings that led to these weights, the first one first."""
        stages, stage = [], self.origin
        while stage:
            stages.insert(0, stage)
            stage = stage.get("initial")
        return stages

    @classmethod
    def load(cls, file: Path) -> "Weights":
        """Read a file.

        Raises:
            WeightsError: If there is none, or it is damaged or of another format.
        """
        if not Path(file).is_file():
            raise WeightsError(f"there is no file {file}")
        try:
            with np.load(file, allow_pickle=False) as content:
                about = json.loads(str(content["about"]))
                if "progress" in about:
                    raise WeightsError(
                        f"{file} is a training of `recolor train --untracked`: make weights of it "
                        "with `recolor import-weights`"
                    )
                if (found := about.pop("format")) != FORMAT:
                    raise WeightsError(
                        f"{file} is of format {found}, another version's: make it anew of its "
                        "training's file with `recolor import-weights`"
                    )
                count = sum(name.startswith("weights_") for name in content)
                arrays = [content[f"weights_{n}"].astype(np.float32) for n in range(count)]
                weights = cls(
                    **about,
                    cell_counts=content["cell_counts"],
                    calibration=content["calibration"].astype(np.float32),
                    arrays=arrays,
                )
                ColorClasses.from_counts(weights.cell_counts)
                if weights.model not in MODELS or weights.calibration.shape != SHAPE:
                    raise ValueError("it is another version's")
        except WeightsError:
            raise
        except DAMAGE as error:
            reason = first_line(error)
            raise WeightsError(f"{file} is no whole file of weights ({reason})") from None
        return weights

    def save(self, file: Path) -> None:
        """Write the file, or leave it as it was."""
        about = {
            "format": FORMAT,
            **{name: getattr(self, name) for name in ABOUT},
        }
        arrays = {f"weights_{n}": array.astype(np.float16) for n, array in enumerate(self.arrays)}
        with atomic_write(file) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(
                stream,
                about=np.array(json.dumps(about)),
                cell_counts=self.cell_counts,
                calibration=self.calibration.astype(np.float16),
                **arrays,
            )

    def network(self) -> tuple[object, keras.Model]:
        """Build the network, for squares of its own size.

        Returns:
            The model kind's instance and the network.

        Raises:
            WeightsError: If the weights are another network's.
        """
        kind = MODELS[self.model](ColorClasses.from_counts(self.cell_counts))
        network = kind.network(self.size)
        try:
            network.set_weights(self.arrays)
        except ValueError:
            raise WeightsError(f"the weights are not those of a {self.model} network") from None
        return kind, network

    def begin(self, network: keras.Model, kind) -> None:
        """Give a network these weights, to be trained further.

        Another data set may have other color classes: each begins as the nearest one among these
        weights' classes.

        Args:
            network: A network of the same kind, of any size.
            kind: The model kind's instance that has built it.

        Raises:
            WeightsError: If it is of another kind.
        """
        self.check_model(kind.name)
        own = ColorClasses.from_counts(self.cell_counts)
        distance = np.abs(kind.classes.centers[:, None] - own.centers[None]).sum(axis=-1)
        nearest = np.argmin(distance, axis=-1)
        try:
            network.set_weights(
                [
                    # The classes are the last axis of the head's kernel and bias.
                    array[..., nearest] if variable.path.startswith(ClassHead.NAME) else array
                    for array, variable in zip(self.arrays, network.weights, strict=True)
                ]
            )
        except (ValueError, IndexError):
            raise WeightsError(f"the weights are not those of a {self.model} network") from None

    def check_model(self, model: str) -> None:
        """Check that these are weights of a model kind.

        Raises:
            WeightsError: If they are another kind's.
        """
        if model != self.model:
            raise WeightsError(
                f"the weights are of a {self.model} network, not of a {model} network"
            )
