"""Files in object storage: ``s3://bucket/path``, and what else Arrow reads: ``gs://``, ``abfs://``.

An object appears whole or not at all.
"""

import os
import re
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, TypeVar

from recolor.datasets.errors import RecolorError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss")
# A server that has answered before is waited for: it may be started again.
PATIENCE_SECONDS = 120
LONGEST_PAUSE = 10
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

    What is not there raises a `FileNotFoundError`. Whatever else fails raises a `StorageError`: at
    once, or, where the method waits, after it was tried again for two minutes.

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
        """Tell whether there is a file."""
        return self._try(lambda files, path: files.get_file_info(path).is_file, waits)

    def files(self) -> list["RemotePath"]:
        """List all files in a folder and its folders; of a file, itself; none, if it is neither."""
        from pyarrow.fs import FileSelector

        def look(files, path: str) -> list["RemotePath"]:
            found = [files.get_file_info(path)]
            if not found[0].is_file:
                with suppress(FileNotFoundError):
                    found = files.get_file_info(FileSelector(path, recursive=True))
            return [
                RemotePath(
                    self.uri.rstrip("/") + file.path.removeprefix(path), file.size, file.mtime_ns
                )
                for file in found
                if file.is_file
            ]

        return self._try(look, waits=False)

    def read_bytes(self, waits: bool = True) -> bytes:
        """Read a file."""

        def read(files, path: str) -> bytes:
            with files.open_input_file(path) as file:
                return file.read()

        return self._try(read, waits)

    def write_bytes(self, content: bytes, waits: bool = True) -> None:
        """Write a file, in the place of what is there."""

        def write(files, path: str) -> None:
            # By one call: whatever is raised between two would leave half of the file.
            with files.open_output_stream(path) as file:
                file.write(content)

        self._try(write, waits)

    def download(self, target: Path) -> None:
        """Copy a file to this machine."""
        from pyarrow.fs import LocalFileSystem, copy_files

        self._try(lambda files, path: copy_files(path, str(target), files, LocalFileSystem()))

    def upload(self, source: Path) -> None:
        """Copy a file of this machine."""
        from pyarrow.fs import LocalFileSystem, copy_files

        self._try(lambda files, path: copy_files(str(source), path, LocalFileSystem(), files))

    def unlink(self) -> None:
        """Remove a file."""
        self._try(lambda files, path: files.delete_file(path))

    def check_writable(self) -> None:
        """Find out that files can be written there before long work."""
        trial = self / ".recolor-trial"
        trial.write_bytes(b"may be removed", waits=False)
        trial.unlink()

    def _try(self, act: Callable[["FileSystem", str], Answer], waits: bool = True) -> Answer:
        """Do something with the file system and the path in it; if it waits, again and again."""
        from pyarrow import ArrowException

        scheme, _, place = self.uri.partition("://")
        bucket, _, path = place.rstrip("/").partition("/")
        begun, pause = time.monotonic(), 0.5
        while True:
            try:
                files, base = _bucket(scheme, bucket)
                return act(files, f"{base}/{path}".rstrip("/"))
            except FileNotFoundError as error:
                raise FileNotFoundError(2, "no such object", self.uri) from error
            except (OSError, ValueError, ArrowException) as error:
                text = " ".join(str(error).split())
                late = time.monotonic() + pause - begun > PATIENCE_SECONDS
                if not waits or late or re.search(FINAL, text):
                    raise StorageError(f"{self}: {_reason(text)}") from None
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def place_of(name: str | os.PathLike | RemotePath) -> Path | RemotePath:
    """Return the place that a text names, on this machine or in object storage."""
    return RemotePath(str(name).rstrip("/")) if is_remote(name) else Path(name)


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


@lru_cache
def _bucket(scheme: str, bucket: str):
    """Return the file system that a bucket is in, and its path there."""
    from pyarrow import fs

    if scheme != "s3":
        # It would ask Google for a quarter of an hour.
        options = f"?retry_limit_seconds={CONNECT_SECONDS}" if scheme.startswith("g") else ""
        files, base = fs.FileSystem.from_uri(f"{scheme}://{bucket}{options}")
        return files, base.rstrip("/")
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
