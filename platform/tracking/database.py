"""Databases that appear whole, however many processes ask for them first, or are killed meanwhile.

Both MLflow and Optuna make the tables of their stores when they open them, without a lock and in
many steps: two processes at once, or one that is killed, would leave half of them for good.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from filelock import FileLock, Timeout
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from recolor.datasets.atomic_file import check_writable as check_folder_writable
from recolor.datasets.errors import RecolorError, first_line, reason_of
from recolor.platform.tracking.passwords import shown_url, without_passwords

# How long to wait for a database server, and for another process that makes the same database.
CONNECT_SECONDS, LOCK_SECONDS = 10, 120
# An advisory lock of PostgreSQL is a number that all who want it agree on.
ADVISORY_LOCK = 0x7265636F6C6F72


class DatabaseError(RecolorError):
    """A database can't be reached, made, read or upgraded."""


def ensure_database(url: str, prepare: Callable[[str], None], migrations: Path) -> None:
    """Make a database, or upgrade its schema; leave it alone where its schema is the newest.

    A new SQLite database is made in a temporary file, which is renamed when it is whole. An old one
    is upgraded in a copy, which takes its place in a single transaction. Elsewhere `prepare` works
    on the database itself; with PostgreSQL only one process at a time does.

    Args:
        url: The database, as SQLAlchemy names it.
        prepare: Makes the tables of the empty or older database at a URL, and closes it.
        migrations: The folder of Alembic scripts that lead to the newest schema.

    Raises:
        DatabaseError: If the database can't be used, or is of a later version.
    """
    place = parse_url(url)
    try:
        scripts = ScriptDirectory(str(migrations))
        if _is_file(place):
            _ensure_file(place, prepare, scripts)
        else:
            _ensure_on_server(place, prepare, scripts)
    except DatabaseError:
        raise
    except ModuleNotFoundError as error:
        raise DatabaseError(
            f"{_shown(place)} needs the package {error.name}, which is not installed; PostgreSQL "
            "is reached by postgresql+psycopg://... after pip install 'psycopg[binary]'"
        ) from None
    # Migrations raise a ValueError where what is there is not what they expect.
    except (SQLAlchemyError, sqlite3.Error, CommandError, OSError, ValueError) as error:
        reason = without_passwords(first_line(getattr(error, "orig", None) or error))
        raise DatabaseError(f"the database {_shown(place)} can't be used: {reason}") from None


def check_writable(url: str) -> None:
    """Check that a SQLite database can be written, and so can its folder.

    Databases that do not exist yet, and those of other kinds, are not checked.

    Raises:
        DatabaseError: If it can't be written.
    """
    file = sqlite_file(url)
    if file and file.exists():
        try:
            file.open("r+b").close()
            check_folder_writable(file.parent)
        except OSError as error:
            raise DatabaseError(
                f"the database {file} can't be written: {reason_of(error)}; "
                "MLFLOW_TRACKING_URI names another one"
            ) from None


def parse_url(url: str) -> sqlalchemy.URL:
    """Parse a database's URL.

    Raises:
        DatabaseError: If it is not a URL, or of a kind of database that SQLAlchemy does not know.
    """
    try:
        place = sqlalchemy.make_url(url)
        place.get_dialect()
    except (ArgumentError, NoSuchModuleError):
        # Not all of it, which may hold a password.
        scheme = url.partition(":")[0]
        raise DatabaseError(f"{scheme}:... is not a database URL that SQLAlchemy knows") from None
    except ValueError:
        raise DatabaseError(f"the port of the database {shown_url(url)} is not a number") from None
    return place


def _shown(place: sqlalchemy.URL) -> str:
    return shown_url(place.render_as_string(hide_password=False))


@contextmanager
def alone(url: str) -> Iterator[None]:
    """Hold a lock of a database's own, which one process at a time can have.

    It is a file beside a SQLite database, and PostgreSQL's elsewhere; other databases have none.

    Raises:
        DatabaseError: If another process does not give it back in time.
    """
    place = parse_url(url)
    if not _is_file(place):
        with _alone(place):
            yield
        return
    with _file_lock(Path(place.database).resolve()):
        yield


@contextmanager
def _file_lock(file: Path) -> Iterator[None]:
    lock = FileLock(f"{file}.lock", timeout=LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout:
        raise DatabaseError(
            f"another process has held {file}.lock for {LOCK_SECONDS} s: end it, and try again"
        ) from None
    try:
        yield
    finally:
        lock.release()


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite database; None for any other store."""
    try:
        place = sqlalchemy.make_url(url)
    except (ArgumentError, ValueError):
        return None
    return Path(place.database).resolve() if _is_file(place) else None


def _is_file(place: sqlalchemy.URL) -> bool:
    return place.get_backend_name() == "sqlite" and place.database not in (None, "", ":memory:")


def _ensure_file(
    place: sqlalchemy.URL, prepare: Callable[[str], None], scripts: ScriptDirectory
) -> None:
    # A link stays one.
    file = Path(place.database).resolve()
    if file.exists() and _is_newest(place, scripts):
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with _file_lock(file):
        # Another process may have been here first.
        if not (file.exists() and _is_newest(place, scripts)):
            _make_file(file, place, prepare)


def _make_file(file: Path, place: sqlalchemy.URL, prepare: Callable[[str], None]) -> None:
    new = file.with_name(f"{file.name}.new")
    # What a process has left that was killed here, with the journals of SQLite.
    for leftover in file.parent.glob(f"{new.name}*"):
        leftover.unlink()
    temporary = place.set(database=str(new)).render_as_string(hide_password=False)
    if not file.exists():
        prepare(temporary)
        with closing(sqlite3.connect(new)) as made:
            # Nothing may stay behind in a journal, which keeps its name.
            made.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        new.replace(file)
        return
    with closing(sqlite3.connect(file, timeout=LOCK_SECONDS)) as old:
        # The lock is kept after the transaction: nobody writes between the copy and its return.
        old.execute("PRAGMA locking_mode = EXCLUSIVE")
        old.execute("BEGIN EXCLUSIVE")
        old.commit()
        with closing(sqlite3.connect(new)) as copy:
            old.backup(copy)
        prepare(temporary)
        with closing(sqlite3.connect(new)) as copy:
            copy.backup(old)
    new.unlink()


def _ensure_on_server(
    place: sqlalchemy.URL, prepare: Callable[[str], None], scripts: ScriptDirectory
) -> None:
    if _is_newest(place, scripts):
        return
    with _alone(place):
        if not _is_newest(place, scripts):
            prepare(place.render_as_string(hide_password=False))


@contextmanager
def _alone(place: sqlalchemy.URL) -> Iterator[None]:
    """Hold a lock that PostgreSQL gives to one connection, and takes back when that ends."""
    with _connection(place) as connection:
        if place.get_backend_name() == "postgresql":
            # No transaction may stay open meanwhile.
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            lock = sqlalchemy.func.pg_advisory_lock(ADVISORY_LOCK)
            connection.execute(sqlalchemy.select(lock))
        yield


def _is_newest(place: sqlalchemy.URL, scripts: ScriptDirectory) -> bool:
    """Whether a database's schema is the newest; an empty one's is not.

    Raises:
        DatabaseError: If it is one that the scripts don't know.
    """
    with _connection(place) as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in {one.revision for one in scripts.walk_revisions()}:
        raise DatabaseError(
            f"the database {_shown(place)} was made by a later version of recolor's packages, or "
            f"by another program (its schema is {found}): install that version, or use another "
            "database"
        )
    return found == scripts.get_current_head()


@contextmanager
def _connection(place: sqlalchemy.URL) -> Iterator[sqlalchemy.Connection]:
    by_libpq = place.get_dialect().driver.startswith("psycopg")
    limits = {"connect_timeout": CONNECT_SECONDS} if by_libpq else {}
    engine = sqlalchemy.create_engine(place, poolclass=sqlalchemy.NullPool, connect_args=limits)
    with engine.connect() as connection:
        yield connection
