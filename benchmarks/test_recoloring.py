"""Recoloring a picture, with and without a palette: time as benchmarks, and peak memory.

All of a group is one picture's: read the ratios to ``free``, or, of what is finished at full size,
to scikit-image in double precision, which resizes colors and puts them to the lightness.
"""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from skimage import data as samples
from skimage.color import lab2rgb, rgb2lab
from skimage.transform import resize

from recolor.models.catalog import DEFAULT
from recolor.models.decoding.options import Decoding
from recolor.platform.registry.model import load_model

SIZES = [(300, 450), (1000, 1500), (2000, 3000)]
WAYS = {
    "free": Decoding(palette="none"),
    "palette": Decoding(palette="#0b4f5c,#f28c28:2"),
    "auto": Decoding(palette="auto"),
    "half strength": Decoding(palette="#0b4f5c,#f28c28:2", strength=0.5),
}


@pytest.fixture(scope="module")
def painter():
    return load_model(DEFAULT).painter


def picture(size) -> Image.Image:
    return Image.fromarray(samples.astronaut()).resize(size)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_a_picture(benchmark, painter, size, way):
    benchmark.group = f"recolor {size[0]}x{size[1]}"
    source = picture(size)
    benchmark.pedantic(painter.recolor, (source, WAYS[way]), rounds=5, warmup_rounds=1)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("way", ["free", "palette"])
def test_finishing_a_picture_that_was_seen(benchmark, painter, size, way):
    """As each time that another palette or hint is tried."""
    benchmark.group = f"finish {size[0]}x{size[1]}"
    decoding = WAYS[way]
    seen = painter.see(picture(size), decoding)
    palette = painter.palette(seen, decoding)
    benchmark.pedantic(painter.painted, (seen, palette, decoding), rounds=15, warmup_rounds=2)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_finishing_by_scikit_image(benchmark, size):
    """Colors of the network's size resized to the picture's, and joined with its lightness."""
    benchmark.group = f"finish {size[0]}x{size[1]}"
    source = np.asarray(picture(size))
    colors = rgb2lab(np.asarray(picture((171, 256))))[..., 1:]

    def finished():
        lightness = rgb2lab(source)[..., :1]
        lab = np.concatenate([lightness, resize(colors, source.shape[:2], order=1)], axis=-1)
        return np.rint(255 * lab2rgb(lab)).astype(np.uint8)

    benchmark.pedantic(finished, rounds=3)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("way", ["free", "palette"])
def test_peak_memory(benchmark, size, way):
    """In a process of its own; the peak, less what it is without any picture, in ``extra_info``."""
    code = (
        "import json, resource, sys\n"
        "sys.path.insert(0, 'benchmarks')\n"
        "from test_recoloring import DEFAULT, WAYS, picture, load\n"
        "size, way = json.loads(sys.argv[1])\n"
        "painter = load_model(DEFAULT).painter\n"
        "painter.recolor(picture((30, 45)), WAYS[way])\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "painter.recolor(picture(size), WAYS[way])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    command = [sys.executable, "-c", code, json.dumps([size, way])]
    result = benchmark.pedantic(
        subprocess.run, (command,), {"capture_output": True, "text": True}, rounds=1
    )
    benchmark.group = f"process {size[0]}x{size[1]}"
    kilobytes = int(result.stdout.split()[-1])
    benchmark.extra_info["peak_mb"] = round(kilobytes / 1024)
    print(f"{way} {size}: {kilobytes / 1024:.0f} MB more at the peak")
    assert np.isfinite(kilobytes)
