"""Posters, data sets and results in object storage: whole or not at all, and the same bytes."""

import json
import shutil
import socket
import threading
import time
import urllib.request

import pytest
from click.testing import CliRunner
from servers import Door, s3_server
from test_preparation import shard_bytes

from recolor.datasets import object_storage
from recolor.datasets.combination import combine, load_data
from recolor.datasets.demo_posters import generate_demo_posters
from recolor.datasets.input_pipeline import Posters
from recolor.datasets.inputs import find_inputs
from recolor.datasets.manifest import DatasetError, Manifest
from recolor.datasets.object_storage import RemotePath, StorageError
from recolor.datasets.preparation import prepare
from recolor.datasets.remote_data_set import upload
from recolor.datasets.shared_table import cache_folder
from recolor.platform.cli.main import main
from recolor.platform.serving.targets import plan

OPTIONS = ["--size", 32, "--split", "20,6,4", "--seed", 1, "--workers", 2]


@pytest.fixture(scope="module")
def server():
    with s3_server() as address:
        yield address


@pytest.fixture(scope="module")
def door(server):
    """The way to the server, open."""
    door = Door(server)
    door.open()
    return door


@pytest.fixture
def bucket(door, posters, tmp_path, monkeypatch):
    """A bucket of this test's own, with thirty posters in a folder."""
    from pyarrow import fs

    cache = tmp_path / "cache"
    cache.mkdir()
    for table in cache_folder().glob("*.table"):
        (cache / table.name).symlink_to(table)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": f"http://{door.address}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "RECOLOR_CACHE": str(cache),
    }.items():
        monkeypatch.setenv(name, value)
    object_storage._bucket.cache_clear()
    name = f"bucket-{abs(hash(tmp_path))}"
    fs.S3FileSystem(
        endpoint_override=door.address, scheme="http", allow_bucket_creation=True
    ).create_dir(name)
    place = RemotePath(f"s3://{name}")
    for poster in posters:
        (place / f"old posters/{poster.name}").upload(poster)
    yield place
    object_storage._bucket.cache_clear()


def recolor(*arguments) -> str:
    """Run a command in this process; return what it says, in its last line where it fails."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    said = result.output.replace("\r", "\n").splitlines()
    return said[-1] if result.exit_code else result.output


def test_a_data_set_is_made_in_object_storage_and_read_from_there(bucket, manifest):
    data = bucket / "sets/data"
    said = recolor("prepare", bucket / "old posters", "--out", data, *OPTIONS)
    assert f"posters in {data}, digest {manifest.digest[:12]}" in said
    again = recolor("prepare", bucket / "old posters", "--out", data, *OPTIONS)
    assert again.endswith(f"{data} holds a data set already: choose another folder or --overwrite")

    # On another machine.
    shutil.rmtree(cache_folder() / "data-sets")
    loaded = Manifest.load(data)
    assert shard_bytes(loaded.folder) == shard_bytes(manifest.folder)
    assert loaded.place == data
    assert loaded.folder.name == "data"
    shard = loaded.shards("train")[0]
    damaged = bytearray(shard.read_bytes())
    damaged[100] ^= 1
    shard.write_bytes(damaged)
    # It is mended.
    assert shard_bytes(Manifest.load(data).folder) == shard_bytes(manifest.folder)
    (data / shard.name).write_bytes(damaged)
    shard.unlink()
    with pytest.raises(DatasetError, match=f"{shard.name} is not what dataset.json says"):
        Manifest.load(data)
    assert not shard.exists()
    (data / "dataset.json").write_bytes(b"{}")
    with pytest.raises(DatasetError, match=f"^{data}/dataset.json is not of format"):
        Manifest.load(data)


def test_data_sets_there_and_here_are_read_as_one(bucket, manifest, tmp_path):
    found = generate_demo_posters(tmp_path / "more", 6, "modern", seed=77)
    options = {"size": 32, "split": (6, 0, 0), "embedding": "none", "seed": 1, "workers": 1}
    more, _ = prepare(list(found), tmp_path / "data", **options)
    upload(manifest, bucket / "data")
    combined = load_data([bucket / "data", more.folder])
    assert str(combined) == f"{bucket}/data and {more.folder}"
    assert combined.digest == combine([manifest, more]).digest
    assert len(Posters(combined, "train")) == 26


def test_a_data_set_is_replaced_on_demand(bucket, manifest, posters, tmp_path):
    data = bucket / "data"
    upload(manifest, data)
    few = ["--size", 32, "--split", "5,1,0", "--overwrite"]
    said = recolor("prepare", *posters[:6], "--out", data, *few)
    assert "5 train, 1 validation, 0 test posters" in said
    names = {file.name for file in data.files()}
    assert "test-00000-of-00001.tfrecord" not in names
    assert {"dataset.json", "train-00000-of-00001.tfrecord", "preview.png"} <= names
    assert Manifest.load(data).count("train") == 5


def test_an_upload_waits_for_a_server_that_is_gone(bucket, manifest, door):
    data = bucket / "data"
    door.close()
    opened = threading.Timer(4, door.open)
    opened.start()
    begun = time.monotonic()
    (data / "trial").write_bytes(b"trial")
    assert time.monotonic() - begun > 3
    opened.join()
    upload(manifest, data)
    assert Manifest.load(data).digest == manifest.digest


def test_what_is_damaged_here_is_not_uploaded(bucket, manifest, tmp_path):
    copy = tmp_path / "data"
    shutil.copytree(manifest.folder, copy)
    shard = Manifest.load(copy).shards("test")[0]
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    with pytest.raises(DatasetError, match="was damaged"):
        upload(Manifest.load(copy), bucket / "data")
    assert not (bucket / "data/dataset.json").exists()


def test_an_image_that_vanishes_is_skipped_and_a_server_that_does_aborts(bucket, door, monkeypatch):
    from recolor.datasets.posters import try_read_poster

    name, place = find_inputs([bucket / "old posters"])[3]
    place.unlink()
    assert try_read_poster(place, 32) == "can't be read: no such object"
    monkeypatch.setattr(object_storage, "PATIENCE_SECONDS", 0)
    door.close()
    try:
        with pytest.raises(StorageError, match="network connection"):
            try_read_poster(place, 32)
    finally:
        door.open()
    assert name not in dict(find_inputs([bucket / "old posters"]))


def test_results_go_to_object_storage(bucket, posters, tmp_path):
    source, out = bucket / "old posters", bucket / "recolored"
    some = [source / poster.name for poster in posters[:2]]
    assert f"2 restored in {out}" in recolor("apply", *some, "--out", out)
    recolor("apply", *posters[:2], "--out", tmp_path / "here")
    for poster in posters[:2]:
        assert (out / poster.name).read_bytes() == (tmp_path / "here" / poster.name).read_bytes()
    assert "is there already, and 1 more results" in recolor("apply", *some, "--out", out)
    more = [*some, source / posters[2].name]
    said = recolor("apply", *more, "--out", out, "--skip-existing", "--sheet")
    assert "1 restored" in said
    assert "2 more were there already" in said
    assert (out / "before-after.png").read_bytes().startswith(b"\x89PNG")


def test_images_here_and_there_are_listed_by_name(bucket, posters):
    names = [posters[0].name, posters[1].name]
    (bucket / f"more/{names[0]}").upload(posters[0])
    (bucket / "more/notes.txt").write_bytes(b"no image")
    places = [bucket / "more", posters[0], bucket / f"old posters/{names[1]}", bucket / "more"]
    found = find_inputs(places)
    there, other = bucket / "more" / names[0], bucket / "old posters" / names[1]
    wanted = [(names[0], posters[0]), (names[0], there), (names[1], other)]
    assert found == sorted(wanted, key=lambda one: (one[0], str(one[1]).startswith("s3")))
    assert dict(found)[names[1]].stat().st_size == posters[1].stat().st_size


def test_results_stay_apart_from_inputs(bucket):
    with pytest.raises(ValueError, match="would mix with the originals"):
        plan([bucket], bucket / "out")
    with pytest.raises(ValueError, match="would be overwritten by a result"):
        _, place = find_inputs([bucket / "old posters"])[0]
        plan([place], bucket / "old posters")
    assert "would mix with the posters" in recolor("prepare", bucket, "--out", bucket / "data")


def test_what_is_wrong_is_said_in_one_line_within_seconds(bucket, door, posters, monkeypatch):
    def said(*arguments):
        begun = time.monotonic()
        line = recolor(*arguments)
        assert time.monotonic() - begun < 15
        return line

    nowhere = RemotePath("s3://no-such-bucket/posters")
    assert "no such bucket" in said("prepare", nowhere, "--out", "x")
    assert "no such bucket" in said("prepare", posters[0], "--out", nowhere)
    assert "is not a whole data set" in said(
        "tune", "--data", bucket / "none", "--model", "regression"
    )
    assert "no images in" in said("apply", bucket / "none", "--out", "x")
    assert "take a local path" in said("demo-posters", "--out", bucket)
    _require_rights(door.address, "0")
    try:
        denied = said("prepare", bucket / "old posters", "--out", "x")
        assert "are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY set?" in denied
    finally:
        _require_rights(door.address, "inf")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        object_storage._bucket.cache_clear()
        assert "Could not connect to server" in said("prepare", bucket, "--out", "x")


def _require_rights(address: str, after: str) -> None:
    """Let the server check rights after this many requests."""
    url, plain = f"http://{address}/moto-api/reset-auth", {"Content-Type": "text/plain"}
    request = urllib.request.Request(url, after.encode(), plain)
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)
