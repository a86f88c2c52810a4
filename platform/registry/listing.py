"""The registered versions, with what they are worth and where they came from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timezone

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from recolor.evaluation.answers import Measured, by_name
from recolor.platform.registry.comparison import shortfall
from recolor.platform.registry.tasks import CHAMPION, RECOLORING, Task
from recolor.platform.registry.versions import (
    DATA_TAG,
    KIND_TAG,
    POSTERS_TAG,
    registered_model,
    registered_versions,
    validated_metrics,
)
from recolor.platform.tracking.provenance import COMMIT_TAG, DIRTY_TAG, STUDY_TAG

# Before the tags of the training that an imported run was made of.
TRAINED = "trained."


@dataclass(frozen=True)
class ListedVersion:
    """A version. What is not known, or was deleted, is None.

    Attributes:
        version: Its number.
        kind: Name of its model kind.
        aliases: Its aliases, as ``champion``.
        by_default: Whether it is the champion and answers by default.
        metrics: As `recolor.evaluation.validation` has returned them.
        data: Digest of its data set.
        training_posters: How many posters it learned from.
        run: Id of the run that registered it.
        study: The study that the run belongs to.
        commit: The commit of the code that trained it.
        dirty: Whether that code had changes that were not committed.
        time: When it was registered, in UTC, as ISO 8601.
    """

    version: int
    kind: str | None
    aliases: list[str]
    by_default: bool
    metrics: Measured
    data: str | None
    training_posters: int | None
    run: str | None
    study: str | None
    commit: str | None
    dirty: bool
    time: str

    def describe(self) -> dict:
        """Return it as JSON holds it, with metrics by their names."""
        return asdict(self) | {"metrics": by_name(self.metrics)}


def list_versions(task: Task = RECOLORING) -> list[ListedVersion]:
    """Return all versions of a task in this store, the newest first."""
    model = registered_model(task)
    aliases = model.aliases if model else {}
    versions = sorted(registered_versions(task), key=lambda version: -int(version.version))
    return [
        _listed(one, sorted(name for name in aliases if str(aliases[name]) == str(one.version)))
        for one in versions
    ]


def _listed(version: ModelVersion, aliases: list[str]) -> ListedVersion:
    run = _tags_of_run(version.run_id)
    seconds = version.creation_timestamp / 1000
    posters = version.tags.get(POSTERS_TAG, "")
    return ListedVersion(
        version=int(version.version),
        kind=version.tags.get(KIND_TAG),
        aliases=aliases,
        by_default=CHAMPION in aliases and shortfall(version) is None,
        metrics=validated_metrics(version.tags),
        data=version.tags.get(DATA_TAG),
        training_posters=int(posters) if posters.isdecimal() else None,
        run=version.run_id or None,
        study=run.get(STUDY_TAG),
        commit=run.get(TRAINED + COMMIT_TAG, run.get(COMMIT_TAG)),
        dirty=run.get(TRAINED + DIRTY_TAG, run.get(DIRTY_TAG)) == "true",
        time=datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds"),
    )


def _tags_of_run(run_id: str | None) -> dict[str, str]:
    if not run_id:
        return {}
    try:
        return mlflow.get_run(run_id).data.tags
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return {}
        raise
