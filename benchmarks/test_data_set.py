"""Data sets of real posters: how fast they are made and read, and how large they are.

    RECOLOR_POSTERS=folder pytest benchmarks/test_data_set.py -s

Read the ratios within a group; ``posters_per_second`` and ``bytes_per_poster`` are in
``extra_info``, and printed. So are the shares that `prepare` reaches of what can't be spared, in
the same run: of decoding and resizing a core, and of the embedding network in full batches.
"""

import os
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from skimage.color import rgb2lab

from recolor.datasets.color import lab8_table
from recolor.datasets.compression import CODECS
from recolor.datasets.embeddings.catalog import find_embedding
from recolor.datasets.embeddings.embedding import BATCH, embedder
from recolor.datasets.images import find_images
from recolor.datasets.input_pipeline import Posters
from recolor.datasets.manifest import Manifest
from recolor.datasets.posters import read_poster
from recolor.datasets.preparation import prepare

SIZE, COUNT, EMBEDDED = 256, 3000, 20 * BATCH
ALONE, NETWORK = "decoding and resizing alone", "the embedding network alone"


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """The first posters of the folder that is named."""
    folder = os.environ.get("RECOLOR_POSTERS")
    if not folder:
        pytest.skip("RECOLOR_POSTERS names no folder of posters")
    # Once, so that nobody pays for it.
    lab8_table()
    return [path for _, path in find_images([Path(folder)])][:COUNT]


# Posters a second, by what was measured in this run.
RATES: dict[str, float] = {}


def told(
    benchmark, count: int, seconds: float, what: str, of: str | None = None, cores: int = 1
) -> None:
    RATES[what] = count / seconds
    benchmark.extra_info["posters_per_second"] = round(RATES[what], 1)
    line = f"\n{what}: {RATES[what]:.1f} posters/s"
    if of in RATES:
        benchmark.extra_info["share"] = round(RATES[what] / RATES[of] / cores, 3)
        line += f", {benchmark.extra_info['share']:.2f} of {of}{' a core' if cores > 1 else ''}"
    print(line)


def fitted(file: Path) -> Image.Image:
    with Image.open(file) as image:
        rgb = image.convert("RGB")
    scale = SIZE / max(rgb.size)
    size = [round(side * scale) for side in rgb.size]
    return rgb.resize(size, Image.Resampling.BICUBIC)


@pytest.mark.benchmark(group="make a data set")
def test_decoding_and_resizing_alone(benchmark, files):
    benchmark.pedantic(lambda: [fitted(file) for file in files], rounds=1)
    told(benchmark, len(files), benchmark.stats["min"], ALONE)


@pytest.mark.benchmark(group="make a data set")
def test_the_obvious_loop(benchmark, files, tmp_path):
    """Pillow, scikit-image and TensorFlow's writer."""

    def feature(data: bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))

    def loop() -> None:
        with tf.io.TFRecordWriter(str(tmp_path / "shard")) as writer:
            for file in files:
                square = Image.new("RGB", (SIZE, SIZE), "white")
                square.paste(fitted(file))
                lab = rgb2lab(np.asarray(square))
                stored = {
                    "lightness": np.rint(lab[..., 0] * 2.55).astype(np.uint8),
                    "ab": np.rint(lab[..., 1:]).astype(np.int8),
                }
                features = {name: feature(one.tobytes()) for name, one in stored.items()}
                example = tf.train.Example(features=tf.train.Features(feature=features))
                writer.write(example.SerializeToString())

    benchmark.pedantic(loop, rounds=1)
    told(benchmark, len(files), benchmark.stats["min"], "the obvious loop")


def making(files: list[Path], out: Path, embedding: str, **options) -> tuple[int, float]:
    """Make a data set; return posters and seconds from the first ones read to the last."""
    moments = []
    prepare(
        files, out, size=SIZE, split=(len(files), 0, 0), embedding=embedding, seed=0, **options,
        progress=lambda done, total, skipped: moments.append((done, time.perf_counter())),
    )  # fmt: skip
    # The start of processes and of TensorFlow is left out, and the writing of shards is not.
    return len(files) - moments[0][0], time.perf_counter() - moments[0][1]


@pytest.mark.benchmark(group="make a data set")
@pytest.mark.parametrize("workers", [1, 2])
def test_prepare(benchmark, files, tmp_path, workers):
    made = benchmark.pedantic(making, (files, tmp_path, "none"), {"workers": workers}, rounds=1)
    told(benchmark, *made, f"prepare, {workers} workers", ALONE, workers)


@pytest.mark.benchmark(group="make a data set with embeddings")
def test_the_embedding_network_alone(benchmark, files):
    embed = embedder(find_embedding("random"), SIZE)
    batch = np.zeros((BATCH, SIZE, SIZE, 1), np.uint8)
    rounds = EMBEDDED // BATCH
    benchmark.pedantic(embed, (batch,), rounds=rounds, warmup_rounds=1)
    told(benchmark, EMBEDDED, rounds * benchmark.stats["mean"], NETWORK)


@pytest.mark.benchmark(group="make a data set with embeddings")
def test_prepare_with_embeddings(benchmark, files, tmp_path):
    made = benchmark.pedantic(
        making, (files[:EMBEDDED], tmp_path, "random"), {"workers": 2}, rounds=1
    )
    told(benchmark, *made, "prepare with embeddings", NETWORK)


@pytest.mark.benchmark(group="read posters")
def test_read_images(benchmark, files):
    benchmark.pedantic(lambda: [read_poster(file, SIZE) for file in files], rounds=1)
    told(benchmark, len(files), benchmark.stats["min"], "from image files")


@pytest.mark.benchmark(group="read posters")
@pytest.mark.parametrize("compression", CODECS)
def test_read_shards(benchmark, files, tmp_path, compression):
    count, seconds = making(files, tmp_path, "none", workers=2, compression=compression)
    print(f"\nprepare, 2 workers, compression {compression}: {count / seconds:.1f} posters/s")
    manifest = Manifest.load(tmp_path)
    posters = Posters(manifest, "train")
    benchmark.pedantic(lambda: [posters[number] for number in range(len(posters))], rounds=2)
    size = sum(file.stat().st_size for file in manifest.shards("train")) / len(posters)
    benchmark.extra_info["bytes_per_poster"] = round(size)
    told(benchmark, len(posters), benchmark.stats["min"], f"shards, {compression}, {size:.0f} B")
