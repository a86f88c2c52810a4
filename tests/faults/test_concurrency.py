"""Commands at once on one store and one data folder: each succeeds, or says why not."""

import itertools
import shutil
import sqlite3

import pytest

from faults.tally import tally
from faults.workplace import check_said, check_whole
from recolor.datasets.manifest import Manifest

VERSION = "models:/poster-recolor/2"
TRAINING = ["--model", "regression", "--epochs", "1", "--batch-size", "10"]
COMMANDS = {
    "prepare": ["prepare", "posters", "--size", "16", "--split", "20,6,4", "--overwrite",
                "--workers", "1"],
    "train": ["train", *TRAINING],
    "tune": ["tune", *TRAINING, "--trials", "1"],
    "evaluate": ["evaluate", "--model", VERSION],
    "import-weights": ["import-weights", "checkpoint"],
    "promote": ["promote", "--version", "2", "--force"],
    "models": ["models", "--history"],
    "apply": ["apply", "poster.jpg", "--out", "out", "--model", VERSION, "--overwrite"],
    "palettes": ["palettes", "--make", "data", "--count", "4", "--out", "library.json"],
}  # fmt: skip
# What the second one may be told.
REFUSALS = (
    "is being written by process",
    "is not a whole data set",
    "was prepared again meanwhile",
    "is the champion already",
)


def check_said_why(ended) -> None:
    """Check that a command succeeded, or said in one line what another one was doing."""
    check_said(ended)
    last = ended.said.strip().splitlines()[-1] if ended.said.strip() else ""
    assert ended.status == 0 or any(words in last for words in REFUSALS), ended.said


@pytest.mark.faults
def test_a_store_is_made_by_four_commands_at_once(forge, manifest, tmp_path, request):
    make_store_at_once(20, forge, manifest, tmp_path, request)


def make_store_at_once(rounds, forge, manifest, tmp_path, request):
    with tally(request, "store made by four at once") as counted:
        for number in range(rounds):
            place = tmp_path / str(number)
            place.mkdir()
            shutil.copytree(manifest.folder, place / "data")
            commands = [
                forge.begin(place, *arguments)
                for arguments in (["promote"], ["models"], ["evaluate"], ["evaluate"])
            ]
            ended = [command.wait() for command in commands]
            with counted.one(f"round {number}"):
                for one in ended:
                    check_whole(place, one)
                assert [one.status for one in ended] == [1, 0, 0, 0], [one.said for one in ended]
                with sqlite3.connect(place / "mlruns" / "mlflow.db") as store:
                    assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                    assert store.execute("SELECT count(*) FROM runs").fetchall() == [(2,)]


@pytest.mark.faults
def test_every_pair_of_commands_at_once(forge, supplies, tmp_path, request):
    with tally(request, "pairs of commands at once") as counted:
        for pair in itertools.combinations_with_replacement(COMMANDS, 2):
            place = supplies.place(tmp_path / " ".join(pair))
            shutil.copytree(supplies.data, place / "data")
            (place / "posters").symlink_to(supplies.posters)
            (place / "checkpoint").symlink_to(supplies.checkpoint)
            shutil.copy(min(supplies.posters.iterdir()), place / "poster.jpg")
            commands = [forge.begin(place, *COMMANDS[name]) for name in pair]
            ended = [command.wait() for command in commands]
            with counted.one(" and ".join(pair)):
                for one in ended:
                    check_said_why(one)
                    check_whole(place, one)
                assert Manifest.load(place / "data").digest == Manifest.load(supplies.data).digest
            shutil.rmtree(place)
