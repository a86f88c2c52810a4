"""`recolor stats`: against values computed by hand, and by NumPy and scikit-image alone."""

import itertools
import json
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from skimage.color import lab2rgb

from recolor.datasets import manifest as manifests
from recolor.datasets.input_pipeline import read_posters
from recolor.datasets.manifest import Manifest
from recolor.datasets.palettes.library import PaletteLibrary
from recolor.datasets.palettes.palette import CELLS
from recolor.datasets.posters import read_poster
from recolor.datasets.preparation import prepare
from recolor.datasets.splits import SPLITS
from recolor.datasets.years import Years, YearsError
from recolor.evaluation import dataset_statistics as statistics
from recolor.evaluation.dataset_statistics import (
    VALUES,
    ColorStatistics,
    SharedSchemes,
    dataset_statistics,
)
from recolor.platform.cli.main import main

RED, GRAY, BLUE = (255, 0, 0), (128, 128, 128), (0, 0, 255)


def picture(*columns, height: int = 32) -> Image.Image:
    """A picture of columns of 16 pixels, each of one color."""
    row = np.repeat(np.array(columns, np.uint8), 16, axis=0)
    return Image.fromarray(np.tile(row, (height, 1, 1)))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> tuple[Manifest, Path]:
    """A data set of three posters and their folder: half red, all gray, and all blue."""
    folder = tmp_path_factory.mktemp("tiny") / "posters"
    folder.mkdir()
    picture(RED, GRAY).save(folder / "half red.png")
    picture(GRAY).save(folder / "gray.png")
    picture(BLUE, BLUE, height=16).save(folder / "blue.png")
    dataset, _ = prepare(
        [folder], folder.parent / "tiny", size=32, split=(0, 0, 3), embedding="none", seed=1,
        workers=1,
    )  # fmt: skip
    return dataset, folder


def run(*arguments):
    return CliRunner().invoke(main, ["stats", *map(str, arguments)])


def test_a_poster_half_red_half_gray():
    """L, a and b of pure red are 53.2, 80.1 and 67.2; gray of 128 has L = 53.6."""
    poster = read(picture(RED, GRAY))
    means = poster.means
    # Red minus green is 255 and 0, and yellow minus blue is 127.5 and 0.
    assert means["colorfulness"] == pytest.approx(1.3 * np.hypot(127.5, 63.75), rel=0.01)
    assert means["chroma"] == pytest.approx(np.hypot(80, 67) / 2)
    assert means["neutral"] == 0.5
    assert means["lightness"] == pytest.approx((53.2 + 53.6) / 2, abs=0.3)
    assert means["contrast"] == pytest.approx(0.2, abs=0.2)
    assert means["gray"] == 0
    assert poster.colored_chroma / poster.hues.sum() == pytest.approx(np.hypot(80, 67))
    red, neutral = (128 + 80) // 8 * 32 + (128 + 67) // 8, 128 // 8 * 33
    assert {cell: poster.cells[cell, 0] for cell in np.flatnonzero(poster.cell_posters)} == {
        red: 0.5,
        neutral: 0.5,
    }
    assert poster.hues[39] == poster.hues.sum() == 0.5
    assert poster.chroma[0] == 0.5 and poster.chroma[int(np.hypot(80, 67) // 4)] == 0.5


def read(image: Image.Image) -> ColorStatistics:
    from recolor.datasets.color import rgb_to_lab8

    return ColorStatistics.of_poster(*rgb_to_lab8(np.asarray(image)))


def test_every_poster_counts_the_same_and_padding_does_not(tiny):
    found = dataset_statistics(tiny[0], Years())
    assert found.colors.posters == 3
    assert found.widths == {32: 2, 16: 1} and found.heights == {32: 2, 16: 1}
    # White is neutral: with the padding, more would be.
    assert found.colors.means["neutral"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert found.colors.means["gray"] == pytest.approx(2 / 3)
    assert found.colors.lightness[-1] == 0
    assert found.colors.hues[39] == 0.5 and found.colors.hues[306] == 1
    np.testing.assert_allclose(found.colors.cells[:, 0].sum(), 3)
    assert found.colors.classes == 3
    spread = np.std([0.5, 1, 0], ddof=1) / np.sqrt(3)
    assert found.colors.errors["neutral"] == pytest.approx(spread)


def test_sums_are_those_of_numpy_and_scikit_image(manifest):
    found = dataset_statistics(manifest, Years()).colors
    values, cells, lightness, chroma_bins, hues, colored_chroma = [], [], 0, 0, 0, 0
    for split in SPLITS:
        for batch in read_posters(manifest, split, 7):
            for level, ab, (top, left, height, width) in zip(
                batch["lightness"], batch["ab"], batch["box"], strict=True
            ):
                inside = np.s_[top : top + height, left : left + width]
                lab = np.dstack([level[inside][..., 0] / 2.55, ab[inside].astype(float)])
                pixels = lab.reshape(-1, 3)
                rgb = np.rint(lab2rgb(lab).clip(0, 1) * 255).reshape(-1, 3)
                rg, yb = rgb[:, 0] - rgb[:, 1], (rgb[:, 0] + rgb[:, 1]) / 2 - rgb[:, 2]
                colorfulness = np.sqrt(rg.var() + yb.var())
                colorfulness += 0.3 * np.sqrt(rg.mean() ** 2 + yb.mean() ** 2)
                chroma = np.sqrt((pixels[:, 1:] ** 2).sum(axis=1))
                hue = np.degrees(np.angle(pixels[:, 1] + 1j * pixels[:, 2])) % 360
                colored = chroma > 8
                values.append(
                    [
                        colorfulness, chroma.mean(), np.mean(chroma <= 8), pixels[:, 0].mean(),
                        pixels[:, 0].std(), pixels[:, 1:].var(axis=0).sum() <= 25,
                    ]
                )  # fmt: skip
                share = 1 / len(pixels)
                edges = np.arange(-128, 129, 8)
                cells.append(np.histogram2d(*pixels[:, 1:].T, bins=(edges, edges))[0] * share)
                lightness += np.histogram(level[inside], np.arange(0, 257, 4))[0] * share
                chroma_bins += np.histogram(chroma, np.arange(0, 185, 4))[0] * share
                hues += np.histogram(hue[colored], np.arange(361))[0] * share
                colored_chroma += chroma[colored].sum() * share
    values, cells = np.array(values, float), np.array(cells).reshape(-1, CELLS)
    assert found.posters == len(values) == 30
    # RGB is converted in single precision there: a rounding may differ.
    np.testing.assert_allclose(list(found.means.values()), values.mean(axis=0), rtol=1e-3)
    errors = values.std(axis=0, ddof=1) / np.sqrt(30)
    np.testing.assert_allclose(list(found.errors.values()), errors, rtol=1e-3, atol=1e-9)
    np.testing.assert_allclose(found.cells[:, 0], cells.sum(axis=0), atol=1e-9)
    np.testing.assert_array_equal(found.cell_posters, (cells > 0).sum(axis=0))
    np.testing.assert_allclose(found.lightness, lightness, atol=1e-9)
    np.testing.assert_allclose(found.chroma, chroma_bins, atol=1e-9)
    np.testing.assert_allclose(found.hues, hues, atol=1e-9)
    assert found.colored_chroma == pytest.approx(colored_chroma)


def test_classes_in_fewer_posters_are_the_mean_over_all_choices():
    has = np.random.default_rng(2).random((7, CELLS)) < 0.02
    zeros = np.zeros(1)
    colors = ColorStatistics(7, zeros, zeros, zeros, has.sum(axis=0), zeros, zeros, zeros, 0)
    for count in range(1, 8):
        choices = itertools.combinations(range(7), count)
        brute = np.mean([has[list(chosen)].any(axis=0).sum() for chosen in choices])
        assert colors.classes_in(count) == pytest.approx(brute)


def test_how_much_the_classes_of_fewer_posters_vary(manifest):
    found = dataset_statistics(manifest, Years())
    has = found.sample > 0
    choices = itertools.combinations(range(30), 2)
    brute = np.std([has[list(chosen)].any(axis=0).sum() for chosen in choices])
    assert found.classes_deviation(2) == pytest.approx(brute, rel=0.2)
    assert found.classes_deviation(30) is None


def test_years_by_file_name_and_by_sha256(tiny, tmp_path):
    dataset, folder = tiny
    digest = read_poster(folder / "blue.png", 32).sha256
    names, digests = tmp_path / "names.csv", tmp_path / "digests.csv"
    names.write_text("file,year\nhalf red.png,1983\nblue.png,1955\n")
    digests.write_text(
        f"file,id,title,year,url,sha256,status\nother.png,7,Blue,1991,,{digest.upper()},ok\n"
    )
    found = dataset_statistics(dataset, Years.load([names, digests]))
    assert list(found.decades) == [1980, 1990, None]
    assert [colors.posters for colors in found.decades.values()] == [1, 1, 1]
    assert found.decades[1990].means["neutral"] == 0
    assert found.decades[None].means["neutral"] == 1
    np.testing.assert_allclose(found.colors.values, sum(c.values for c in found.decades.values()))


@pytest.mark.parametrize(
    "content",
    [
        "\ufefffile,year\na.jpg,1983\n",
        "FILE; Title ;Year\r\na.jpg;One, two;1983\r\n\r\n",
        "year\ttitle\tid\n1983\tx\ta\n",
        'title,file,year\n"two\nlines, ""quoted""",a.jpg,1983.0\n',
        "file,year\nshort\nb.jpg,\n,1990\na.jpg, 1983 ,more,cells\n",
        "id,file,year\n99,a.jpg,1983\n",
        "file,year\na.jpg,1983\na.jpg,1983",
    ],
)
def test_csv_files_as_people_have_them(content, tmp_path):
    (tmp_path / "years.csv").write_text(content, encoding="utf-8", newline="")
    years = Years.load([tmp_path / "years.csv"])
    assert years["a.jpg", "0" * 64] == 1983
    assert years["b.jpg", "0" * 64] is None and years["99.jpg", "0" * 64] is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the first line must name the columns"),
        (b"a.jpg,1983\n", "the first line must name the columns"),
        (b"file,date\na.jpg,1983\n", "the first line must name the columns"),
        (b"file,year\na.jpg,1983\nb.jpg,c. 1985\n", "line 3: 'c. 1985' is not a year"),
        (b"file,year\na.jpg,83\n", "line 2: '83' is not a year"),
        (b"file,year\nf\xe9te.jpg,1983\n", "is not UTF-8"),
        ("file,year\na.jpg,1983\n".encode("utf-16"), "is not UTF-8"),
        (b"file,year\n" + b"a" * 200_000 + b",1983\n", "line 2: field larger"),
        (None, "can't be read: No such file"),
    ],
)
def test_csv_files_that_are_of_no_use(content, message, tmp_path):
    file = tmp_path / "years.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(YearsError, match=message) as error:
        Years.load([file])
    assert str(file) in str(error.value) and "\n" not in str(error.value)


def test_a_poster_of_several_years_is_an_error_unless_its_sha256_has_one():
    years = Years([("a.jpg", 1983), ("a.jpg", 1990), ("f" * 64, 1990)])
    assert years["a.jpg", "f" * 64] == 1990
    with pytest.raises(YearsError, match=r"a\.jpg has several years, 1983, 1990: leave one"):
        years["a.jpg", "0" * 64]


def test_the_json_has_what_the_tables_say(tiny, manifest, tmp_path):
    (tmp_path / "years.csv").write_text("file,year\nhalf red.png,1983\n")
    out = tmp_path / "report"
    years = ("--years", tmp_path / "years.csv")
    result = run(tiny[0].folder, manifest.folder, *years, "--out", out)
    assert result.exit_code == 0, result.output
    report = (out / "stats.md").read_text()
    content = json.loads((out / "stats.json").read_text())
    sets = content["data_sets"]
    assert list(sets) == ["tiny", "demo"]
    assert sets["demo"]["digest"] == manifest.digest
    lines = [line for line in result.output.splitlines() if line.startswith("|")]
    assert all(line in report for line in lines)
    rows = {}
    for line in lines:
        first, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        rows.setdefault(first, cells)
    tiny_colors, demo_colors = (sets[name]["colors"] for name in ("tiny", "demo"))
    assert rows["posters"] == ["3", "30"]
    assert rows["train / validation / test"] == ["0 / 0 / 3", "20 / 6 / 4"]
    assert rows["source, median"][0] == "32x32" and rows["least"][0] == "16x16"
    value, error = tiny_colors["colorfulness"].values()
    assert rows["colorfulness (Hasler and Suesstrunk)"][0] == f"{value:.1f} ± {error:.1f}"
    assert rows["neutral pixels, %"][0].startswith("50.0 ± ")
    assert rows["color classes"] == ["3", str(demo_colors["classes"])]
    assert sets["tiny"]["classes_in_compared"] == {"mean": pytest.approx(3), "error": None}
    value, error = sets["demo"]["classes_in_compared"].values()
    assert rows["the same in any 3 posters"] == ["3", f"{value:.0f} ± {error:.0f}"]
    # Of three colored halves, two are blue.
    assert rows["blue"][0] == "66.7" and rows["red"][0] == "33.3"
    assert rows["red"][1] == f"{100 * demo_colors['hues']['red']:.1f}"
    for line, scheme in zip(
        lines[-len(content["shared_schemes"]) :], content["shared_schemes"], strict=True
    ):
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        assert name == scheme["name"]
        assert [cell.split()[0] for cell in cells] == [
            f"{100 * share['mean']:.1f}" for share in scheme["shares"].values()
        ]
    assert "| tiny     | 1980s   |       1 |" in result.output
    assert "| tiny     | unknown |       2 |" in result.output
    for name in ("by_lightness", "by_chroma"):
        assert sum(demo_colors[name]) == pytest.approx(1)
    assert set(VALUES) < set(demo_colors)


def test_the_pictures_are_there_and_the_report_shows_them(tiny, manifest, tmp_path):
    two, one = tmp_path / "two", tmp_path / "one"
    assert run(tiny[0].folder, manifest.folder, "--out", two).exit_code == 0
    result = run(tiny[0].folder, "--out", one)
    assert result.exit_code == 0 and "Decades" not in result.output
    shown = {"color-classes", "hues", "lightness-and-chroma", "color-schemes"}
    for folder, names in ((two, shown | {"shared-color-schemes"}), (one, shown)):
        files = {path.name for path in folder.iterdir()}
        assert files == {"stats.md", "stats.json", *(f"{name}.png" for name in names)}
        for name in names:
            assert f"]({name}.png)" in (folder / "stats.md").read_text()
            assert np.asarray(Image.open(folder / f"{name}.png").convert("RGB")).std() > 5
    # The swatches of the tiny set have the colors of its posters.
    schemes = np.asarray(Image.open(one / "color-schemes.png").convert("RGB")).reshape(-1, 3)
    for color in (GRAY, BLUE):
        assert (np.abs(schemes.astype(int) - color).max(axis=1) <= 6).sum() > 100


def test_gray_posters_of_another_size_in_a_folder_named_like_a_formula(manifest, tmp_path, recwarn):
    picture(GRAY, (40, 40, 40)).save(tmp_path / "gray.png")
    dataset, _ = prepare(
        [tmp_path / "gray.png"], tmp_path / "$_{$", size=16, split=(0, 0, 1), embedding="none",
        seed=1, workers=1,
    )  # fmt: skip
    result = run(dataset.folder, manifest.folder, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "| chroma of colored pixels             | - " in result.output
    assert not [str(warning.message) for warning in recwarn if "divide" in str(warning.message)]


def test_mistakes_are_one_line_and_leave_nothing_behind(tiny, manifest, tmp_path):
    folder, out = tiny[0].folder, tmp_path / "out"
    wrong, other = tmp_path / "wrong.csv", tmp_path / "other.csv"
    wrong.write_text("file,year\ngray.png,long ago\n")
    other.write_text("file,year\nno such.png,1983\n")
    for arguments, message in (
        ([tmp_path / "nowhere"], "does not exist"),
        ([folder, folder], "a data set is given twice"),
        ([folder, "--years", wrong], f"{wrong}, line 2: 'long ago' is not a year"),
    ):
        result = run(*arguments, "--out", out)
        assert result.exit_code and message in result.output.splitlines()[-1]
        assert not out.exists()
    result = run(folder, "--years", other)
    assert result.exit_code == 0 and f"no poster is named in {other}" in result.output


def test_data_sets_of_one_name_are_told_apart_by_their_paths(tiny, tmp_path):
    shutil.copytree(tiny[0].folder, tmp_path / "tiny")
    result = run(tiny[0].folder, tmp_path / "tiny")
    assert result.exit_code == 0
    assert f"| {tiny[0].folder} | {tmp_path / 'tiny'} |" in " ".join(result.output.split())


def test_memory_does_not_grow_with_the_posters(manifest, tmp_path, monkeypatch):
    monkeypatch.setattr(statistics, "SAMPLED_POSTERS", 4)
    peaks = []
    for times in (1, 10):
        folder = tmp_path / str(times)
        shutil.copytree(manifest.folder, folder)
        content = json.loads((folder / "dataset.json").read_text())
        content["splits"]["train"]["shards"] *= times
        content["splits"]["train"]["count"] *= times
        content["digest"] = manifests.digest(content)
        (folder / "dataset.json").write_text(json.dumps(content))
        repeated = Manifest.load(folder)
        tracemalloc.start()
        found = dataset_statistics(repeated, Years())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found.colors.posters == 20 * times + 10
        assert found.sample.shape == (4, CELLS)
    # Were the statistics of 180 posters kept, or their colors, it would be megabytes.
    assert peaks[1] - peaks[0] < 1e6


def test_a_sample_is_fair():
    counts = np.zeros(40)
    for seed in range(500):
        sample = statistics._Sample(10, rng=np.random.default_rng(seed))
        for number in range(40):
            sample.add(np.array([number]))
        counts[np.concatenate(sample.rows)] += 1
    # Each is expected 125 times, with a deviation of 10.
    assert counts.sum() == 5000 and np.abs(counts - 125).max() < 40


def test_shared_schemes_begin_with_those_of_the_last_data_set(tiny, manifest):
    sets = {
        name: dataset_statistics(one, Years()) for name, one in (("a", tiny[0]), ("b", manifest))
    }
    shared = SharedSchemes.of(sets)
    more = shared.shares["b"] - shared.shares["a"]
    assert list(more) == sorted(more, reverse=True)
    assert all(shares.sum() == pytest.approx(1) for shares in shared.shares.values())


def test_a_poster_fits_the_scheme_of_its_colors_best():
    counts = np.zeros((6, CELLS))
    counts[:3, 100], counts[3:, 300], counts[:, 528] = 60, 60, 40
    mean_abl = np.zeros((CELLS, 3))
    mean_abl[100], mean_abl[300] = (-100, -92, 50), (-52, -28, 50)
    library = PaletteLibrary.of_clusters(counts, mean_abl, "two kinds", 2)
    fitting = library.best_fitting(counts / 100)
    assert len(set(fitting[:3])) == len(set(fitting[3:])) == 1 and fitting[0] != fitting[5]
