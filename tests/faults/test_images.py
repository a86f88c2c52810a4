"""Damaged images of all kinds: each is used or skipped with a reason, and none ends the work."""

import re
from pathlib import Path

import pytest
from PIL import Image

from faults.tally import tally
from faults.workplace import check_said, check_whole
from recolor.datasets.manifest import Manifest

MANY = 500


def write_mutated_files(folder: Path, count: int, seed: int) -> None:
    from mutations import mutated_files

    folder.mkdir()
    for number, (_, data) in enumerate(mutated_files(seed, count)):
        # Formats are told by content, whatever the name.
        (folder / f"{number}.png").write_bytes(data)


@pytest.mark.faults
def test_mutated_images_through_apply(forge, supplies, tmp_path, request):
    with tally(request, "mutated images applied") as counted:
        write_mutated_files(tmp_path / "images", MANY, counted.number())
        place = supplies.place(tmp_path / "place")
        ended = forge.call(
            *(place, "apply", tmp_path / "images", "--out", "out", "--vividness", 1),
            *("--model", "models:/poster-recolor/2"),
        )
        check_said(ended)
        written = sorted((place / "out").rglob("*.png"))
        for file in written:
            with counted.one(file.name), Image.open(file) as image:
                image.load()
        recolored = sum(map(int, re.findall(r"(\d+) (?:restored|recolored) in", ended.said)))
        skipped = int((re.search(r"^(\d+) skipped", ended.said, re.M) or [0, 0])[1])
        assert len(written) == recolored
        counted.tried += skipped
        assert recolored + skipped == MANY, ended.said


@pytest.mark.faults
def test_mutated_images_through_prepare(forge, tmp_path, request):
    prepare_mutated_images(MANY, forge, tmp_path, request)


def prepare_mutated_images(count, forge, tmp_path, request):
    with tally(request, "mutated images prepared") as counted:
        write_mutated_files(tmp_path / "images", count, counted.number())
        place = tmp_path / "place"
        place.mkdir()
        ended = forge.call(place, "prepare", "../images", "--size", 16)
        assert ended.status == 0, ended.said
        check_whole(place, ended)
        posters = Manifest.load(place / "data").content["posters"]
        reasons = (place / "data" / "skipped.tsv").read_text().splitlines()[1:]
        assert posters["found"] == count
        assert posters["used"] + len(reasons) == count
        counted.tried += posters["used"]
        for line in reasons:
            with counted.one(line):
                name, reason = line.split("\t")
                assert name and reason and not re.search(r"Error\b|object at 0x", reason)
