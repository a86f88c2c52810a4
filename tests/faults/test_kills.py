"""Long commands killed at random moments: run again, each ends as if nothing had happened."""

import json
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from forge import Ended, Forge

from faults.tally import tally
from faults.workplace import (
    STORE,
    Supplies,
    check_said,
    check_whole,
    contents,
    newest_version,
    rows,
)

# Most cannot be answered; the other two are Ctrl-C and what a scheduler sends.
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGKILL,
           signal.SIGINT)  # fmt: skip
CHANGES = "SELECT value FROM registered_model_tags WHERE key LIKE 'champion.change.%'"


def same_again(case: "Case", supplies: Supplies, killed: Ended) -> list:
    return case.arguments(supplies)


def resumed(case: "Case", supplies: Supplies, killed: Ended) -> list:
    """Resume the run, if it has said how."""
    begun = re.search(r"recolor (train --resume \w+)", killed.said)
    return [*begun[1].split(), "--data", supplies.data] if begun else case.arguments(supplies)


@dataclass(frozen=True)
class Case:
    """A command that is killed.

    Attributes:
        arguments: How it is called.
        result: What it makes in its folder, to be compared.
        store: Whether it needs a store with versions.
        again: How it is called after the kill.
        done: What it may say, if it had done all of its work before it was killed.
        environment: More variables.
    """

    arguments: Callable[[Supplies], list]
    result: Callable[[Path], object] = contents
    store: bool = False
    again: Callable[["Case", Supplies, Ended], list] = same_again
    done: str = "nothing of the kind"
    environment: dict[str, str] = field(default_factory=dict)


def study(folder: Path) -> list[tuple]:
    """The states of a study's trials; one that is run again after a kill has another number."""
    return rows(folder, "SELECT status FROM runs WHERE name LIKE 'trial %'")


def changes(folder: Path) -> tuple[list, set]:
    """Who is champion, and which changes led there.

    After a kill the same change may be recorded twice: rather that than not at all.
    """
    aliases = rows(folder, "SELECT alias, version FROM registered_model_aliases")
    tags = [json.loads(value) for (value,) in rows(folder, CHANGES)]
    return aliases, {(change["from_version"], change["to_version"]) for change in tags}


CASES = {
    "prepare": Case(
        lambda s: ["prepare", s.posters, "--size", 16, "--split", "20,6,4", "--workers", 1],
        done="holds a data set already",
    ),
    "prepare with Ray": Case(
        lambda s: ["prepare", s.posters, "--size", 16, "--split", "20,6,4", "--engine", "ray",
                   "--ray-address", "local"],
        done="holds a data set already",
        # The names of its sockets can't be long.
        environment={"RAY_TMPDIR": tempfile.gettempdir()},
    ),
    "train": Case(
        lambda s: ["train", "--data", s.data, "--model", "regression", "--epochs", 4,
                   "--batch-size", 10],
        newest_version,
        again=resumed,
        done="epochs( already)?: raise --epochs",
    ),
    "tune": Case(
        lambda s: ["tune", "--data", s.data, "--model", "regression", "--epochs", 1,
                   "--batch-size", 10, "--trials", 2, "--seed", 1],
        study,
    ),
    "evaluate": Case(
        lambda s: ["evaluate", "--data", s.data, "--model", "models:/poster-recolor/2",
                   "--json", "figures.json", "--markdown", "table.md"],
        store=True,
    ),
    "import-weights": Case(
        lambda s: ["import-weights", s.checkpoint, "--data", s.data], newest_version
    ),
    "promote": Case(
        lambda s: ["promote", "--version", 2, "--force"],
        changes,
        store=True,
        done="is the champion already",
    ),
    "apply": Case(
        lambda s: ["apply", *sorted(s.posters.iterdir())[:6], "--out", "out", "--sheet",
                   "--model", "models:/poster-recolor/2", "--overwrite"],
        store=True,
    ),
    "palettes": Case(
        lambda s: ["palettes", "--make", s.data, "--count", 4, "--out", "library.json",
                   "--chart", "chart.png"],
    ),
}  # fmt: skip


class Kills:
    """A command, run to its end once, and then killed again and again."""

    def __init__(self, forge: Forge, case: Case, supplies: Supplies, folder: Path):
        self.forge, self.case, self.supplies, self.folder = forge, case, supplies, folder
        place = self._place("whole")
        ended = forge.call(place, *case.arguments(supplies), **case.environment)
        assert ended.status == 0, ended.said
        check_whole(place, ended)
        self.seconds, self.whole, self.hit = ended.seconds, case.result(place), 0
        assert self.whole

    def kill(self, number: int, moment: float, name: str) -> None:
        """Kill it at a share of its time, run it again, and compare."""
        place = self._place(name)
        environment = self.case.environment
        command = self.forge.begin(place, *self.case.arguments(self.supplies), **environment)
        time.sleep(moment * self.seconds)
        command.signal(number)
        killed = command.wait()
        check_said(killed)
        if killed.status == 0:
            # It was faster than the one before: the next kill comes sooner.
            self.seconds = min(self.seconds, killed.seconds)
        else:
            self.hit += 1
        arguments = self.case.again(self.case, self.supplies, killed)
        again = self.forge.call(place, *arguments, **environment)
        said = f"{killed.said}\n--- again:\n{again.said}"
        assert again.status == 0 or re.search(self.case.done, again.said), said
        if (place / STORE).exists():
            # It closes the runs that were killed.
            listed = self.forge.call(place, "models")
            assert listed.status == 0, listed.said
        check_whole(place, again)
        result = self.case.result(place)
        assert result == self.whole, f"{result}\ninstead of\n{self.whole}\n{said}"
        shutil.rmtree(place)

    def _place(self, name: str) -> Path:
        place = self.folder / name
        place.mkdir()
        if self.case.store:
            self.supplies.lend_store(place)
        return place


@pytest.mark.faults
@pytest.mark.parametrize("name", CASES)
def test_a_killed_command_is_run_again(name, forge, supplies, tries, tmp_path, request):
    if name.endswith("Ray"):
        pytest.importorskip("ray", reason="needs pip install 'poster-recolor[ray]'")
    kills = Kills(forge, CASES[name], supplies, tmp_path)
    with tally(request, f"{name} killed") as counted:
        for number in range(tries):
            signal_number = SIGNALS[number % len(SIGNALS)]
            moment = counted.rng(number).random()
            what = f"{signal.Signals(signal_number).name} at {moment * kills.seconds:.2f} s"
            with counted.one(f"try {number}, {what}"):
                kills.kill(signal_number, moment, str(number))
    assert kills.hit > tries // 2, f"only {kills.hit} of {tries} came before its end"
