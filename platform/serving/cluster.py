"""Recoloring on a Ray cluster: its processes load the model, read pictures and write results."""

import os
import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from recolor.datasets.atomic_file import PREFIX
from recolor.datasets.errors import first_line
from recolor.datasets.images import ImageError
from recolor.datasets.inputs import Place
from recolor.datasets.object_storage import RemotePath
from recolor.datasets.picture_file import PictureFile
from recolor.datasets.ray_cluster import (
    ClusterError,
    LostError,
    RayCluster,
    check_versions,
    versions,
)
from recolor.models.painter import Painter
from recolor.platform.serving.files import Recolored, recolor_file
from recolor.platform.serving.onnx_painter import SUFFIX
from recolor.platform.serving.targets import Task

# Of each process; more of them would help a picture little, and fewer take more memory.
CORES = 4


@dataclass(frozen=True)
class SharedModel:
    """What a process needs to load the model that this machine has loaded.

    Attributes:
        load: What loads it, of ``source`` and ``library``: a function that a process can import.
            It returns something with a ``painter``.
        source: Where the model is.
        library: The file of color schemes; None for recolor's own.
        environment: Variables and their values.
        versions: Versions of packages, by name.
    """

    load: Callable
    source: str
    library: Path | None
    environment: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, load: Callable, source: str, library: Path | None) -> "SharedModel":
        """Describe a model that this process has loaded."""
        # A node's processes can't share a GPU, of which TensorFlow takes all memory.
        environment = {"CUDA_VISIBLE_DEVICES": "-1"}
        if source.endswith(SUFFIX):
            needed = versions("onnxruntime")
        else:
            import keras

            environment["KERAS_BACKEND"] = keras.backend.backend()
            needed = versions("keras", "tensorflow", "jax", "torch")
        if ":/" in source:
            import mlflow

            environment["MLFLOW_TRACKING_URI"] = mlflow.get_tracking_uri()
        elif Path(source).is_file():
            # A node has another working directory.
            source = str(Path(source).absolute())
        library = library and library.absolute()
        return cls(load, source, library, tuple(environment.items()), tuple(needed.items()))


def cluster_engine(
    cluster: RayCluster, model: SharedModel, out: Place
) -> Callable[[Iterator[tuple]], Iterator[Recolored]]:
    """Make an engine of `recolor_files` of a cluster.

    It raises a `ClusterError` where a node can't load the model, can't read a picture that this
    machine can, or does not see the folder of the results. A picture whose process is lost again
    and again is skipped.

    Args:
        cluster: The cluster.
        model: The model.
        out: The folder of the results.
    """

    def recolor(calls: Iterator[tuple]) -> Iterator[Recolored]:
        begun: deque[Task] = deque()

        def with_model(sign: Path | None) -> Iterator[tuple]:
            for task, *rest in calls:
                begun.append(task)
                yield model, sign, _absolute(task), *rest

        with _sign_in(out) as sign:
            for done in cluster.each(_recolor_on_node, with_model(sign), CORES):
                task = begun.popleft()
                if isinstance(done, LostError):
                    yield Recolored(skipped=str(done))
                    continue
                result, node = done
                if result.unreadable:
                    _check_unreadable(task, node, result.skipped)
                yield result

    return recolor


def _absolute(task: Task) -> Task:
    targets, recipes = (
        tuple(place.absolute() for place in places) for places in (task.targets, task.recipes)
    )
    path, out = task.path.absolute(), task.out.absolute()
    return replace(task, path=path, out=out, targets=targets, recipes=recipes)


@contextmanager
def _sign_in(out: Place) -> Iterator[Path | None]:
    """Put something into a folder for a while, by which a node can tell whether it sees it."""
    if isinstance(out, RemotePath):
        yield None
        return
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=PREFIX, dir=out.absolute()) as sign:
        yield Path(sign)


def _check_unreadable(task: Task, node: str, reason: str) -> None:
    """Check that this machine can't read a picture either."""
    try:
        PictureFile.read(task.path)
    except ImageError:
        return
    raise ClusterError(
        f"{task.path} can be used here, but not on the node {node} ({reason}): all nodes need the "
        "pictures at the same path"
    )


def _recolor_on_node(
    model: SharedModel, sign: Path | None, *arguments: object
) -> tuple[Recolored, str]:
    """Recolor as `recolor_file` does, and say where."""
    node = socket.gethostname()
    if sign is not None and not sign.is_dir():
        raise ClusterError(
            f"the node {node} does not see {sign.parent}: results must go to a folder that all "
            "nodes share, or to object storage"
        )
    return recolor_file(_painter(model), *arguments), node


@cache
def _painter(model: SharedModel) -> Painter:
    """Load a model, once in each process."""
    check_versions(dict(model.versions))
    os.environ.update(model.environment)
    try:
        painter = model.load(model.source, model.library).painter
        _ = painter.network
        return painter
    except Exception as error:
        raise ClusterError(
            f"the node {socket.gethostname()} can't load the model: {first_line(error)}"
        ) from None
