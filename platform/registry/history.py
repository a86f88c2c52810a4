"""Every promotion and rollback of a task, kept in tags of its registered model.

MLflow can neither lock a registered model nor compare a tag before it writes it. So each change is
a tag of its own, which no other process writes: none is lost, however many processes and machines
make changes at once. The names of the tags put the changes in order, and whoever records one sets
the alias ``champion`` until it agrees with the last of them.
"""

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from uuid import uuid4

import mlflow
from mlflow.exceptions import MlflowException

from recolor.platform.registry.tasks import CHAMPION, RECOLORING, Task
from recolor.platform.registry.versions import RegistryError, registered_model

# The tags of changes begin so. A number follows, above those of all changes that were known then,
# and a random part, since two processes may take the same number.
CHANGE_TAG = "champion.change."


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Change:
    """A promotion or a rollback.

    Attributes:
        from_version: The champion before; None if there was none.
        to_version: The champion after it.
        reason: Why, in words.
        rollback: Whether it went back to an earlier champion.
        metric: What the two versions were compared by; None in a rollback.
        from_value: What the champion before had of it; None if that is not known.
        to_value: What the champion after it has of it; None if that is not known.
        data: Digest of the data set that ``to_value`` was measured on.
        time: When it was made, in UTC, as ISO 8601.
    """

    from_version: str | None
    to_version: str
    reason: str
    rollback: bool = False
    metric: str | None = None
    from_value: float | None = None
    to_value: float | None = None
    data: str | None = None
    time: str = field(default_factory=_now)


def read_history(task: Task = RECOLORING) -> dict[str, Change]:
    """Read all changes of a task's champion: by their tags, the oldest first.

    Raises:
        RegistryError: If a tag is damaged.
    """
    model = registered_model(task)
    changes = {}
    for tag, text in sorted(model.tags.items()) if model else ():
        if tag.startswith(CHANGE_TAG):
            try:
                _number(tag)
                changes[tag] = Change(**json.loads(text))
            except (ValueError, TypeError):
                raise RegistryError(
                    f"tag {tag} of the registered model {task.model} is damaged: "
                    "delete it in MLflow"
                ) from None
    return changes


def former_champions(task: Task = RECOLORING) -> list[str]:
    """Return the versions that a rollback may go back to, the next one last.

    Raises:
        RegistryError: If a tag is damaged.
    """
    former: list[str] = []
    for change in read_history(task).values():
        if not change.rollback:
            former += [change.from_version] if change.from_version else []
        elif change.to_version in former:
            while former.pop() != change.to_version:
                pass
    return former


def record(change: Change, task: Task = RECOLORING) -> str:
    """Keep a change, and give the alias to its version unless another change comes after it.

    Returns:
        The change's tag.

    Raises:
        RegistryError: If a tag is damaged.
    """
    number = max(map(_number, read_history(task)), default=0) + 1
    tag = f"{CHANGE_TAG}{number:06}.{uuid4().hex[:12]}"
    client = mlflow.MlflowClient()
    # The tag first: if the process ends here, the history has a change too many, not one too few.
    client.set_registered_model_tag(task.model, tag, json.dumps(asdict(change)))
    settled = None
    # Whoever sets the alias last reads the changes once more, and so it agrees with all of them.
    while (newest := _newest(task))[0] != settled:
        settled, version = newest
        _set_alias(client, task, version)
    return tag


def _set_alias(client: mlflow.MlflowClient, task: Task, version: str) -> None:
    try:
        client.set_registered_model_alias(task.model, CHAMPION, version)
    except MlflowException:
        # MLflow looks whether there is the alias, then inserts it. Where two do so at once for the
        # first time, one fails; now there is the alias.
        client.set_registered_model_alias(task.model, CHAMPION, version)


def _number(tag: str) -> int:
    return int(tag.removeprefix(CHANGE_TAG).split(".")[0])


def _newest(task: Task) -> tuple[str, str]:
    """Return the last change's tag and its new champion."""
    tag, change = list(read_history(task).items())[-1]
    return tag, change.to_version
