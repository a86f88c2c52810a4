"""A Ray cluster that reads posters: what `read_chunk` makes of them, made on other machines.

Chunks come back as bytes and are written here, as those that this machine's own processes read: a
run that was interrupted may continue with or without a cluster. `RayCluster.each` calls any other
function there.
"""

import logging
import os
import signal
import socket
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from PIL import features

from recolor.datasets.chunks import Index, read_chunk, save_chunk
from recolor.datasets.errors import RecolorError, first_line, reason_of
from recolor.datasets.inputs import Place
from recolor.datasets.posters import try_read_poster

# A chunk is lost with the node or the process that reads it, and read again. What is lost so often
# ends the processes itself.
MOST_LOSSES = 5
SECONDS_TO_ANSWER = 10
ENVIRONMENT = {
    # Ray would tell its makers about a cluster that it starts.
    "RAY_USAGE_STATS_ENABLED": "0",
    # By default it tries again for ever, where memory was short.
    "RAY_task_oom_retries": str(MOST_LOSSES),
}
# What a poster's bytes depend on beside its file.
VERSIONS = ("poster-recolor", "numpy", "pillow", "scikit-image", "protobuf")

Files = list[tuple[str, Place]]


class ClusterError(RecolorError):
    """A Ray cluster can't be used. The message is one line and says why."""


class LostError(ClusterError):
    """The process that did something was lost again and again."""


@contextmanager
def ray_cluster(address: str | None) -> Iterator["RayCluster"]:
    """Connect to a cluster for a while.

    Args:
        address: As `ray.init` takes it. None for the one that ``RAY_ADDRESS`` names, or that runs
            on this machine; where there is none, one is started on this machine alone.

    Raises:
        ClusterError: If Ray is not installed, or the cluster can't be reached.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ModuleNotFoundError:
        raise ClusterError("Ray is not installed: pip install 'poster-recolor[ray]'") from None
    # It would print every loss to the standard output, in pages.
    ray._private.worker._worker_logs_enabled = False
    address = address or os.environ.get("RAY_ADDRESS")
    ours = signal.getsignal(signal.SIGTERM)
    try:
        _check_address(address)
        ray.init(address, logging_level=logging.CRITICAL, log_to_driver=False)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        where = f"at {address}" if address else "of this machine"
        raise ClusterError(f"no Ray cluster {where} can be used: {reason_of(error)}") from None
    # Ray's handler would end the command without a word.
    signal.signal(signal.SIGTERM, ours)
    try:
        yield RayCluster()
    finally:
        ray.shutdown()


def _check_address(address: str | None) -> None:
    """Check that somebody is at an address: Ray would try for minutes.

    Raises:
        OSError: If nobody is.
    """
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS_TO_ANSWER).close()


class RayCluster:
    """A cluster that this process is connected to."""

    def __init__(self):
        import ray

        self._read = ray.remote(max_retries=MOST_LOSSES)(_read_on_node)
        self._versions = versions()

    @property
    def workers(self) -> int:
        """How many chunks the cluster reads at once, as it is now: nodes come and go."""
        import ray

        return max(1, int(ray.cluster_resources().get("CPU", 0)))

    def submit(self, chunk: Path, files: Files, size: int, compression: str) -> "Reading":
        """Begin to read posters.

        Args:
            chunk, files, size, compression: As for `write_chunk`.
        """
        # A node has another working directory.
        absolute = [(name, path.absolute()) for name, path in files]
        reference = self._read.remote(absolute, size, compression, self._versions)
        return Reading(reference, chunk, files, size)

    def each(self, function: Callable, calls: Iterable[tuple], cores: int) -> Iterator:
        """Call a function again and again, on all nodes at once.

        What is lost with a node or a process is called again.

        Args:
            function: What is called; a process calls it one time after the other.
            calls: The arguments of each call. Some are asked for ahead of the results.
            cores: How many of a node's cores a call may take; all that it has, where it has less.

        Yields:
            What each call returns, in their order; a `LostError` where it was lost too often.

        Raises:
            RecolorError, OSError: As the function does.
            ClusterError: If it raises anything else.
        """
        import ray

        nodes = [node["Resources"].get("CPU", 0) for node in ray.nodes() if node["Alive"]]
        cores = max(1, min([cores, *(int(cpus) for cpus in nodes if cpus >= 1)]))
        remote = ray.remote(max_retries=MOST_LOSSES, num_cpus=cores)(function)
        begun: deque = deque()
        for arguments in calls:
            begun.append(remote.remote(*arguments))
            if len(begun) > 2 * max(1, self.workers // cores):
                yield _result(begun.popleft())
        while begun:
            yield _result(begun.popleft())


def _result(reference: object) -> object:
    """Wait for a call of `RayCluster.each`."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        return ray.get(reference)
    except RayTaskError as error:
        if isinstance(error.cause, (RecolorError, OSError)):
            raise error.cause from None
        raise ClusterError(
            f"a node of the Ray cluster failed, is recolor installed there? "
            f"({first_line(error.cause)})"
        ) from None
    except RayError as error:
        return LostError(
            f"its process was lost {MOST_LOSSES + 1} times ({type(error).__name__}): it may need "
            "more memory than a node has"
        )


@dataclass(frozen=True)
class Reading:
    """A chunk that a cluster reads."""

    reference: object
    chunk: Path
    files: Files
    size: int

    def result(self) -> None:
        """Wait for it, and write it.

        Raises:
            ClusterError: If the cluster can't read it, or not as this machine would.
        """
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            framed, index, node = ray.get(self.reference)
        except RayTaskError as error:
            if isinstance(error.cause, RecolorError):
                raise error.cause from None
            raise ClusterError(
                "a node of the Ray cluster can't read posters, is recolor installed there? "
                f"({first_line(error.cause)})"
            ) from None
        except RayError as error:
            raise ClusterError(
                f"the process that reads the {len(self.files)} posters from {self.files[0][0]} to "
                f"{self.files[-1][0]} was lost {MOST_LOSSES + 1} times ({type(error).__name__}): "
                "one of them may need more memory than a node has; run the same command again to "
                "continue where it stopped"
            ) from None
        self._check_skipped(index, node)
        save_chunk(self.chunk, framed, index)

    def _check_skipped(self, index: Index, node: str) -> None:
        """Check that what was skipped on a node is skipped here as well."""
        for name, reason in index.skipped:
            same = [path for its_name, path in self.files if its_name == name]
            if reason not in [try_read_poster(path, self.size) for path in same]:
                raise ClusterError(
                    f"{same[0]} can be used here, but not on the node {node} ({reason}): all nodes "
                    "need the posters at the same path"
                )


def _read_on_node(
    files: Files, size: int, compression: str, wanted: dict[str, str]
) -> tuple[list[bytes], Index, str]:
    """Read posters as `read_chunk` does, and say where."""
    check_versions(wanted)
    return *read_chunk(files, size, compression), socket.gethostname()


def versions(*more: str) -> dict[str, str]:
    """Return the versions of what results depend on.

    Args:
        more: Further packages; they need not be installed.
    """
    libraries = {"zlib": zlib.ZLIB_RUNTIME_VERSION, "libwebp": features.version("webp")}
    return {**{name: _version(name) for name in (*VERSIONS, *more)}, **libraries}


def check_versions(wanted: dict[str, str]) -> None:
    """Check that this node has the versions of the machine that asks.

    Args:
        wanted: What `versions` has returned there.

    Raises:
        ClusterError: If it has not.
    """
    libraries = ("zlib", "libwebp")
    here = versions(*(name for name in wanted if name not in (*VERSIONS, *libraries)))
    for name, found in here.items():
        if found != wanted[name]:
            raise ClusterError(
                f"the node {socket.gethostname()} has {name} {found}, and this machine "
                f"{wanted[name]}: install the same version everywhere"
            )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "in no version"
