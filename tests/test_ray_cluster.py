"""Posters that a Ray cluster reads: the same bytes, whatever becomes of its nodes."""

import contextlib
import socket
import sys
import threading
import time

import psutil
import pytest
from test_preparation import SETTINGS, interrupt, shard_bytes

from recolor.datasets import ray_cluster, reading
from recolor.datasets.preparation import prepare
from recolor.datasets.ray_cluster import ClusterError


@pytest.fixture(scope="module")
def two_nodes():
    """A cluster of two nodes with one processor each; the second may be killed."""
    pytest.importorskip("ray", reason="needs pip install 'poster-recolor[ray]'")
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
    pytest.importorskip("ray", reason="needs pip install 'poster-recolor[ray]'")
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
