"""Trained weights in one file: named tensors, with all that one must know to use them.

The file is of the format safetensors, so it can be read anywhere and runs no code. Half precision
keeps it small; trained weights lose nothing that could be seen by it.

Keras is imported only to build a network: a file is read, and described, without it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from recolor.datasets.atomic_file import atomic_write
from recolor.datasets.classes import ColorClasses
from recolor.datasets.errors import RecolorError, first_mistake, reason_of
from recolor.datasets.posters import LARGEST_EMBEDDING, LARGEST_SIDE
from recolor.models.catalog import EMBEDDING_SIZE, MODELS
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.models.option import STRICT

if TYPE_CHECKING:
    import keras

    from recolor.models.kind import ModelKind

SUFFIX = ".safetensors"
FORMAT = 3
# What reading a damaged file ends in.
DAMAGES = (
    *(SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError),
)
# The key of the description among the file's metadata, which are texts.
ABOUT = "recolor"
# The variables' tensors are named by this and their path; the others, by what they are.
NETWORK = "network/"
# The networks that come with recolor; its README.md is their model card.
PRETRAINED = Path(__file__).with_name("pretrained")


class WeightsError(RecolorError):
    """A file of weights is missing, damaged, or of another network."""


class _Origin(BaseModel):
    """What is read of an origin; it has more."""

    model_config = ConfigDict(strict=True)

    held_out: str | None = None
    training_posters: int | None = None
    initial: _Origin | None = None


class _About(BaseModel):
    """The description in a file, less its format and digest."""

    model_config = STRICT

    model: str
    size: int = Field(ge=8, le=LARGEST_SIDE)
    coarse_size: int | None = Field(None, ge=8, le=LARGEST_SIDE)
    embedding: str
    # A network is built before its weights are compared with these: it must fit into memory.
    embedding_size: int = Field(EMBEDDING_SIZE, ge=1, le=LARGEST_EMBEDDING)
    temperature: float
    vividness: float
    origin: _Origin


@dataclass(frozen=True)
class Weights:
    """A network's weights, and what is needed to use them.

    Attributes:
        model: Name of the model kind in `recolor.models.catalog.MODELS`.
        size: Side in pixels of the squares that it looks at: those that it was trained on, or
            larger ones.
        embedding: `DatasetInfo.embedding_id` of its data: a name, or the sha256 of a file of
            weights.
        decoding: Its default decoding.
        cell_counts: Training pixels in each cell of the color grid, ``int64 [1024]``.
        calibration: The calibration of its colors, from
            `recolor.models.decoding.vividness.calibrate`; None if it has none.
        tensors: The network's variables by their paths, ``float32``.
        origin: How they were trained, as JSON; see `best_weights` in
            `platform/training/publication`.
        coarse_size: Side of smaller squares that it also looks at; None if it does not.
        embedding_size: Length of the embedding.
    """

    model: str
    size: int
    embedding: str
    decoding: OwnDecoding
    cell_counts: np.ndarray
    calibration: np.ndarray | None
    tensors: dict[str, np.ndarray]
    origin: dict
    coarse_size: int | None = None
    embedding_size: int = EMBEDDING_SIZE

    @property
    def stages(self) -> list[dict]:
        """The origins of all trainings that led to these weights, the first one first."""
        stages, stage = [], self.origin
        while stage:
            stages.insert(0, stage)
            stage = stage.get("initial")
        return stages

    @property
    def restores(self) -> bool:
        """Whether it is a restoration network: no other goes without a calibration."""
        return self.calibration is None

    @property
    def digest(self) -> str:
        """Digest of the network's weights, whatever they came from."""
        return _digest(self.tensors, self.describe())

    @property
    def held_out(self) -> tuple[str | None, ...]:
        """`DatasetInfo.held_out` of each training that led to these weights; None if not known."""
        return tuple(stage.get("held_out") for stage in self.stages)

    def held_out_like(self, held_out: str) -> bool | None:
        """Whether all trainings that led to these weights have held out the same posters.

        Args:
            held_out: `DatasetInfo.held_out` of a data set.

        Returns:
            None where that is not known.
        """
        if any(one not in (held_out, None) for one in self.held_out):
            return False
        return True if set(self.held_out) == {held_out} else None

    def describe(self) -> dict[str, object]:
        """Return what the network is, less its arrays and origin, as plain values."""
        return {
            "model": self.model,
            "size": self.size,
            "coarse_size": self.coarse_size,
            "embedding": self.embedding,
            "embedding_size": self.embedding_size,
            **asdict(self.decoding),
        }

    @classmethod
    def load(cls, file: Path) -> Weights:
        """Read a file.

        Raises:
            WeightsError: If the file is missing, damaged or of another format, or a value is out of
                range.
        """
        file = Path(file)
        if not file.is_file():
            raise WeightsError(f"there is no file {file}")
        if file.suffix == ".npz":
            raise WeightsError(
                f"{file} is not a file of weights (they end in {SUFFIX}): make one from a file of "
                "`recolor train --untracked`, with `recolor import-weights`"
            )
        try:
            with safe_open(file, framework="numpy") as content:
                about = json.loads((content.metadata() or {})[ABOUT])
                if (found := about["format"]) != FORMAT:
                    raise WeightsError(
                        f"{file} is of format {found}, another version's: make it again from its "
                        "training's file with `recolor import-weights`"
                    )
                tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
            if about.pop("digest") != _digest(tensors, about):
                raise ValueError("it was changed")
            del about["format"]
            _About.model_validate(about)
            cell_counts = tensors.pop("cell_counts")
            ColorClasses.from_counts(cell_counts)
            tensors = {name: _single(name, tensor) for name, tensor in tensors.items()}
            decoding = OwnDecoding(about.pop("temperature"), about.pop("vividness"))
            weights = cls(
                **about,
                decoding=decoding,
                cell_counts=cell_counts,
                calibration=tensors.pop("calibration", None),
                tensors={name.removeprefix(NETWORK): one for name, one in tensors.items()},
            )
        except WeightsError:
            raise
        except DAMAGES as error:
            known = isinstance(error, ValidationError)
            reason = first_mistake(error) if known else reason_of(error)
            raise WeightsError(f"{file} is not a complete file of weights ({reason})") from None
        if weights.model not in MODELS:
            raise WeightsError(
                f"{file} holds a {weights.model} network, not one of {', '.join(MODELS)}"
            )
        return weights

    def save(self, file: Path) -> None:
        """Write the file, or leave it as it was.

        Raises:
            WeightsError: If a weight is not a finite number.
        """
        small = {NETWORK + path: tensor for path, tensor in self.tensors.items()}
        if self.calibration is not None:
            small["calibration"] = self.calibration
        tensors = {name: _small(name, tensor) for name, tensor in small.items()}
        tensors["cell_counts"] = self.cell_counts
        about = {"format": FORMAT, **self.describe(), "origin": self.origin}
        metadata = {ABOUT: json.dumps({**about, "digest": _digest(tensors, about)})}
        with atomic_write(file) as temporary:
            temporary.write_bytes(save(tensors, metadata))

    def network(self) -> tuple[ModelKind, keras.Model]:
        """Build the network, for squares of its own size.

        Returns:
            The model kind's instance and the network.

        Raises:
            WeightsError: If the weights, the size or the calibration are another network's.
        """
        from recolor.models.decoding.vividness import SHAPE

        classes = ColorClasses.from_counts(self.cell_counts)
        kind = MODELS[self.model](classes, self.embedding_size)
        if self.size % kind.size_multiple:
            raise WeightsError(
                f"a {self.model} network takes squares whose side is a multiple of "
                f"{kind.size_multiple} pixels, not {self.size}"
            )
        if self.calibration is not None and self.calibration.shape != SHAPE:
            raise WeightsError(
                f"a calibration has the shape {SHAPE}, and not {self.calibration.shape}"
            )
        network = kind.build(self.size)
        self.begin(network, kind)
        return kind, network

    def begin(self, network: keras.Model, kind: ModelKind) -> None:
        """Give a network these weights; its color classes may be others.

        What a variant of these weights' kind has beside their layers stays as it is.

        Args:
            network: A network of the same kind, of any size.
            kind: The model kind's instance that has built it.

        Raises:
            WeightsError: If it is of another kind, or has an embedding of another length.
        """
        self.check_model(kind.name)
        own = ColorClasses.from_counts(self.cell_counts)
        try:
            values = kind.adapted(self.tensors, own)
            if kind.name != self.model:
                values = named_values(network.weights) | dict(values)
            assign_by_name(network.weights, values)
        except (ValueError, IndexError):
            raise WeightsError(
                f"weights of a {self.model} network do not fit this {kind.name} network: it has "
                "other layers or another embedding"
            ) from None

    def check_model(self, model: str) -> None:
        """Check that these are weights of a model kind, or of a variant of it.

        Raises:
            WeightsError: If they are another kind's.
        """
        if model.split("+")[0] != self.model.split("+")[0]:
            raise WeightsError(
                f"the weights are of a {self.model} network, not of a {model} network"
            )


def named_values(variables: Iterable[keras.Variable]) -> dict[str, np.ndarray]:
    """Return variables' values by their paths.

    Raises:
        ValueError: If two variables have the same path.
    """
    from keras import ops

    variables = list(variables)
    values = {variable.path: ops.convert_to_numpy(variable) for variable in variables}
    if len(values) < len(variables):
        raise ValueError("two layers have the same name")
    return values


def assign_by_name(variables: Iterable[keras.Variable], values: Mapping[str, np.ndarray]) -> None:
    """Give variables the values of their paths.

    Raises:
        ValueError: If there are others, or their shapes are others.
    """
    by_path = {variable.path: variable for variable in variables}
    if different := by_path.keys() ^ values.keys():
        raise ValueError(f"{min(different)} is in one of both only")
    for path, variable in by_path.items():
        variable.assign(values[path])


def _digest(tensors: dict[str, np.ndarray], about: dict) -> str:
    """Digest a file's content, since the format itself does not notice a changed byte."""
    sha256 = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name in sorted(tensors):
        sha256.update(name.encode())
        sha256.update(tensors[name].tobytes())
    return sha256.hexdigest()


def _single(name: str, tensor: np.ndarray) -> np.ndarray:
    """Return a tensor in single precision.

    Raises:
        ValueError: If a value is not a finite number then.
    """
    with np.errstate(over="ignore"):
        single = tensor.astype(np.float32)
    if not np.isfinite(single).all():
        raise ValueError(f"{name} holds a value that is not a finite number")
    return single


def _small(name: str, tensor: np.ndarray) -> np.ndarray:
    """Return a tensor in half precision, or, where a value is too large for that, in single.

    Raises:
        WeightsError: If a value is not a finite number.
    """
    if not np.isfinite(tensor).all():
        raise WeightsError(f"the weights of {name} hold a value that is not a finite number")
    with np.errstate(over="ignore"):
        half = np.ascontiguousarray(tensor, np.float16)
    return half if np.isfinite(half).all() else np.ascontiguousarray(tensor, np.float32)


def pretrained_file(model: str) -> Path:
    """Return where a model kind's weights are, if it is bundled."""
    return PRETRAINED / f"{model}.safetensors"


def pretrained_weights(model: str) -> Weights:
    """Read a model kind's weights.

    Raises:
        WeightsError: If there is no bundled network of this kind.
    """
    file = pretrained_file(model)
    if not file.is_file():
        raise WeightsError(f"no trained {model} network comes with recolor: train one")
    return Weights.load(file)
