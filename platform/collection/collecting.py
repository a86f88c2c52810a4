"""Downloading the posters of a list into a folder, and continuing where that was interrupted."""

import csv
import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TextIO

import anyio
import anyio.from_thread
import anyio.to_thread

from recolor.datasets.atomic_file import atomic_write, named_in_errors, remove_unfinished
from recolor.datasets.errors import RecolorError
from recolor.datasets.folder_lock import folder_lock
from recolor.datasets.images import ImageError, open_image, to_rgb
from recolor.datasets.spreadsheets import as_text
from recolor.platform.collection.fetching import Fetcher, FetchError, FetchPolicy
from recolor.platform.collection.poster_list import Row

TABLE = "posters.csv"
COLUMNS = ("file", "id", "title", "year", "url", "sha256", "status")
# What has become of each URL, in this run and earlier ones: a line of JSON each time.
JOURNAL = ".collect.jsonl"
DONE = "ok"
SMALLEST_SIDE = 16
# A placeholder of a single color, saved with losses, has a few values more.
FEWEST_VALUES = 8
# Other formats are their own suffixes. An MPO is a JPEG that holds another one.
SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "TIFF": ".tif", "JPEG2000": ".jp2"}
# With room for a suffix and a digest.
LONGEST_NAME = 100
# Windows opens devices by these names, whatever the suffix.
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


class FolderError(RecolorError):
    """Posters can't be collected in a folder."""


@dataclass(frozen=True)
class Result:
    """What has become of a URL.

    Attributes:
        file: Name of the poster's file; empty if it could not be had.
        sha256: Of the file, in hex.
        status: ``ok``, or why the poster could not be had.
        final: Whether another try would be in vain.
    """

    file: str
    sha256: str
    status: str
    final: bool


def collect(
    rows: list[Row],
    folder: Path,
    policy: FetchPolicy,
    progress: Callable[[int, int, int], None] = lambda done, total, failed: None,
) -> list[Result]:
    """Download the posters of a list.

    What an earlier run has settled is not asked for again: posters that are there, and those that
    can't be had for good. A URL that stands in several rows is asked for once.

    Args:
        rows: The list.
        folder: To write to: new, empty, or one of an earlier run.
        policy: How servers are asked.
        progress: Called with the numbers of posters that are settled, of all, and of those that
            failed now.

    Returns:
        What has become of each URL; ``posters.csv`` says it row by row.

    Raises:
        FolderError: If other files are in the folder.
        LockError: If another process collects there.
        OSError: If the folder can't be written.
    """
    with named_in_errors(folder), folder_lock(folder):
        names = {path.name for path in folder.iterdir()}
        if JOURNAL not in names and any(not name.startswith(".") for name in names):
            raise FolderError(f"{folder} holds other files: choose a new or an empty folder")
        remove_unfinished(folder)
        results = _read_journal(folder / JOURNAL)
        results = {url: result for url, result in results.items() if result.file in {"", *names}}
        with (
            (folder / JOURNAL).open("a", encoding="utf-8", buffering=1) as journal,
            # A signal is raised in this thread, not in the midst of the event loop.
            anyio.from_thread.start_blocking_portal() as portal,
        ):
            # An earlier run's last line may have been cut off.
            journal.write("\n")
            portal.call(_download, rows, folder, policy, results, journal, progress)
        with (
            atomic_write(folder / TABLE) as temporary,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            table = csv.writer(file)
            table.writerow(COLUMNS)
            for row in rows:
                result = results[row.url]
                told = map(as_text, (row.id, row.title, row.year, row.url))
                table.writerow((result.file, *told, result.sha256, result.status))
    return [results[url] for url in {row.url for row in rows}]


def _read_journal(path: Path) -> dict[str, Result]:
    results = {}
    with suppress(FileNotFoundError), path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            # A process that was killed may have left half of a line.
            with suppress(ValueError, TypeError):
                url, *result = json.loads(line)
                results[url] = Result(*result)
    return results


async def _download(
    rows: list[Row],
    folder: Path,
    policy: FetchPolicy,
    results: dict[str, Result],
    journal: TextIO,
    progress: Callable[[int, int, int], None],
) -> None:
    """Settle each row: complete the results and the journal."""
    taken = {Path(result.file).stem.casefold() for result in results.values()}
    waiting: dict[str, str] = {}
    for row in rows:
        if row.url not in waiting and (row.url not in results or not results[row.url].final):
            waiting[row.url] = _file_stem(row, taken)
            taken.add(waiting[row.url].casefold())
    # All workers take their next poster from here.
    queue = iter(waiting.items())
    total = len({row.url for row in rows})
    done, failed = total - len(waiting), 0
    decoders = anyio.CapacityLimiter(os.cpu_count() or 1)

    async def work() -> None:
        nonlocal done, failed
        for url, stem in queue:
            try:
                data = await fetcher.fetch(url)
                suffix = await anyio.to_thread.run_sync(poster_suffix, data, limiter=decoders)
            except FetchError as error:
                result = Result("", "", str(error), error.final)
                failed += 1
            else:
                result = Result(stem + suffix, hashlib.sha256(data).hexdigest(), DONE, True)
                with atomic_write(folder / result.file) as temporary:
                    temporary.write_bytes(data)
            results[url] = result
            journal.write(json.dumps([url, *astuple(result)]) + "\n")
            done += 1
            progress(done, total, failed)

    progress(done, total, failed)
    try:
        async with Fetcher(policy) as fetcher, anyio.create_task_group() as workers:
            for _ in range(policy.concurrency):
                workers.start_soon(work)
    except Exception as error:
        # A task group wraps the errors of its tasks.
        raise getattr(error, "exceptions", [error])[0] from None


def _file_stem(row: Row, taken: set[str]) -> str:
    """Name a poster's file, less its suffix, as any system takes it: by id, or else by URL.

    Args:
        row: Of the poster.
        taken: Names of others in small letters: some systems don't tell them from large ones.
    """
    digest = hashlib.sha256(row.url.encode()).hexdigest()[:12]
    name = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", row.id))
    # Hidden files begin with a point, and options with a hyphen.
    name = re.sub(r"^[.-]+|\.+$", "_", name)
    name = name.encode()[:LONGEST_NAME].decode(errors="ignore")
    if not name.strip("_."):
        name = digest
    elif RESERVED.fullmatch(name):
        name = f"_{name}"
    return f"{name}-{digest}" if name.casefold() in taken else name


def poster_suffix(data: bytes) -> str:
    """Return the suffix for a poster's file.

    Raises:
        FetchError: If the data is not an image with something on it.
    """
    try:
        image = open_image(data)
        kind = image.format
        if min(image.size) < SMALLEST_SIDE:
            raise FetchError(f"not a poster: {image.width}x{image.height} pixels")
        picture = to_rgb(image)
    except ImageError as error:
        raise FetchError(f"not an image: {error}") from None
    if all(most - least < FEWEST_VALUES for least, most in picture.getextrema()):
        raise FetchError("not a poster: of one color")
    return SUFFIXES.get(kind, f".{kind.lower()}")
