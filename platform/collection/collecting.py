"""Downloading the posters of a list into a folder, and going on where that was interrupted."""

import asyncio
import csv
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from recolor.datasets.atomic_file import atomic_write, remove_unfinished
from recolor.datasets.errors import RecolorError
from recolor.datasets.folder_lock import folder_lock
from recolor.platform.collection.addresses import Address
from recolor.platform.collection.failures import CollectError
from recolor.platform.collection.fetching import Fetcher, Manners
from recolor.platform.collection.poster_file import poster_suffix
from recolor.platform.collection.poster_list import Row
from recolor.platform.collection.state import DONE, STATE_FILE, Poster, State
from recolor.platform.tracking.interruptible_loop import run_interruptible

TABLE = "posters.csv"
COLUMNS = ("file", "id", "title", "year", "url", "sha256", "status")


class FolderError(RecolorError):
    """Posters can't be collected in a folder."""


@dataclass(frozen=True)
class Collected:
    """What has become of a list.

    Attributes:
        posters: How many are there.
        reasons: How many are not, by reason.
        later: How many of these another run may get.
    """

    posters: int
    reasons: Counter[str]
    later: int


def collect(
    rows: Iterable[Row],
    folder: Path,
    manners: Manners,
    allowed: Callable[[Address], bool],
    progress: Callable[[int, int, int], None] = lambda done, total, failed: None,
) -> Collected:
    """Download the posters of a list.

    What an earlier run has settled is not asked for again: posters that are there, and what can't
    be had for good. An address that stands in several rows is asked for once.

    Args:
        rows: The list.
        folder: To write to: new, empty, or one of an earlier run.
        manners: How servers are asked.
        allowed: Tells whether an address of a server is allowed.
        progress: Called with the numbers of posters that are settled, of all, and of those that
            could not be had.

    Returns:
        What has become of the list. The same is in posters.csv, row by row.

    Raises:
        ListError: If the list can't be read; what was in the folder stays.
        FolderError: If other files are in the folder.
        LockError: If another process collects there.
        StateError: If the database there can't be used.
        OSError: If the folder can't be written.
    """
    with folder_lock(folder):
        visible = (path for path in folder.iterdir() if not path.name.startswith("."))
        if not (folder / STATE_FILE).exists() and next(visible, None):
            raise FolderError(f"{folder} holds other files: choose a new or an empty folder")
        remove_unfinished(folder)
        with closing(State(folder)) as state:
            total = state.enlist(rows)
            run_interruptible(_download(state, total, folder, manners, allowed, progress))
            with (
                atomic_write(folder / TABLE) as temporary,
                temporary.open("w", encoding="utf-8", newline="") as file,
            ):
                table = csv.writer(file, lineterminator="\n")
                table.writerow(COLUMNS)
                table.writerows(state.table())
            return _summary(state)


async def _download(state, total, folder, manners, allowed, progress) -> None:
    done = failed = 0

    def settled(fails: bool) -> None:
        nonlocal done, failed
        done, failed = done + 1, failed + fails
        progress(done, total, failed)

    def remaining() -> Iterator[Poster]:
        for poster in state.posters():
            if poster.settled:
                settled(False)
            else:
                yield poster

    async def work() -> None:
        for poster in posters:
            try:
                data = await fetcher.fetch(poster.address)
                file = await loop.run_in_executor(readers, _keep, data, folder / poster.stem)
            except CollectError as error:
                state.fail(poster.address, error.reason, final=error.final)
                settled(True)
            else:
                state.keep(poster.address, file.name, hashlib.sha256(data).hexdigest())
                settled(False)

    # All take their next poster from here.
    posters = remaining()
    loop = asyncio.get_running_loop()
    # As many as there are cores decode posters at once, which bounds the memory for it.
    with ThreadPoolExecutor(os.cpu_count()) as readers:
        async with Fetcher(manners, allowed) as fetcher:
            workers = [asyncio.create_task(work()) for _ in range(manners.concurrency)]
            try:
                ended, _ = await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
                for worker in ended:
                    worker.result()
            finally:
                # A request that times out at this very moment may not notice that it is canceled.
                while working := [worker for worker in workers if not worker.done()]:
                    for worker in working:
                        worker.cancel()
                    await asyncio.wait(working, timeout=1)
                # Other errors of workers are not reported.
                await asyncio.gather(*workers, return_exceptions=True)


def _keep(data: bytes, path: Path) -> Path:
    """Write a poster's file, with the suffix of its format, if it is one."""
    file = path.with_name(path.name + poster_suffix(data))
    with atomic_write(file) as temporary:
        temporary.write_bytes(data)
    return file


def _summary(state: State) -> Collected:
    posters, later, reasons = 0, 0, Counter()
    for status, final, count in state.statuses():
        if status == DONE:
            posters += count
        else:
            reasons[status.partition(":")[0]] += count
            later += 0 if final else count
    return Collected(posters, reasons, later)
