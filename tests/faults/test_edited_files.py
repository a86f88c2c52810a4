"""Data sets, weights, checkpoints and stores that someone, or a disk, has changed.

A command says in one line what is wrong, or gives the answer of the file as it was.
"""

import json
import os
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from faults.tally import tally
from faults.test_disks import one_error
from faults.workplace import STORE, check_said
from recolor.datasets.manifest import FILE_NAME, digest
from recolor.models.weights import ABOUT, PRETRAINED

pytestmark = pytest.mark.faults

ROUNDS = 20
VALUES = (None, True, -1, 0, 1, 0.5, 10**9, 1e300, "", "x", "32", [], {}, [1, 2], {"a": None})


def edited(rng: random.Random, content: dict) -> str:
    """Change, add or remove one value anywhere in an object, and say where."""
    places = list(_places(content))
    inside, key = rng.choice(places)
    if rng.random() < 0.3:
        del inside[key]
        return f"without {key!r}"
    inside[key] = rng.choice(VALUES)
    return f"{key!r} as {inside[key]!r}"


def _places(content: dict | list) -> Iterator[tuple[dict | list, str | int]]:
    pairs = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in pairs:
        yield content, key
        if isinstance(value, dict | list):
            yield from _places(value)


def edit_description(rng: random.Random, data: Path) -> str:
    """Edit dataset.json, and give it the digest that it should have."""
    file = data / FILE_NAME
    content = json.loads(file.read_text())
    what = edited(rng, content)
    if rng.random() < 0.8:
        content["digest"] = digest(content)
    file.write_text(json.dumps(content))
    return what


def swap_shards(rng: random.Random, data: Path) -> str:
    """Exchange two shards, which stay whole."""
    one, other = rng.sample(sorted(data.glob("*.tfrecord*")), 2)
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    return f"{one.name} and {other.name} exchanged"


def damage_a_file(rng: random.Random, data: Path) -> str:
    """Cut, flip, empty or remove any of its files."""
    file = rng.choice([path for path in sorted(data.iterdir()) if path.is_file()])
    return f"{file.name}: {damage(rng, file)}"


def damage(rng: random.Random, file: Path) -> str:
    content = bytearray(file.read_bytes())
    what = rng.choice(("cut", "flipped", "empty", "removed", "zeros"))
    if what == "removed":
        file.unlink()
        return what
    if what == "cut":
        del content[rng.randrange(max(len(content), 1)) :]
    elif what == "empty":
        content.clear()
    else:
        for _ in range(rng.choice((1, 5, 50))):
            place = rng.randrange(max(len(content), 1))
            content[place : place + 1] = b"\0" if what == "zeros" else bytes([rng.randrange(256)])
    file.write_bytes(content)
    return what


DATA_EDITS = (edit_description, edit_description, swap_shards, damage_a_file)


def table(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("|")]


def test_a_data_set_that_was_edited(forge, supplies, tmp_path, request):
    evaluate = ("evaluate", "--model", "models:/poster-recolor/1", "--data")
    place = supplies.place(tmp_path / "place")
    ended = forge.call(place, *evaluate, supplies.data)
    right = table(ended.said)
    assert right, ended.said
    with tally(request, "edited data sets") as counted:
        for number in range(ROUNDS):
            rng, data = counted.rng(number), tmp_path / f"data-{number}"
            shutil.copytree(supplies.data, data)
            what = DATA_EDITS[number % len(DATA_EDITS)](rng, data)
            with counted.one(f"{number}: {what}"):
                ended = forge.call(place, *evaluate, data)
                if ended.status:
                    one_error(ended)
                else:
                    check_said(ended)
                    assert table(ended.said) == right, "other figures, without a word"
                ended = forge.call(place, "verify", data)
                one_error(ended) if ended.status else check_said(ended)


def edit_weights(rng: random.Random, file: Path) -> str:
    """Edit what a file of weights says of itself, or its numbers."""
    if rng.random() < 0.3:
        return damage(rng, file)
    tensors = load_file(file)
    with safe_open(file, framework="numpy") as opened:
        content = json.loads(opened.metadata()[ABOUT])
    if rng.random() < 0.7:
        what = edited(rng, content)
    else:
        name = rng.choice(sorted(tensors))
        what = f"{name}: {rng.choice(('nan', 'inf', 'missing'))}"
        if what.endswith("missing"):
            del tensors[name]
        else:
            with suppress(ValueError):
                tensors[name] = tensors[name] * float(what.rpartition(" ")[2])
    save_file(tensors, file, {ABOUT: json.dumps(content)})
    return what


def test_weights_that_were_edited(forge, supplies, tmp_path, request):
    place = supplies.place(tmp_path / "place")
    poster = sorted(supplies.posters.iterdir())[0]
    with tally(request, "edited weights") as counted:
        for number in range(ROUNDS):
            rng, file = counted.rng(number), tmp_path / f"weights-{number}.safetensors"
            name = rng.choice(("classification", "regression", "unet", "restoration"))
            shutil.copy(PRETRAINED / f"{name}.safetensors", file)
            what = edit_weights(rng, file)
            with counted.one(f"{number}: {name}, {what}"):
                ended = forge.call(place, *("apply", poster, "--model", file, "--out", f"{number}"))
                written = list((place / str(number)).glob("*")) if not ended.status else []
                if ended.status:
                    one_error(ended)
                    assert not (place / str(number)).exists() or not written
                else:
                    check_said(ended)
                    assert written


EDITS_OF_A_STORE = (
    "UPDATE experiments SET lifecycle_stage = 'deleted'",
    "UPDATE runs SET lifecycle_stage = 'deleted'",
    "DELETE FROM registered_model_aliases",
    "UPDATE registered_model_aliases SET version = 99",
    "DELETE FROM model_versions WHERE version = 1",
    "DELETE FROM model_version_tags WHERE version = 2",
    "UPDATE model_version_tags SET value = 'x'",
    "UPDATE model_versions SET source = '/nowhere'",
    "UPDATE model_versions SET storage_location = '/nowhere', source = 'models:/m-1'",
    "DELETE FROM latest_metrics",
    "UPDATE runs SET artifact_uri = '/nowhere'",
    "UPDATE alembic_version SET version_num = 'x'",
    "DROP TABLE tags",
)


def test_a_store_that_was_edited(forge, supplies, tmp_path, request):
    poster = sorted(supplies.posters.iterdir())[0]
    commands = {
        "models": ("models",),
        "promote": ("promote",),
        "apply": ("apply", poster, "--out", "out"),
        "apply a version": ("apply", poster, "--out", "v", "--model", "models:/poster-recolor/2"),
        "apply a bundled one": ("apply", poster, "--out", "b", "--model", "classification"),
        "evaluate": ("evaluate", "--data", supplies.data, "--model", "champion"),
        "clean": ("clean", "--dry-run"),
    }
    with tally(request, "edited stores") as counted:
        for number, edit in enumerate(EDITS_OF_A_STORE):
            place = supplies.place(tmp_path / f"place-{number}")
            with closing(sqlite3.connect(place / STORE)) as store, store:
                store.execute("PRAGMA foreign_keys = OFF")
                store.execute(edit)
            for name, words in commands.items():
                with counted.one(f"{edit}; {name}"):
                    ended = forge.call(place, *words, MLFLOW_TRACKING_URI="")
                    one_error(ended) if ended.status else check_said(ended)
        with counted.one("a store that is cut"):
            place = supplies.place(tmp_path / "cut")
            os.truncate(place / STORE, 5000)
            one_error(forge.call(place, "models", MLFLOW_TRACKING_URI=""))
