"""From image files to shards: complete, reproducible, resumable, and never half there."""

import contextlib
import json
import multiprocessing
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from recolor.datasets import preparation, reading
from recolor.datasets.checksums import file_digest
from recolor.datasets.chunks import write_chunk
from recolor.datasets.classes import count_cells
from recolor.datasets.color import lab8_table
from recolor.datasets.folder_lock import LockError
from recolor.datasets.input_pipeline import Posters
from recolor.datasets.inputs import find_inputs
from recolor.datasets.manifest import DatasetError, Manifest
from recolor.datasets.posters import read_poster
from recolor.datasets.preparation import prepare
from recolor.datasets.reader_pool import reader_pool
from recolor.datasets.splits import SPLITS, SplitError

SETTINGS = {"size": 32, "split": (20, 6, 4), "embedding": "none", "seed": 1, "workers": 2}


def interrupt(manifest: Manifest) -> None:
    raise KeyboardInterrupt


def shard_bytes(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.glob("*"))
        if path.suffix in (".tfrecord", ".json")
    }


def test_no_reading_process_is_left(posters, tmp_path):
    """Python, at its end, might write to a pipe of one that ends at that moment."""
    prepare(posters[:4], tmp_path / "data", **{**SETTINGS, "split": (4, 0, 0)})
    assert not multiprocessing.active_children()


def test_shards_hold_what_the_manifest_says(manifest, posters):
    by_name = {path.name: path for path in posters}
    seen = []
    for split, count in zip(SPLITS, (20, 6, 4), strict=True):
        examples = list(Posters(manifest, split))
        assert len(examples) == count == manifest.count(split)
        cells = sum(count_cells(example["ab"]) for example in examples)
        np.testing.assert_array_equal(cells, manifest.cell_counts(split))
        for example in examples:
            path = by_name[str(example["id"])]
            poster = read_poster(path, manifest.size)
            box = poster.box
            inside = example["lightness"][..., 0][box.slices]
            np.testing.assert_array_equal(inside, poster.lightness)
            np.testing.assert_array_equal(example["ab"][box.slices], poster.ab)
            assert example["box"].tolist() == [box.top, box.left, box.height, box.width]
            assert str(example["sha256"]) == file_digest(path)
            with Image.open(path) as image:
                assert example["source_size"].tolist() == [image.height, image.width]
            np.testing.assert_array_equal(example["embedding"], np.zeros(1000, np.float32))
            seen.append(path.name)
    assert sorted(seen) == sorted(by_name)


def test_readers_use_their_memory_again(posters, tmp_path):
    """A picture's pages, fresh from the system each time, took a fifth of the time."""
    lab8_table()
    files = [(path.name, path) for path in posters]
    with reader_pool(1) as pool:

        def pages() -> int:
            return pool.submit(resource.getrusage, resource.RUSAGE_SELF).result().ru_minflt

        counts = [pages()]
        for number in range(3):
            pool.submit(write_chunk, tmp_path / f"{number}.tfrecord", files, 256).result()
            counts.append(pages())
    assert min(np.diff(counts[1:])) < 20 * len(posters)


def test_mean_color_is_that_of_the_training_posters_without_padding(manifest):
    pixels = []
    for example in Posters(manifest, "train"):
        top, left, height, width = example["box"]
        pixels.append(example["ab"][top : top + height, left : left + width].reshape(-1, 2))
    np.testing.assert_allclose(manifest.mean_ab, np.concatenate(pixels).mean(axis=0), rtol=1e-12)


def test_another_run_gives_the_same_bytes_whatever_the_order_and_workers(
    manifest, posters, tmp_path
):
    prepare(list(reversed(posters)), tmp_path / "again", **{**SETTINGS, "workers": 1})
    assert shard_bytes(tmp_path / "again") == shard_bytes(manifest.folder)


def test_another_seed_divides_differently(manifest, posters, tmp_path):
    other, _ = prepare(posters, tmp_path / "other", **{**SETTINGS, "seed": 2})
    assert other.digest != manifest.digest


def test_unusable_images_are_skipped_named_and_counted(posters, tmp_path):
    folder = tmp_path / "posters"
    folder.mkdir()
    for path in posters[:8]:
        shutil.copy(path, folder)
    (folder / "text.jpg").write_text("not an image")
    (folder / "cut.jpg").write_bytes(posters[0].read_bytes()[:3000])
    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    dataset, skipped = prepare([folder], tmp_path / "data", **{**SETTINGS, "split": (6, 1, 1)})
    assert {name for name, _ in skipped} == {"text.jpg", "cut.jpg", "dot.png"}
    assert dataset.content["posters"]["skipped"] == 3
    report = (tmp_path / "data" / "skipped.tsv").read_text().splitlines()
    assert len(report) == 4
    assert all(len(line.split("\t")) == 2 for line in report)


def test_near_duplicates_stay_together(posters, tmp_path):
    folder = tmp_path / "posters"
    folder.mkdir()
    for number, path in enumerate(posters[:10]):
        with Image.open(path) as image:
            image.save(folder / f"{number}-a.png")
            image.resize((image.width * 3 // 4, image.height * 3 // 4)).save(
                folder / f"{number}-b.jpg", quality=60
            )
            ImageOps.grayscale(image).save(folder / f"{number}-c.jpg")
    dataset, _ = prepare([folder], tmp_path / "data", **{**SETTINGS, "split": (0.5, 0.25, 0.25)})
    home = {}
    for split in SPLITS:
        for example in Posters(dataset, split):
            home.setdefault(str(example["id"])[0], set()).add(split)
    assert len(home) == 10
    assert all(len(splits) == 1 for splits in home.values())
    assert len(set.union(*home.values())) > 1


def test_zero_counts_leave_a_split_out(posters, tmp_path):
    dataset, _ = prepare(posters[:5], tmp_path / "data", **{**SETTINGS, "split": (0, 0, 5)})
    assert [dataset.count(split) for split in SPLITS] == [0, 0, 5]
    assert dataset.mean_ab is None
    with pytest.raises(DatasetError, match="no training posters"):
        _ = dataset.classes
    with pytest.raises(DatasetError, match="train split is empty"):
        Posters(dataset, "train")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"size": 30}, DatasetError, "multiple of 8"),
        ({"split": (20, 20, 20)}, SplitError, "60 posters are asked for"),
    ],
)
def test_settings_that_can_not_be_met_leave_no_data_set(posters, tmp_path, change, error, words):
    with pytest.raises(error, match=words):
        prepare(posters, tmp_path / "data", **{**SETTINGS, **change})
    # Before the work.
    assert not (tmp_path / "data").exists()


def test_an_existing_data_set_is_replaced_only_on_demand(posters, tmp_path):
    out = tmp_path / "data"
    first, _ = prepare(posters[:6], out, **{**SETTINGS, "split": (4, 1, 1)})
    with pytest.raises(DatasetError, match="`overwrite`"):
        prepare(posters[:5], out, **{**SETTINGS, "split": (5, 0, 0)})
    assert Manifest.load(out).digest == first.digest
    second, _ = prepare(posters[:5], out, **{**SETTINGS, "split": (5, 0, 0)}, overwrite=True)
    assert Manifest.load(out).digest == second.digest != first.digest
    assert sorted(path.name for path in out.glob("*.tfrecord")) == ["train-00000-of-00001.tfrecord"]


def test_the_second_at_once_is_told_who_is_at_it_and_changes_nothing(posters, tmp_path):
    out = tmp_path / "data"
    messages = []

    def prepare_again(done, total, skipped):
        with pytest.raises(LockError) as caught:
            prepare(posters[:8], out, **{**SETTINGS, "split": (6, 1, 1)}, overwrite=True)
        messages.append(str(caught.value))

    prepare(posters, out, **SETTINGS, progress=prepare_again)
    assert messages[0].startswith(f"{out} is being written by process {os.getpid()} on ")
    assert re.search(r" since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S*: wait", messages[0])
    assert "\n" not in messages[0]
    reference, _ = prepare(posters, tmp_path / "reference", **SETTINGS)
    assert shard_bytes(out) == shard_bytes(reference.folder)


def test_a_data_set_that_is_replaced_is_not_read_on_as_if_it_were_the_same(posters, tmp_path):
    """Its shards have the same names and numbers of posters."""
    out = tmp_path / "data"
    settings = {**SETTINGS, "split": (6, 1, 1)}
    first, _ = prepare(posters[:8], out, **settings)
    opened = Posters(first, "train")
    names = [str(poster["id"]) for poster in opened]
    prepare(posters[8:16], out, **settings, overwrite=True)
    assert [str(poster["id"]) for poster in opened] == names
    with pytest.raises(DatasetError, match="was prepared again meanwhile"):
        Posters(first, "train")
    (out / "dataset.json").unlink()
    next(out.glob("train-*")).unlink()
    with pytest.raises(DatasetError, match="was prepared again meanwhile"):
        Posters(first, "train")


def test_pictures_are_a_part_of_what_is_published(posters, tmp_path):
    out = tmp_path / "data"
    settings = {**SETTINGS, "split": (6, 1, 1)}

    def draw(manifest):
        assert len(Posters(manifest, "train")) == 6
        assert not (out / "dataset.json").exists()
        (manifest.folder / "picture.png").touch()

    with pytest.raises(KeyboardInterrupt):
        prepare(posters[:8], out, **settings, draw=interrupt)
    with pytest.raises(DatasetError, match="not a whole data set"):
        Manifest.load(out)
    prepare(posters[:8], out, **settings, draw=draw)
    assert (out / "picture.png").exists()
    assert not (out / ".partial").exists()


def test_what_a_run_leaves_that_is_killed_after_its_end_goes_away(posters, tmp_path, monkeypatch):
    out = tmp_path / "data"
    settings = {**SETTINGS, "split": (6, 1, 1)}
    with monkeypatch.context() as patch:
        patch.setattr(preparation.shutil, "rmtree", lambda *_, **__: None)
        prepare(posters[:8], out, **settings)
    assert list((out / ".partial").glob("*.tfrecord"))
    with pytest.raises(DatasetError, match="holds a data set already"):
        prepare(posters[:8], out, **settings)
    assert not (out / ".partial").exists()


def test_an_interrupted_replacement_goes_on_though_overwrite_was_once_forgotten(posters, tmp_path):
    out = tmp_path / "data"
    settings = {**SETTINGS, "split": (6, 1, 1)}
    first, _ = prepare(posters[:8], out, **settings)
    with pytest.raises(KeyboardInterrupt):
        prepare(posters[8:16], out, **settings, overwrite=True, draw=interrupt)
    assert Manifest.load(out).digest == first.digest
    kept = list((out / ".partial").glob("*.tfrecord"))
    with pytest.raises(DatasetError, match="`overwrite`"):
        prepare(posters[8:16], out, **settings)
    assert kept and all(chunk.exists() for chunk in kept)
    second, _ = prepare(posters[8:16], out, **settings, overwrite=True)
    assert second.digest != first.digest


def test_posters_without_color_are_found_out_here_and_not_when_training(tmp_path):
    (tmp_path / "gray").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (4, 40, 40), np.uint8)
    for number, pixels in enumerate(noise):
        Image.fromarray(pixels).save(tmp_path / "gray" / f"{number}.png")
    settings = {**SETTINGS, "split": (2, 1, 1)}
    with pytest.raises(DatasetError, match="populate 1 color classes"):
        prepare([tmp_path / "gray"], tmp_path / "data", **settings)
    assert not (tmp_path / "data" / "dataset.json").exists()
    prepare([tmp_path / "gray"], tmp_path / "data", **{**settings, "split": (0, 2, 2)})


def alive(session: int) -> list[int]:
    """The processes of a session that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, sid = stat.read_text().rpartition(")")[2].split()[:4]
            if int(sid) == session and state != "Z":
                found.append(int(stat.parent.name))
    return found


def test_a_killed_run_goes_on_where_it_stopped(posters, tmp_path):
    """Kill -9 after the first chunks; the second run must reuse them and give the same bytes."""
    out = tmp_path / "data"
    script = (
        "import sys; from pathlib import Path; import recolor.datasets.preparation as p\n"
        "import recolor.datasets.reading as r\n"
        "if __name__ == '__main__':\n"
        "    r.CHUNK_POSTERS = 4\n"
        "    slow = lambda done, total, skipped: (print(done, flush=True), __import__('time')"
        ".sleep(.3))\n"
        f"    p.prepare([Path({str(posters[0].parent)!r})], Path({str(out)!r}), progress=slow,"
        f" **{SETTINGS!r})\n"
    )
    program = tmp_path / "program.py"
    program.write_text(script)
    process = subprocess.Popen(
        [sys.executable, program], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout.readline().strip() == "4"
    assert process.stdout.readline().strip() == "8"
    process.kill()
    process.wait()
    # Readers end with their parent, however that ended.
    deadline = time.monotonic() + 20
    while alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not alive(process.pid)
    kept = {path: path.stat().st_mtime_ns for path in (out / ".partial").glob("*.tfrecord")}
    assert kept
    with pytest.raises(DatasetError, match="not a whole data set"):
        Manifest.load(out)

    reference, _ = prepare([posters[0].parent], tmp_path / "reference", **SETTINGS)
    result = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert Manifest.load(out).digest == reference.digest
    assert not (out / ".partial").exists()


def test_finished_chunks_are_not_read_again(posters, tmp_path):
    """Once a chunk is written its images may go."""
    folder = tmp_path / "posters"
    shutil.copytree(posters[0].parent, folder)
    out = tmp_path / "data"
    with pytest.raises(KeyboardInterrupt):
        prepare([folder], out, **SETTINGS, draw=interrupt)
    before = {path: path.stat().st_mtime_ns for path in (out / ".partial").glob("*.tfrecord")}
    assert before
    started = time.time_ns()
    for path in folder.iterdir():
        stat = path.stat()
        path.write_bytes(b"x" * stat.st_size)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    dataset, skipped = prepare([folder], out, **SETTINGS)
    assert not skipped
    assert dataset.count("train") == 20
    assert all(mtime < started for mtime in before.values())


def test_a_killed_reader_is_said_in_one_line(posters, tmp_path, monkeypatch):
    """The pool notices it between two files, and refuses the next one."""
    monkeypatch.setattr(reading, "CHUNK_POSTERS", 4)

    def kill_readers(done, total, skipped):
        for process in multiprocessing.active_children():
            process.kill()
            process.join()
        # Give the pool the time to notice.
        time.sleep(0.3)

    with pytest.raises(DatasetError, match="a reading process was killed") as caught:
        prepare(posters, tmp_path / "data", **SETTINGS, progress=kill_readers)
    assert "\n" not in str(caught.value)
    again, _ = prepare(posters, tmp_path / "data", **SETTINGS)
    assert again.count("train") == 20


def test_a_file_that_vanishes_is_skipped_and_not_taken_for_a_full_disk(
    posters, tmp_path, monkeypatch
):
    folder = tmp_path / "posters"
    shutil.copytree(posters[0].parent, folder)

    def find_and_lose(*arguments, **options):
        files = find_inputs(*arguments, **options)
        (folder / posters[3].name).unlink()
        return files

    monkeypatch.setattr(preparation, "find_inputs", find_and_lose)
    settings = {**SETTINGS, "split": (20, 6, 3)}
    dataset, skipped = prepare([folder], tmp_path / "data", **settings)
    assert [name for name, _ in skipped] == [posters[3].name]
    assert skipped[0][1].startswith("can't be read: ")
    assert dataset.count("train") == 20


def test_a_folder_that_can_not_be_written_is_named(posters, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match=r"file/data can't be written \("):
        prepare(posters, tmp_path / "file" / "data", **SETTINGS)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small tmpfs needs root")
def test_a_full_disk_is_said_in_one_line_and_leaves_no_data_set(recolor, posters, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    try:
        result = recolor(
            *("prepare", posters[0].parent, "--out", disk / "data", "--size", 256),
            *("--split", "20,6,4"),
        )
        assert result.returncode == 1
        assert "Traceback" not in result.stderr
        message = result.stderr.replace("\r", "\n").splitlines()[-1]
        assert message.startswith("Error: "), message
        assert "space" in message or "full" in message
        assert not (disk / "data" / "dataset.json").exists()
    finally:
        subprocess.run(["umount", disk], check=True)


class TestManifest:
    @pytest.fixture
    def copy(self, manifest, tmp_path) -> Path:
        return Path(shutil.copytree(manifest.folder, tmp_path / "copy"))

    def test_a_missing_folder_and_an_empty_one(self, tmp_path):
        with pytest.raises(DatasetError, match="does not exist"):
            Manifest.load(tmp_path / "nowhere")
        with pytest.raises(DatasetError, match="not a whole data set"):
            Manifest.load(tmp_path)

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 99}'])
    def test_a_damaged_description(self, copy, text):
        (copy / "dataset.json").write_text(text)
        with pytest.raises(DatasetError, match=r"dataset\.json"):
            Manifest.load(copy)

    def test_a_changed_description(self, copy):
        content = json.loads((copy / "dataset.json").read_text())
        content["splits"]["train"]["count"] += 1
        (copy / "dataset.json").write_text(json.dumps(content))
        with pytest.raises(DatasetError, match="was changed"):
            Manifest.load(copy)

    def test_a_missing_shard(self, copy):
        next(copy.glob("test-*")).unlink()
        with pytest.raises(DatasetError, match="is missing"):
            Manifest.load(copy)

    def test_flipped_bytes_in_a_shard(self, copy):
        shard = next(copy.glob("train-*"))
        data = bytearray(shard.read_bytes())
        data[len(data) // 2] ^= 0xFF
        shard.write_bytes(data)
        dataset = Manifest.load(copy)
        with pytest.raises(DatasetError, match=f"{shard.name} is not the file that was prepared"):
            Posters(dataset, "train")
