"""Types of options, options that several commands share, and what some of them name."""

import math
import os
from collections.abc import Collection
from contextlib import nullcontext
from pathlib import Path

import click

from recolor.datasets.catalog import names_near
from recolor.datasets.object_storage import is_remote, place_of
from recolor.models.catalog import DEFAULT
from recolor.platform.cli.libraries import ignore_warnings, quiet_mlflow
from recolor.platform.cli.messages import say
from recolor.platform.cli.output import printable
from recolor.platform.search.options import DEFAULT_STORAGE


class Text(click.ParamType):
    """A text that is not empty: that of an unset variable of the shell stands for nothing."""

    name = "text"

    def convert(self, value, param, ctx):
        """Return the text."""
        if not value:
            self.fail("It is empty.", param, ctx)
        return value


class Place(click.Path):
    """A path, which is not empty; one that is written to has nothing in its way.

    An empty one would mean the current folder.

    Args:
        writable: Whether it is written to.
        folder: Whether it may be a folder.
        remote: Whether it may be in object storage.
    """

    def __init__(self, *, writable: bool = False, folder: bool = True, remote: bool = False):
        super().__init__(path_type=Path, writable=writable, dir_okay=folder)
        self.remote = remote

    def convert(self, value, param, ctx):
        """Convert a text to a path."""
        if not os.fspath(value):
            self.fail("It is empty.", param, ctx)
        if is_remote(value):
            if not self.remote:
                self.fail(f"{value} is in object storage: take a local path here.", param, ctx)
            return place_of(value)
        path = super().convert(value, param, ctx)
        if self.writable:
            self._check_way(path, param, ctx)
        elif path.is_char_device() or path.is_block_device():
            # It may never end. A pipe does: <(command) of the shell is one.
            self.fail(f"{str(path)!r} is a device, not a file or folder.", param, ctx)
        return path

    def _check_way(self, path: Path, param, ctx):
        """Check that there are only folders on the way, and no pipe or device at its end."""
        nearest = next(place for place in (path, *path.parents) if os.path.lexists(place))
        file_allowed = nearest == path and not self.dir_okay
        if not (nearest.is_dir() or (file_allowed and nearest.is_file())):
            kind = "file" if file_allowed else "folder"
            self.fail(f"{str(nearest)!r} exists and is not a {kind}.", param, ctx)


TEXT = Text()
# What is read, and what is written.
INPUT = Place(remote=True)
INPUT_FILE = Place(folder=False)
OUTPUT = Place(writable=True)
OUTPUT_ANYWHERE = Place(writable=True, remote=True)
OUTPUT_FILE = Place(writable=True, folder=False)
COUNT = click.IntRange(1)
SEED = click.IntRange(0, 2**32 - 1)
OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace what is there already.")
JSON = click.option("--json", is_flag=True, help="Print JSON instead of a table.")


class Finite(click.FloatRange):
    """A FloatRange that rejects nan and infinity."""

    def convert(self, value, param, ctx):
        """Convert a text to a number in the range."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


class Name(click.Choice):
    """A Choice whose names are asked for each time: a catalog may get new ones.

    Args:
        names: The names; it may hold more than it lists.
    """

    def __init__(self, names: Collection[str]):
        self.names = names
        self.case_sensitive = True

    @property
    def choices(self) -> tuple[str, ...]:
        """The names that are listed."""
        return tuple(self.names)

    def convert(self, value, param, ctx):
        """Return the name."""
        if value not in self.names:
            near = ", ".join(map(repr, names_near(self.names, value)))
            self.fail(f"{value!r} is not one of {near}.", param, ctx)
        return value


class Several(click.Option):
    """An option of several values. An environment variable holds them one a line."""

    def value_from_envvar(self, ctx):
        """Return the lines of the environment variable; None if it is not set."""
        text = self.resolve_envvar_value(ctx)
        return None if text is None else [line for line in text.split("\n") if line]


class Repeated(Several):
    """An option that may be repeated."""

    def __init__(self, *declarations, **options):
        super().__init__(*declarations, multiple=True, **options)


DATA = click.option(
    "--data",
    cls=Repeated,
    type=INPUT,
    default=["data"],
    show_default=True,
    help="Prepared data set. May be repeated: of the further ones, only the training posters are "
    "used.",
)
MODEL_METAVAR = "champion|URI|FILE|KIND"
MODEL_DEFAULT = f"[default: the champion if it is better than the bundled {DEFAULT}, else that]"
MODEL = click.option(
    "--model",
    metavar=MODEL_METAVAR,
    type=TEXT,
    help="The champion, another registered model, a file of weights, an ONNX file of `recolor "
    f"export`, or the kind of a bundled network.  {MODEL_DEFAULT}",
)
LIBRARY = click.option(
    "--library",
    type=INPUT_FILE,
    help="Color schemes to choose from, made by `recolor palettes --make`, instead of recolor's.",
)
ENGINES = click.Choice(["local", "ray"])
RAY_ADDRESS = click.option(
    "--ray-address",
    metavar="ADDRESS",
    type=TEXT,
    help="Ray cluster, as HOST:6379.  [default: RAY_ADDRESS, or the one of this machine, or else "
    "one is started on it]",
)
STORAGE = click.option(
    "--storage",
    metavar="URL",
    type=TEXT,
    envvar=["RECOLOR_TUNE_STORAGE", "RECOLOR_STUDIES_STORAGE", "RECOLOR_OPTUNA_STORAGE"],
    help="Database of the studies; RECOLOR_OPTUNA_STORAGE names another one for good.  "
    f"[default: {DEFAULT_STORAGE}]",
)


def read_data(places):
    """Read what `--data` names; of several data sets, say what comes together.

    Args:
        places: Where they are.

    Returns:
        A `Dataset`.
    """
    from recolor.datasets.combination import Combination
    from recolor.datasets.dataset import Dataset

    data = Dataset(*places)
    manifest = data.manifest
    if isinstance(manifest, Combination):
        first = manifest.data_sets[0]
        left_out = (
            (manifest.like_held_out, f"like posters that {first} holds out"),
            (manifest.known, "there already"),
        )
        said = [f"{len(numbers)} {why}" for numbers, why in left_out if numbers]
        more = f"; left out: {', '.join(said)}" if said else ""
        counts = f"{manifest.count('train')} training posters of {manifest}"
        say(printable(f"{counts}{more}"), err=True)
    return data


def find_model(source, library=None):
    """Find what `--model` names, and silence MLflow where there is a store to ask.

    Args:
        source: What was typed; None if nothing was.
        library: The file of color schemes; None for recolor's own.

    Returns:
        A `Model`.

    Raises:
        RecolorError: If it can't be had; what is typed wrong is said before MLflow is imported.
    """
    from recolor.datasets.palettes.library import load_library
    from recolor.platform.registry.model import load_model
    from recolor.platform.registry.sources import check_source
    from recolor.platform.registry.tasks import CHAMPION
    from recolor.platform.tracking.place import store_exists

    load_library(library)
    if source is not None:
        check_source(source)
    in_store = source == CHAMPION or (source is not None and ":/" in source)
    if in_store or store_exists():
        quiet_mlflow()
    else:
        ignore_warnings()
    return load_model(source, library)


def cluster_of(engine, ray_address):
    """Connect to the cluster that is asked for.

    Args:
        engine: Of `ENGINES`.
        ray_address: That of `RAY_ADDRESS`.

    Returns:
        A context manager for a `RayCluster`, or for None on this machine.

    Raises:
        click.UsageError: If there is an address, but no cluster is asked for.
    """
    if engine == "ray":
        from recolor.datasets.ray_cluster import ray_cluster

        return ray_cluster(ray_address)
    if ray_address:
        raise click.UsageError("--ray-address is for --engine ray")
    return nullcontext()
