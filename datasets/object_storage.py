"""Files in object storage: ``s3://bucket/path``, and what else Arrow reads: ``gs://``, ``abfs://``.

An object appears whole or not at all: its content is handed over by one call.
"""

import mmap
import os
import re
import shutil
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar

from recolor.datasets.errors import RecolorError

SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss")
# A server that has answered before is waited for: it may be started anew.
PATIENCE_SECONDS = 120
LONGEST_PAUSE = 10
BLOCK = 8 << 20
LONGEST_REASON = 200
CONNECT_SECONDS = 3
REQUEST_SECONDS = 20
# What no waiting mends.
DENIED = "ACCESS_DENIED|INVALID_|SIGNATURE|CREDENTIALS|TOKEN"
FINAL = f"{DENIED}|NO_SUCH_BUCKET|PERMANENT|status 4(?!08|29)"

Answer = TypeVar("Answer")


class StorageError(RecolorError):
    """Object storage can't be used. The message is one line and says why."""


def is_remote(place: object) -> bool:
    """Tell whether a text names a place in object storage."""
    return str(place).startswith(tuple(f"{scheme}://" for scheme in SCHEMES))


@dataclass(frozen=True)
class RemotePath:
    """A place in object storage, used as a `pathlib.Path` is.

    Attributes:
        uri: As ``s3://bucket/path``.
        size: In bytes, where it is known from a listing.
        modified: When, in nanoseconds since 1970, where it is known from a listing.
    """

    uri: str
    size: int = field(default=0, compare=False)
    modified: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return self.uri

    def __truediv__(self, name: str) -> "RemotePath":
        return RemotePath(f"{self.uri.rstrip('/')}/{name}")

    @property
    def name(self) -> str:
        """The last part."""
        return self.uri.rstrip("/").rpartition("/")[2]

    def absolute(self) -> "RemotePath":
        """Return itself."""
        return self

    resolve = absolute

    def stat(self) -> SimpleNamespace:
        """Return what the listing has said of a file, named as by `os.stat`."""
        return SimpleNamespace(st_mode=stat.S_IFREG, st_size=self.size, st_mtime_ns=self.modified)

    def exists(self, waits: bool = True) -> bool:
        """Ask whether there is a file.

        Raises:
            StorageError: If nobody answers, although it was tried again and again, if it waits; or
                not to this user.
        """
        files, path = _opened(self.uri)
        return _tried(lambda: files.get_file_info(path).is_file, self, waits)

    def files(self) -> list["RemotePath"]:
        """List all files in a folder and its folders; of a file, itself; none, if it is neither.

        Raises:
            StorageError: If nobody answers, or not to this user.
        """
        from pyarrow.fs import FileSelector

        files, path = _opened(self.uri)

        def look() -> list:
            itself = files.get_file_info(path)
            if itself.is_file:
                return [itself]
            with suppress(FileNotFoundError):
                return files.get_file_info(FileSelector(path, recursive=True))
            return []

        return [
            RemotePath(
                self.uri.rstrip("/") + file.path.removeprefix(path), file.size, file.mtime_ns or 0
            )
            for file in _tried(look, self, waits=False)
            if file.is_file
        ]

    def read_bytes(self, waits: bool = True) -> bytes:
        """Read a file.

        Raises:
            FileNotFoundError: If there is none.
            StorageError: If it can't be read, although it was tried again and again, if it waits.
        """
        files, path = _opened(self.uri)

        def read() -> bytes:
            with files.open_input_file(path) as file:
                return file.read()

        return _tried(read, self, waits)

    def write_bytes(self, content: bytes, waits: bool = True) -> None:
        """Write a file, in the place of what is there.

        Raises:
            StorageError: If it can't be written, although it was tried again, if it waits.
        """
        files, path = _opened(self.uri)

        def write() -> None:
            # Whatever is raised between two writes would leave the first of them as the file.
            with files.open_output_stream(path) as file:
                file.write(content)
            written = files.get_file_info(path).size
            if written != len(content):
                raise OSError(f"{written} of {len(content)} bytes were written")

        _tried(write, self, waits)

    def download(self, target: Path) -> None:
        """Copy a file to this machine.

        Raises:
            FileNotFoundError: If there is none.
            StorageError: If it can't be read.
        """
        files, path = _opened(self.uri)

        def copy() -> None:
            with files.open_input_file(path) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, BLOCK)

        _tried(copy, self)

    def upload(self, source: Path) -> None:
        """Copy a file of this machine.

        Raises:
            StorageError: If it can't be written.
        """
        with source.open("rb") as file:
            if os.fstat(file.fileno()).st_size:
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                    self.write_bytes(content)
            else:
                # It can't be mapped.
                self.write_bytes(b"")

    def unlink(self) -> None:
        """Remove a file.

        Raises:
            StorageError: If it can't be removed.
        """
        files, path = _opened(self.uri)
        _tried(lambda: files.delete_file(path), self)

    def check_writable(self) -> None:
        """Find out that files can be written there before long work.

        Raises:
            StorageError: If they can't.
        """
        trial = self / ".recolor-trial"
        trial.write_bytes(b"may be removed", waits=False)
        trial.unlink()


def _tried(act: Callable[[], Answer], place: RemotePath, waits: bool = True) -> Answer:
    """Do something; where it fails and waits, again and again, but not for too long.

    Raises:
        FileNotFoundError: If a file is not there.
        StorageError: If it fails for another reason.
    """
    from pyarrow import ArrowException

    begun, pause = time.monotonic(), 0.5
    while True:
        try:
            return act()
        except FileNotFoundError as error:
            raise FileNotFoundError(2, "no such object", place.uri) from error
        except (OSError, ValueError, ArrowException) as error:
            text = " ".join(str(error).split())
            late = time.monotonic() + pause - begun > PATIENCE_SECONDS
            if not waits or late or re.search(FINAL, text):
                raise StorageError(f"{place}: {_reason(text)}") from None
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def _reason(text: str) -> str:
    """Shorten what Arrow says."""
    found = re.search(r"AWS Error (\w+)(?: \(.*?\))? during (\w+) operation: (.*)", text)
    if not found:
        return text[:LONGEST_REASON]
    code, operation, detail = found.groups()
    detail = re.sub(r"curlCode: \d+, |; Details: .*| \(Request ID.*", "", detail)
    denied = re.search(DENIED, code)
    advice = " (are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY set?)" if denied else ""
    return f"{code.lower().replace('_', ' ')} in {operation}: {detail}{advice}"


def _opened(uri: str):
    """Return the file system that a URI is in, and its path there.

    Raises:
        StorageError: If there is no such file system.
    """
    from pyarrow import ArrowException

    scheme, _, place = uri.partition("://")
    bucket, _, path = place.rstrip("/").partition("/")
    try:
        files, base = _bucket(scheme, bucket)
    except (OSError, ValueError, ArrowException) as error:
        raise StorageError(f"{uri}: {_reason(' '.join(str(error).split()))}") from None
    return files, f"{base.rstrip('/')}/{path}".rstrip("/")


@lru_cache
def _bucket(scheme: str, bucket: str):
    """Return the file system that a bucket is in, and its path there."""
    from pyarrow import fs

    if scheme != "s3":
        # It would ask Google for a quarter of an hour.
        options = f"?retry_limit_seconds={CONNECT_SECONDS}" if scheme.startswith("g") else ""
        return fs.FileSystem.from_uri(f"{scheme}://{bucket}{options}")
    # Arrow reads all of Amazon's usual variables and files but these.
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    options = {"region": region or (None if endpoint else fs.resolve_s3_region(bucket))}
    if endpoint:
        options["scheme"], _, options["endpoint_override"] = endpoint.rpartition("://")
    return fs.S3FileSystem(
        **{name: value for name, value in options.items() if value},
        connect_timeout=CONNECT_SECONDS,
        request_timeout=REQUEST_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=2),
    ), bucket
