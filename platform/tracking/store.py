"""The MLflow store, and what every run records about where it came from."""

import json
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain, count, permutations
from pathlib import Path

import mlflow
from mlflow.data.dataset_source_registry import resolve_dataset_source
from mlflow.data.meta_dataset import MetaDataset
from mlflow.db import upgrade
from mlflow.entities import LifecycleStage, Run
from mlflow.exceptions import MlflowException
from mlflow.store import db_migrations
from mlflow.store.artifact.models_artifact_repo import ModelsArtifactRepository
from mlflow.store.db.db_types import DATABASE_ENGINES
from mlflow.store.tracking import DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE
from mlflow.utils.uri import is_local_uri

from recolor.datasets.combination import load_data
from recolor.datasets.dataset_info import DatasetError, DatasetInfo
from recolor.datasets.errors import RecolorError
from recolor.datasets.manifest import Manifest
from recolor.platform.tracking.database import check_writable, ensure_database, sqlite_file
from recolor.platform.tracking.lost_runs import PROCESS_TAG, at_work, close_lost_runs
from recolor.platform.tracking.place import DEFAULT_STORE
from recolor.platform.tracking.provenance import origin
from recolor.platform.tracking.server import CHECK_SECONDS, check_server, patience

EXPERIMENT = "recolor"
# Of a run: the digest of its data set, or of all its data sets together.
DATA_TAG = "dataset.digest"
# Most characters of a digest that MLflow takes.
DIGEST = 36


class RunError(RecolorError):
    """A run can't be found, begun or resumed."""


def connect(to_write: bool = False) -> None:
    """Choose the store: ``MLFLOW_TRACKING_URI``, or ``mlruns/`` in the working directory.

    A database is made, or brought up to date, where need be. Runs of killed processes are closed.

    Args:
        to_write: Whether to check first of all that something can be written.

    Raises:
        DatabaseError, ServerError: If it can't be used.
    """
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        mlflow.set_tracking_uri(DEFAULT_STORE)
    _ensure_store(mlflow.get_tracking_uri())
    if to_write:
        check_writable(mlflow.get_tracking_uri())


def _ensure_store(uri: str) -> None:
    scheme = re.match(r"\w*", uri)[0].lower()
    if scheme in DATABASE_ENGINES:
        ensure_database(uri, _prepare, Path(db_migrations.__path__[0]))
    elif scheme in ("http", "https"):
        check_server()
    close_lost_runs()


def _prepare(url: str) -> None:
    """Make or upgrade MLflow's tables, and the experiment that it always wants to find."""
    # The function of `mlflow db upgrade`.
    upgrade.callback(url)
    SqlAlchemyStore(url, DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH).engine.dispose()


def default_store() -> Path | None:
    """Return the database that is used because no other was chosen; MLflow has another default."""
    return sqlite_file(DEFAULT_STORE) if mlflow.get_tracking_uri() == DEFAULT_STORE else None


@contextmanager
def own_store(folder: Path) -> Iterator[str]:
    """Use a store in a folder of its own for a while, and leave the user's alone.

    Args:
        folder: The store's folder; what it holds already stays.

    Yields:
        The store's URI.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    uri, before = f"sqlite:///{folder}/mlflow.db", mlflow.get_tracking_uri()
    # Which store, run and experiment the user, or MLflow Projects, has chosen for this process.
    names = [f"MLFLOW_{name}" for name in ("TRACKING_URI", "REGISTRY_URI", "RUN_ID")]
    names += ["MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"]
    chosen = {name: os.environ.pop(name) for name in names if name in os.environ}
    mlflow.set_tracking_uri(uri)
    os.environ["MLFLOW_TRACKING_URI"] = uri
    try:
        _ensure_store(uri)
        if mlflow.get_experiment_by_name(EXPERIMENT) is None:
            # By default the artifacts would lie in the working directory.
            mlflow.create_experiment(EXPERIMENT, (folder / "artifacts").as_uri())
        yield uri
    finally:
        mlflow.set_tracking_uri(before)
        for name in names:
            os.environ.pop(name, None)
        os.environ.update(chosen)


@contextmanager
def tracked_run(
    name: str, about: str = "", run_id: str | None = None, tags: dict[str, str] | None = None
) -> Iterator[mlflow.ActiveRun]:
    """Begin a run, or continue one, with system metrics and the origin of the code.

    Within another run, it is that one's child. A resumed run keeps the tags of its origin, and
    gets those of now as ``resumed.1.version.poster-recolor``, and so on.

    Args:
        name: The run's name.
        about: What a new run does, as Markdown, for people who look at it in MLflow.
        run_id: The run to resume.
        tags: Tags that the run has from its first moment. Its parent's, among them, makes it a
            child of a run of another process.

    Raises:
        DatabaseError: If the store can't be written.
        RunError: If the experiment or the run was deleted.
    """
    check_writable(mlflow.get_tracking_uri())
    choose_experiment()
    if run_id and mlflow.get_run(run_id).info.lifecycle_stage == LifecycleStage.DELETED:
        raise RunError(f"run {run_id} was deleted: {_how_to_restore('runs', 'run-id', run_id)}")
    parent = mlflow.active_run()
    with at_work() as process:
        tags = {**(tags or {}), PROCESS_TAG: process}
        if run_id:
            # MLflow does it only after it has opened the run again.
            mlflow.MlflowClient().set_tag(run_id, PROCESS_TAG, process)
        active = mlflow.start_run(
            run_id,
            run_name=None if run_id else name,
            nested=parent is not None,
            tags=tags,
            log_system_metrics=True,
        )
        with active as run, _ended_by_errors(run):
            if parent is not None:
                # MLflow does it for new runs alone.
                mlflow.set_tag(MLFLOW_PARENT_RUN_ID, parent.info.run_id)
            if run_id:
                prefix = _next_resumption(run)
            else:
                prefix = ""
                describe(run, about)
            mlflow.set_tags({prefix + name: value for name, value in origin().items()})
            yield run


def describe(run: mlflow.ActiveRun, about: str) -> None:
    """Describe an active run, as Markdown, and name the run that it is part of."""
    if parent := run.data.tags.get(MLFLOW_PARENT_RUN_ID):
        about += f"\n\nPart of `{mlflow.get_run(parent).info.run_name}`."
    mlflow.set_tag(MLFLOW_RUN_NOTE, about)


def choose_experiment() -> None:
    """Choose the experiment of new runs: that of MLflow's variables, or else ``recolor``.

    Raises:
        RunError: If it was deleted.
    """
    # MLflow Projects and the user may have chosen one already.
    number = os.environ.get("MLFLOW_EXPERIMENT_ID")
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME")
    if number:
        experiment = mlflow.get_experiment(number)
    else:
        experiment = mlflow.get_experiment_by_name(name or EXPERIMENT)
    if experiment and experiment.lifecycle_stage == LifecycleStage.DELETED:
        how = _how_to_restore("experiments", "experiment-id", experiment.experiment_id)
        raise RunError(f"the experiment {experiment.name} was deleted: {how}")
    if not (number or name):
        experiment = mlflow.set_experiment(EXPERIMENT)
        # Where another process makes it at this instant, MLflow returns it without choosing it.
        mlflow.set_experiment(experiment_id=experiment.experiment_id)


def _how_to_restore(what: str, option: str, identity: str) -> str:
    command = f"mlflow {what} restore --{option} {identity}"
    if file := default_store():
        command = f"MLFLOW_TRACKING_URI={shlex.quote(f'sqlite:///{file}')} {command}"
    return f"`{command}` brings it back"


@contextmanager
def _ended_by_errors(run: mlflow.ActiveRun) -> Iterator[None]:
    """End a run as KILLED where it is interrupted, and as FAILED where something goes wrong."""
    try:
        yield
    except BaseException as error:
        # Unless the run has been ended already. What has gone wrong is to be said at once, also
        # where the server is gone as well.
        if mlflow.active_run() is run:
            status = "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
            with patience(retries=0, seconds=CHECK_SECONDS), suppress(MlflowException):
                mlflow.end_run(status)
        raise


def _next_resumption(run: mlflow.ActiveRun) -> str:
    """Return the prefix of this resumption's tags, ``resumed.N.``; earlier tags stay."""
    earlier = {name.split(".")[1] for name in run.data.tags if name.startswith("resumed.")}
    return f"resumed.{len(earlier) + 1}."


def log_parameters(run: mlflow.ActiveRun, parameters: dict[str, object]) -> None:
    """Log parameters; what the run has under a name already stays, and ours gets ``.used`` added.

    MLflow Projects logs an entry point's parameters itself, as they were typed or left empty, and
    MLflow never changes a parameter: not ``1e-4`` to ``0.0001``, nor nothing to the default. What
    changes again, as the epochs of a resumed run, gets ``.used.2`` added, and so on.
    """
    known = mlflow.get_run(run.info.run_id).data.params

    def free(name: str, value: object) -> str:
        """Return the first of NAME, NAME.used, NAME.used.2, ... that can take the value."""
        names = chain([name, f"{name}.used"], (f"{name}.used.{n}" for n in count(2)))
        return next(one for one in names if known.get(one, str(value)) == str(value))

    mlflow.log_params({free(name, value): value for name, value in parameters.items()})


def log_dataset(manifest: DatasetInfo, context: str) -> None:
    """Log a data set as the run's input, or each that it consists of, and its digest."""
    for part in manifest.parts:
        folder = part.folder.resolve()
        # The whole digest goes into a tag.
        digest = part.digest[:DIGEST]
        dataset = MetaDataset(resolve_dataset_source(str(folder)), name=part.name, digest=digest)
        try:
            mlflow.log_input(dataset, context=context)
        except MlflowException:
            # At this instant another run may have been the first one with this data set, which the
            # store keeps once. MLflow finds it now.
            mlflow.log_input(dataset, context=context)
    mlflow.set_tag(DATA_TAG, manifest.digest)


def logged_data(run_id: str | None) -> Manifest:
    """Read the data set that a run has logged, from where it was then.

    Raises:
        DatasetError: If it is not known, or its folder is gone or holds another one now.
    """
    try:
        run = mlflow.get_run(run_id) if run_id else None
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        run = None
    inputs = run.inputs.dataset_inputs if run else []
    if not inputs:
        raise DatasetError("the data set that it was trained on is not known")
    folders = []
    for dataset in (one.dataset for one in inputs):
        folder = Path(json.loads(dataset.source)["uri"])
        if not folder.is_dir():
            raise DatasetError(f"its data set is no longer in {folder}")
        if Manifest.load(folder).digest[:DIGEST] != dataset.digest:
            raise DatasetError(f"{folder} holds another data set now")
        folders.append(folder)
    # MLflow does not keep the order, which the digest of several depends on.
    for ordered in permutations(folders):
        with suppress(DatasetError):
            manifest = load_data(ordered)
            if manifest.digest == run.data.tags.get(DATA_TAG):
                return manifest
    raise DatasetError(f"{folders[0]} holds another data set now")


def runs_within(parent: Run, tag: str, value: object = None) -> list[Run]:
    """Find the runs within a run that have a tag.

    Args:
        parent: The run.
        tag: The tag's name.
        value: Its value; None for any.
    """
    wanted = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent.info.run_id}'"
    wanted += f" AND tags.`{tag}` " + ("LIKE '%'" if value is None else f"= '{value}'")
    return mlflow.search_runs(
        [parent.info.experiment_id], wanted, output_format="list", max_results=100_000
    )


def missing_folder(uri: str) -> Path | None:
    """Return the folder on this machine in which a model's or a run's files should be, but are not.

    The store keeps whole paths, which are wrong when it is moved.

    Args:
        uri: The model's URI, or where the run keeps its artifacts.

    Raises:
        MlflowException: If there is no such model.
    """
    while ModelsArtifactRepository.is_models_uri(uri):
        uri = ModelsArtifactRepository.get_underlying_uri(uri)
    if not is_local_uri(uri):
        return None
    folder = Path(local_file_uri_to_path(uri))
    return None if folder.exists() else folder
