"""Where the results of `recolor apply` go, and what may be in their way."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path, PurePosixPath

from recolor.datasets.extra_formats import EXTRA_FORMATS
from recolor.datasets.file_names import Sources, composed, is_inside, taken_for_others
from recolor.datasets.hints import HintError
from recolor.datasets.images import ImageError
from recolor.datasets.inputs import Place, find_inputs
from recolor.datasets.object_storage import RemotePath

SHEET_FILE = "before-after.png"
# The sheet of a series, as a picture and as pages to print.
SERIES_FILES = ("series.png", "series.pdf")
# Behind the name of a result.
RECIPE_SUFFIX = ".json"

# What is done about results that are there already.
REFUSE, REPLACE, SKIP = "refuse", "replace", "skip"


@dataclass(frozen=True)
class Task:
    """A picture to recolor.

    Attributes:
        name: Its name, as `find_inputs` gives it.
        path: Its file.
        out: Folder of all results.
        targets: The files of its results, one for each suggestion.
        recipes: The files of their recipes, if they are to be written.
        refused: Why nothing can be written, if that is known already.
    """

    name: str
    path: Place
    out: Place
    targets: tuple[Place, ...]
    recipes: tuple[Place, ...] = ()
    refused: str | None = None


def plan(
    inputs: list[Place],
    out: Place,
    *,
    suggestions: int = 0,
    sheet: bool = False,
    series: bool = False,
    recipes: bool = False,
    existing: str = REFUSE,
) -> list[Task]:
    """List the pictures to recolor, and check that no result replaces what is to stay.

    Args:
        inputs: Folders and files.
        out: Folder of the results, outside of the input folders; a file in an input folder keeps
            its path inside that folder, and its name but for suffixes of formats that are only
            read, which become ``.png``.
        suggestions: How many results each picture has, numbered as ``poster.1.jpg``; 0 for one,
            with the picture's own name.
        sheet: Whether a sheet is made, too.
        series: Whether the sheets of a series are.
        recipes: Whether each result's recipe is written beside it, as ``poster.jpg.json``.
        existing: What is done about results that are there already: ``refuse``, ``replace`` or
            ``skip``.

    Returns:
        The pictures. One is refused whose results the folder would take for those of an earlier
        one, though their names differ.

    Raises:
        ImageError: If an input is missing, a result would replace an input or another result, or
            results are there already and are refused.
    """
    tasks = []
    for name, path in find_inputs(inputs):
        one = _in_a_written_format(name)
        names = [_numbered(one, n + 1) for n in range(suggestions)] or [one]
        beside = [result + RECIPE_SUFFIX for result in names if recipes]
        tasks.append(
            Task(name, path, out, *(tuple(out / file for file in of) for of in (names, beside)))
        )
    sheets = [out / name for name in ([SHEET_FILE] * sheet + list(SERIES_FILES) * series)]
    _check_apart(inputs, tasks, out, sheets)
    if isinstance(out, RemotePath):
        is_there = set(out.files()).__contains__
    else:
        is_there = exists
        tasks = _told_apart(tasks, out, sheets)
    written = [task for task in tasks if not task.refused]
    results = [target for task in written for target in (*task.targets, *task.recipes)] + sheets
    found = list(filter(is_there, results))
    if found and existing == REFUSE:
        more = f", and {len(found) - 1} more results" if len(found) > 1 else ""
        raise ImageError(
            f"{found[0]} is there already{more}: --overwrite replaces what is there, "
            "--skip-existing makes the rest"
        )
    return tasks


def check_hints(names: Iterable[str], tasks: list[Task]) -> None:
    """Check that hints are for pictures that are there.

    Args:
        names: Of the pictures that have hints, in Unicode's form NFC.
        tasks: The pictures.

    Raises:
        HintError: If one is not among them.
    """
    if unknown := set(names) - {composed(task.name) for task in tasks}:
        raise HintError(f"there are hints for {min(unknown)}, which is not among the images")


def exists(target: Place) -> bool:
    """Tell whether a result is there already. A folder of that name does not count."""
    if isinstance(target, RemotePath):
        return target.exists()
    return os.path.lexists(target) and not target.is_dir()


def _check_apart(inputs: list[Place], tasks: list[Task], out: Place, sheets: list[Place]) -> None:
    """Check that no result would replace an input or another result.

    Raises:
        ImageError: If one would.
    """
    sources = Sources(task.path for task in tasks)
    for folder in inputs:
        if folder not in sources and is_inside(out, folder):
            raise ImageError(
                f"results in {out} would mix with the originals in {folder}: choose another --out"
            )
    seen = dict.fromkeys(sheets, "the sheet")
    for task in tasks:
        for target in task.targets:
            if target in seen:
                both = f"{seen[target]} and {task.path}"
                raise ImageError(f"{both} would both be written to {target}")
            seen[target] = task.path
            if target in sources:
                raise ImageError(f"{target} would be overwritten by a result: choose another --out")


def _told_apart(tasks: list[Task], out: Path, sheets: list[Path]) -> list[Task]:
    """Refuse pictures whose results a folder would take for others: one of both would be lost."""
    files = [(*task.targets, *task.recipes) for task in tasks]
    same = taken_for_others(out, [*sheets, *chain.from_iterable(files)])
    return [
        replace(task, refused=next((same[file] for file in of_task if file in same), None))
        for task, of_task in zip(tasks, files, strict=True)
    ]


def _in_a_written_format(name: str) -> str:
    """Return the name of a result: of formats that are only read, the results are PNG files."""
    path = PurePosixPath(name)
    only_read = any(path.suffix.lower() in one.suffixes for one in EXTRA_FORMATS)
    return path.with_suffix(".png").as_posix() if only_read else name


def _numbered(name: str, number: int) -> str:
    """Put a number before a file name's suffix."""
    path = PurePosixPath(name)
    return path.with_name(f"{path.stem}.{number}{path.suffix}").as_posix()
