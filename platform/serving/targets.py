"""Where the results of `recolor apply` go, and what may be in their way."""

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from recolor.datasets.images import ImageError, find_images

SHEET_FILE = "before-after.png"

# What is done about results that are there already.
REFUSE, REPLACE, SKIP = "refuse", "replace", "skip"


@dataclass(frozen=True)
class Task:
    """A picture to recolor.

    Attributes:
        name: Its name, as `find_images` gives it.
        path: Its file.
        targets: The files of its results, one for each suggestion.
    """

    name: str
    path: Path
    targets: tuple[Path, ...]


def plan(
    inputs: list[Path],
    out: Path,
    *,
    suggestions: int = 0,
    sheet: bool = False,
    existing: str = REFUSE,
) -> list[Task]:
    """List the pictures to recolor, and check that no result replaces what is to stay.

    Args:
        inputs: Folders and files.
        out: Folder of the results, outside of the input folders; a file in an input folder keeps
            its path inside that folder.
        suggestions: How many results each picture has, numbered as ``poster.1.jpg``; 0 for one,
            with the picture's own name.
        sheet: Whether a sheet is made, too.
        existing: What is done about results that are there already: ``refuse``, ``replace`` or
            ``skip``.

    Raises:
        ImageError: If an input is missing, a result would replace an input or another result, or
            results are there already and are refused.
    """
    tasks = [
        Task(
            name,
            path,
            tuple(out / _numbered(name, n + 1) for n in range(suggestions)) or (out / name,),
        )
        for name, path in find_images(inputs)
    ]
    _check_apart(inputs, tasks, out, sheet)
    results = [target for task in tasks for target in task.targets]
    if sheet:
        results.append(out / SHEET_FILE)
    found = [target for target in results if exists(target)]
    if found and existing == REFUSE:
        more = f", and {len(found) - 1} more results" if len(found) > 1 else ""
        raise ImageError(
            f"{found[0]} is there already{more}: --overwrite replaces what is there, "
            "--skip-existing goes on with the rest"
        )
    return tasks


def exists(target: Path) -> bool:
    """Tell whether a result is there already. A folder of that name is none."""
    return os.path.lexists(target) and not target.is_dir()


def _check_apart(inputs: list[Path], tasks: list[Task], out: Path, sheet: bool) -> None:
    """Check that no result would replace an input or another result.

    Raises:
        ImageError: If one would.
    """
    real_out = Path(os.path.realpath(out))
    for folder in inputs:
        if folder.is_dir() and real_out.is_relative_to(os.path.realpath(folder)):
            raise ImageError(
                f"results in {out} would mix with the originals in {folder}: choose another --out"
            )
    sources = {os.path.realpath(task.path) for task in tasks}
    seen = {out / SHEET_FILE: Path("the sheet")} if sheet else {}
    for task in tasks:
        for target in task.targets:
            if target in seen:
                both = f"{seen[target]} and {task.path}"
                raise ImageError(f"{both} would both be written to {target}")
            seen[target] = task.path
            if os.path.realpath(target) in sources:
                raise ImageError(f"{target} would be overwritten by a result: choose another --out")


def _numbered(name: str, number: int) -> str:
    """Put a number before a file name's suffix."""
    path = PurePosixPath(name)
    return path.with_name(f"{path.stem}.{number}{path.suffix}").as_posix()
