"""Posters that a Ray cluster reads or recolors: the same bytes, whatever becomes of its nodes."""

import contextlib
import os
import shutil
import socket
import sys
import threading
import time

import psutil
import pytest
from click.testing import CliRunner
from test_preparation import SETTINGS, interrupt, shard_bytes

from recolor.datasets import ray_cluster, reading
from recolor.datasets.preparation import prepare
from recolor.datasets.ray_cluster import ClusterError, versions
from recolor.datasets.records import RecordError
from recolor.models.decoding.options import Decoding
from recolor.platform.cli.main import main
from recolor.platform.cli.options import find_model
from recolor.platform.serving.cluster import (
    SharedModel,
    _check_unreadable,
    _recolor_on_node,
    cluster_engine,
)
from recolor.platform.serving.targets import Task

# All but a few need Ray, which is not part of the extra `test`.
pytestmark = pytest.mark.slow


def need_ray() -> None:
    """Skip a test where Ray is not installed; it must be where RECOLOR_REQUIRE_RAY is set."""
    if not os.environ.get("RECOLOR_REQUIRE_RAY"):
        pytest.importorskip("ray", reason="needs pip install 'poster-recolor[ray]'")


@pytest.fixture(scope="module")
def two_nodes():
    """A cluster of two nodes with one processor each; the second may be killed."""
    need_ray()
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "object_store_memory": 100 << 20}
    nodes = Cluster(True, head_node_args={**small, "include_dashboard": False})
    nodes.add_node(**small)
    yield nodes
    nodes.shutdown()


@pytest.fixture
def cluster(two_nodes):
    with ray_cluster.ray_cluster(two_nodes.address) as connected:
        yield connected


def test_a_node_that_is_killed_in_mid_run_costs_nothing_but_time(
    manifest, posters, two_nodes, cluster, tmp_path, monkeypatch, capfd
):
    monkeypatch.setattr(reading, "CHUNK_POSTERS", 2)

    def kill_a_node(done, total, skipped):
        if done == 6:
            two_nodes.remove_node(next(iter(two_nodes.worker_nodes)), allow_graceful=False)

    assert cluster.workers == 2
    prepare(posters, tmp_path / "data", **SETTINGS, cluster=cluster, progress=kill_a_node)
    assert shard_bytes(tmp_path / "data") == shard_bytes(manifest.folder)
    assert "raylet" not in "".join(capfd.readouterr())


def test_a_run_goes_on_without_the_cluster(manifest, posters, cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "CHUNK_POSTERS", 4)
    with pytest.raises(KeyboardInterrupt):
        prepare(posters, tmp_path / "data", **SETTINGS, cluster=cluster, draw=interrupt)
    written = [chunk.stat().st_mtime_ns for chunk in (tmp_path / "data/.partial").glob("*.npz")]
    assert len(written) == 8
    monkeypatch.setattr(reading, "write_chunk", None)
    prepare(posters, tmp_path / "data", **SETTINGS)
    assert shard_bytes(tmp_path / "data") == shard_bytes(manifest.folder)


def test_a_poster_that_a_node_lacks_is_not_skipped(posters, cluster, tmp_path):
    """It is there only after it was read, which a node with another disk can't tell from never."""
    import ray

    late = tmp_path / "late.jpg"
    reading = cluster.submit(tmp_path / "chunk", [("late.jpg", late)], 32, "none")
    ray.wait([reading.reference])
    late.write_bytes(posters[0].read_bytes())
    with pytest.raises(ClusterError, match=r"late.jpg can be used here, but not on the"):
        reading.result()
    assert not (tmp_path / "chunk").exists()


def test_other_versions_on_a_node_are_refused(posters, cluster, tmp_path):
    cluster._versions["pillow"] = "1.0"
    with pytest.raises(ClusterError, match=r"has pillow .*, and this machine 1\.0: install"):
        cluster.submit(tmp_path / "chunk", [("a", posters[0])], 32, "none").result()


def test_posters_that_end_every_process_are_named(posters, two_nodes, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_cluster, "MOST_LOSSES", 1)
    ended = threading.Event()

    def kill_readers():
        while not ended.wait(0.01):
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.Error):
                    if process.cmdline()[:1] == ["ray::_read_on_node"]:
                        process.kill()

    killer = threading.Thread(target=kill_readers)
    killer.start()
    try:
        with (
            ray_cluster.ray_cluster(two_nodes.address) as connected,
            pytest.raises(ClusterError, match=r"lost 2 times \(WorkerCrashedError\)") as caught,
        ):
            files = [(path.name, path) for path in posters]
            connected.submit(tmp_path / "chunk", files, 1024, "none").result()
    finally:
        ended.set()
        killer.join()
    assert f"from {posters[0].name} to {posters[-1].name} " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nobody_at_the_address_is_said_at_once():
    need_ray()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        begun = time.monotonic()
        with (
            pytest.raises(ClusterError, match=f"no Ray cluster at {address} can be used: Conn"),
            ray_cluster.ray_cluster(address),
        ):
            pass
    assert time.monotonic() - begun < 20


def test_how_to_install_ray_is_said_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(ClusterError, match=r"pip install 'poster-recolor\[ray\]'"),
        ray_cluster.ray_cluster(None),
    ):
        pass


def apply(*arguments):
    """Run `recolor apply` in this process."""
    words = ["apply", "--model", "classification", *map(str, arguments)]
    return CliRunner().invoke(main, words)


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_cluster_recolors_as_this_machine_does_and_a_lost_node_costs_nothing_but_time(
    posters, two_nodes, tmp_path
):
    folder = tmp_path / "in"
    folder.mkdir()
    for poster in posters[:6]:
        shutil.copy(poster, folder)
    (folder / "broken.jpg").write_bytes(b"no picture")
    kill = threading.Event()
    two_nodes.add_node(num_cpus=1, object_store_memory=100 << 20)

    def kill_a_node():
        # When each node has loaded the model and begun.
        while not kill.wait(0.1) and len(list((tmp_path / "ray").glob("*.jpg"))) < 2:
            pass
        two_nodes.remove_node(two_nodes.list_all_nodes()[-1], allow_graceful=False)

    options = ["--suggestions", 2, "--sheet"]
    killer = threading.Thread(target=kill_a_node)
    killer.start()
    on_ray = ["--engine", "ray", "--ray-address", two_nodes.address]
    try:
        said = apply(folder, "--out", tmp_path / "ray", *options, *on_ray)
    finally:
        kill.set()
        killer.join()
    expected = apply(folder, "--out", tmp_path / "local", *options)
    assert said.stdout == expected.stdout.replace("/local", "/ray")
    assert said.stdout.startswith(
        f"6 restored in {tmp_path / 'ray'} by the bundled restoration netw"
    )
    assert f"6 recolored in {tmp_path / 'ray'} by the " in said.stdout
    assert "skipped broken.jpg: not an image" in said.stderr
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")

    # What is there stays, as without a cluster.
    said = apply(posters[0], "--out", tmp_path / "local", "--suggestions", 2, *on_ray)
    assert "1.jpg is there already, and 1 more results: --overwrite" in said.stderr
    said = apply(folder, "--out", tmp_path / "ray", *options, *on_ray, "--skip-existing")
    assert said.stdout.startswith("nothing new in")
    assert "; 6 more were there already" in said.stdout


def test_what_ends_its_process_is_named_and_the_others_go_on(cluster, monkeypatch):
    monkeypatch.setattr(ray_cluster, "MOST_LOSSES", 1)

    def end(number):
        if number == 2:
            os._exit(1)
        return number

    found = list(cluster.each(end, [(number,) for number in range(6)], cores=4))
    assert found[:2] + found[3:] == [0, 1, 3, 4, 5]
    assert isinstance(found[2], ray_cluster.LostError)
    assert str(found[2]).startswith("its process was lost 2 times (WorkerCrashedError)")


def test_errors_on_a_node_are_those_of_the_function(cluster):
    def fail(error):
        raise error

    for error, expected, words in (
        (RecordError("it is damaged"), RecordError, "^it is damaged$"),
        (OSError(28, "No space left"), OSError, "No space left"),
        (KeyError("a"), ClusterError, "a node of the Ray cluster failed, .*'a'"),
    ):
        with pytest.raises(expected, match=words):
            list(cluster.each(fail, [(error,)], cores=1))


def test_what_nodes_do_not_share_is_said(posters, cluster, tmp_path):
    model = SharedModel(find_model, "nothing.onnx", None, (), tuple(versions().items()))
    task = Task("a", posters[0], tmp_path / "out", (tmp_path / "out" / "a",))
    call = (task, Decoding(), 0, "refuse", False)
    with pytest.raises(ClusterError, match=r"can't load the model: there is no file nothing\.onnx"):
        next(cluster_engine(cluster, model, tmp_path / "out")(iter([call])))
    assert not list((tmp_path / "out").iterdir())
    arguments = (model, tmp_path / "elsewhere" / "sign", *call)
    with pytest.raises(ClusterError, match=f"does not see {tmp_path}/elsewhere: results must go"):
        next(cluster.each(_recolor_on_node, [arguments], cores=1))
    with pytest.raises(ClusterError, match=r"poster.* can be used here, but not on the node far"):
        _check_unreadable(task, "far", "not an image")
