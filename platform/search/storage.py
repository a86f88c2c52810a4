"""Where studies are kept: in a database, by Optuna's only storage that has heartbeats."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import optuna
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.storages._rdb.models import NOT_FOUND_MSG
from sqlalchemy.exc import SQLAlchemyError

from recolor.datasets.errors import RecolorError, first_line
from recolor.platform.tracking.database import ensure_database, parse_url
from recolor.platform.tracking.passwords import shown_url, without_passwords

# How long a process waits for the others that write to the same SQLite database.
BUSY_SECONDS = 60
# How often a trial is begun again whose worker was lost.
RETRIES = 2

# Trials that a worker has taken and given no sign of life of yet.
SILENT = sqlalchemy.text(
    "SELECT trial_id FROM trials WHERE study_id = :study AND state = 'RUNNING' "
    "AND trial_id NOT IN (SELECT trial_id FROM trial_heartbeats)"
)

MIGRATIONS = Path(optuna.__file__).parent / "storages" / "_rdb" / "alembic"


class StorageError(RecolorError):
    """A storage of studies can't be used."""


class StudyStorage(RDBStorage):
    """Optuna's storage, which outlives a moment without its database.

    With SQLite every transaction takes the lock that Optuna asks for only in the last moment: two
    workers would otherwise both find the same trial waiting, and both run it.

    Args:
        url: The database; its tables are there.
        heartbeat: Seconds between two signs of life of a trial.
        grace: Seconds without any after which a trial is given to another worker.
    """

    def __init__(self, url: str, heartbeat: int, grace: int):
        super().__init__(
            url,
            {"pool_pre_ping": True, **_arguments(url)},
            heartbeat_interval=heartbeat,
            grace_period=grace,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(RETRIES),
            skip_table_creation=True,
        )
        if self.engine.name == "sqlite":
            sqlalchemy.event.listen(self.engine, "connect", _leave_transactions_to_us)
            sqlalchemy.event.listen(self.engine, "begin", _begin_immediately)
            # Connections of before are another sort.
            self.engine.dispose()

    def record_heartbeat(self, trial_id: int) -> None:
        """Record a sign of life; one that is missed is made up for by the next."""
        with suppress(StorageInternalError):
            super().record_heartbeat(trial_id)

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        """Find the trials whose workers were lost, for `optuna.storages.fail_stale_trials`.

        Optuna looks only at trials with a heartbeat. A worker may be killed between taking a trial
        and its first one, so whoever looks gives such a trial a heartbeat: after the grace period
        it is stale like all others.
        """
        with self.engine.connect() as connection:
            silent = connection.execute(SILENT, {"study": study_id}).scalars().all()
        for trial_id in silent:
            self.record_heartbeat(trial_id)
        return super()._get_stale_trial_ids(study_id)


def open_storage(url: str, heartbeat: int, grace: int) -> StudyStorage:
    """Open a storage to work in; its database is made, or brought up to date, where need be.

    Args:
        url: The database, as SQLAlchemy names it.
        heartbeat, grace: As for `StudyStorage`.

    Raises:
        DatabaseError: If it can't be used.
    """
    ensure_database(url, _prepare, MIGRATIONS)
    return StudyStorage(url, heartbeat, grace)


def read_storage(url: str) -> RDBStorage:
    """Open a storage to look into it; a file that is not there is not made.

    Raises:
        StorageError: If there is no storage.
        DatabaseError: If it can't be used.
    """
    place = parse_url(url)
    if place.get_backend_name() == "sqlite" and not Path(place.database or "").is_file():
        raise StorageError(f"there are no studies in {place.database}: `recolor tune` begins one")
    ensure_database(url, _prepare, MIGRATIONS)
    return RDBStorage(url, _arguments(url), skip_table_creation=True)


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turn what goes wrong with a storage into one line.

    Raises:
        StorageError: In the place of an error of Optuna's or SQLAlchemy's.
    """
    try:
        yield
    except KeyError as error:
        if error.args != (NOT_FOUND_MSG,):
            raise
        raise StorageError(
            f"the study was deleted from {sqlalchemy.make_url(url)!r} meanwhile: run the same "
            "command again to begin a new one"
        ) from None
    except (StorageInternalError, SQLAlchemyError) as error:
        cause = error.__cause__ or error
        reason = first_line(getattr(cause, "orig", None) or cause)
        raise StorageError(
            f"the storage {shown_url(url)} failed: {without_passwords(reason)}"
        ) from None


def _prepare(url: str) -> None:
    storage = RDBStorage(url, skip_compatibility_check=True)
    # It sets up loggers of its own.
    if storage.get_current_version() != storage.get_head_version():
        storage.upgrade()
    storage.engine.dispose()


def _arguments(url: str) -> dict:
    if sqlalchemy.make_url(url).get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": BUSY_SECONDS}}
    return {}


def _leave_transactions_to_us(connection, record) -> None:
    connection.isolation_level = None


def _begin_immediately(connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
