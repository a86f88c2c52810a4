"""Statistics of data sets as numbers to be stored, as tables and as Markdown."""

from collections import Counter
from itertools import zip_longest

import numpy as np

from recolor.datasets.classes import cell_centers
from recolor.datasets.color import L_SCALE, hex_color, lab8_to_rgb
from recolor.datasets.palettes.palette import NEUTRAL_CHROMA
from recolor.datasets.splits import SPLITS
from recolor.evaluation.dataset_statistics import (
    VALUES,
    ColorStatistics,
    DatasetStatistics,
    SharedSchemes,
)
from recolor.evaluation.tables import NOTHING, markdown

RAREST = 10
# A class is rare if less than this share of the posters has it.
RARE = 0.01
UNKNOWN = "unknown"
# Where each hue of CIELAB ends, in degrees.
HUES = (
    (18, "pink"), (52, "red"), (76, "orange"), (108, "yellow"), (163, "green"), (222, "teal"),
    (262, "sky blue"), (309, "blue"), (338, "purple"), (360, "pink"),
)  # fmt: skip
# Label, factor and digits of each value in a table.
LABELS = {
    "colorfulness": ("colorfulness (Hasler and Suesstrunk)", 1, 1),
    "chroma": ("chroma", 1, 1),
    "neutral": ("neutral pixels, %", 100, 1),
    "lightness": ("lightness (0 to 100)", 1, 1),
    "contrast": ("contrast (deviation of lightness)", 1, 1),
    "gray": ("posters without color, %", 100, 1),
}
NOTES = (
    "Every poster counts the same, whatever its size, and padding does not count. After ± stands "
    "the standard error of a mean. Neutral pixels have a chroma of at most "
    f"{NEUTRAL_CHROMA:g}; all others are colored.\n\n"
    "The more posters and the larger they are stored, the more color classes they have: compare "
    "them by as many posters of each, stored at the same size. There, after ± stands by how "
    "much the number varies with the choice of the posters (standard deviation)."
)

Table = list[list[str]]


def numbers(sets: dict[str, DatasetStatistics], shared: SharedSchemes | None) -> dict:
    """Return everything that the report says, as plain numbers and texts. Shares are 0 to 1.

    Args:
        sets: The data sets by name.
        shared: Color schemes of all of them; None for a single data set.
    """
    compared = min(one.colors.posters for one in sets.values())
    content = {
        "posters_compared": compared,
        "data_sets": {name: _of_set(one, compared) for name, one in sets.items()},
    }
    if shared:
        content["shared_schemes"] = _shared_schemes(sets, shared)
    return content


def tables(content: dict) -> dict[str, Table]:
    """Lay out the content of `numbers` as tables of texts, by their titles."""
    sets = content["data_sets"]
    found = {
        "Posters": _facts(content),
        "Hues, % of colored pixels": [
            ["hue", *sets],
            *(
                [hue, *(_number(one["colors"]["hues"][hue], 100, 1) for one in sets.values())]
                for hue in dict.fromkeys(word for _, word in HUES)
            ),
        ],
    }
    if any(list(one["decades"]) != [UNKNOWN] for one in sets.values()):
        found["Decades"] = _decades(sets)
    for name, one in sets.items():
        found[f"The rarest color classes of {name}"] = _rarest(one["rarest_classes"])
    found["The commonest color schemes, % of posters"] = _schemes(sets)
    if "shared_schemes" in content:
        found["Color schemes of all together, % of posters"] = [
            ["scheme", *sets],
            *(
                [one["name"], *(_mean(share, 100, 1) for share in one["shares"].values())]
                for one in content["shared_schemes"]
            ),
        ]
    return found


def text(found: dict[str, Table]) -> str:
    """Write tables for a terminal."""
    return "\n".join(f"{title}:\n{markdown(cells)}" for title, cells in found.items())


def report(found: dict[str, Table], pictures: dict[str, str]) -> str:
    """Write tables as a report in Markdown, and pictures, which lie beside it, by their titles."""
    lines = ["# Statistics of posters", "", NOTES, ""]
    for title, cells in found.items():
        lines += [f"## {title}", "", markdown(cells)]
    lines += ["## Pictures", ""]
    for title, file in pictures.items():
        lines += [f"### {title}", "", f"![{title}]({file})", ""]
    return "\n".join(lines)


def _of_set(one: DatasetStatistics, compared: int) -> dict:
    content = one.manifest.content
    schemes = zip(one.schemes.palettes, one.schemes.commonness.tolist(), strict=True)
    return {
        "digest": one.manifest.digest,
        "size": one.manifest.size,
        "splits": {split: one.manifest.count(split) for split in SPLITS},
        "files": content["posters"],
        "source_width": _sides(one.widths),
        "source_height": _sides(one.heights),
        "colors": _of_colors(one.colors),
        "classes_in_compared": {
            "mean": one.colors.classes_in(compared),
            "error": one.classes_deviation(compared),
        },
        "decades": {
            UNKNOWN if decade is None else f"{decade}s": _of_colors(colors)
            for decade, colors in one.decades.items()
        },
        "rarest_classes": _rarest_classes(one.colors),
        "schemes": [
            {"name": palette.name, "share": share, "colors": [color for color, _ in palette.swatch]}
            for palette, share in schemes
        ],
    }


def _shared_schemes(sets: dict[str, DatasetStatistics], shared: SharedSchemes) -> list[dict]:
    found = []
    for number, palette in enumerate(shared.palettes):
        shares = {}
        for name, one in sets.items():
            share, posters = float(shared.shares[name][number]), len(one.sample)
            error = (share * (1 - share) / (posters - 1)) ** 0.5 if posters > 1 else None
            shares[name] = {"mean": share, "error": error}
        colors = [color for color, _ in palette.swatch]
        found.append({"name": palette.name, "colors": colors, "shares": shares})
    return found


def _sides(counts: Counter[int]) -> dict[str, int]:
    """Return the least, the median and the largest of counted sides."""
    sides = sorted(counts)
    passed = np.cumsum([counts[side] for side in sides])
    median = sides[int(np.searchsorted(passed, passed[-1] / 2))]
    return {"least": sides[0], "median": median, "largest": sides[-1]}


def _of_colors(colors: ColorStatistics) -> dict:
    means, errors = colors.means, colors.errors
    posters = colors.cell_posters[colors.cell_posters > 0]
    colored = colors.hues.sum()
    hues = colors.hues / max(colored, 1e-12)
    named: dict[str, float] = {}
    start = 0
    for end, word in HUES:
        named[word] = named.get(word, 0.0) + float(hues[start:end].sum())
        start = end
    return {
        "posters": colors.posters,
        **{name: {"mean": means[name], "error": errors[name]} for name in VALUES},
        "chroma_of_colored_pixels": float(colors.colored_chroma / colored) if colored else None,
        "classes": colors.classes,
        "classes_of_one_poster": int(np.count_nonzero(posters == 1)),
        "rare_classes": int(np.count_nonzero(posters < RARE * colors.posters)),
        "hues": named,
        "by_lightness": (colors.lightness / colors.posters).tolist(),
        "by_chroma": (colors.chroma / colors.posters).tolist(),
    }


def _rarest_classes(colors: ColorStatistics) -> list[dict]:
    """Describe the populated cells that the fewest posters have."""
    cells = np.flatnonzero(colors.cell_posters)
    order = np.lexsort((colors.cells[cells, 0], colors.cell_posters[cells]))[:RAREST]
    found = []
    for cell in cells[order]:
        share, *sums = colors.cells[cell]
        a, b, lightness = np.array(sums) / share
        center = cell_centers(cell)
        rgb = lab8_to_rgb(np.array(lightness * L_SCALE), np.array([a, b]))
        found.append(
            {
                "a": float(center[0]),
                "b": float(center[1]),
                "color": hex_color(rgb),
                "posters": int(colors.cell_posters[cell]),
                "share": float(share / colors.posters),
            }
        )
    return found


def _facts(content: dict) -> Table:
    """Lay out one row for each fact, one column for each data set."""
    sets = content["data_sets"].values()
    sides = [(one["source_width"], one["source_height"]) for one in sets]
    colors = [one["colors"] for one in sets]
    rows = [
        ["posters", *(str(one["posters"]) for one in colors)],
        [" / ".join(SPLITS), *(" / ".join(map(str, one["splits"].values())) for one in sets)],
        ["files skipped", *(str(one["files"]["skipped"]) for one in sets)],
        ["stored at, pixels", *(str(one["size"]) for one in sets)],
    ]
    for key, words in (("median", "source, median"), ("least", "least"), ("largest", "largest")):
        rows.append([words, *(f"{width[key]}x{height[key]}" for width, height in sides)])
    rows += [
        [label, *(_mean(one[name], factor, digits) for one in colors)]
        for name, (label, factor, digits) in LABELS.items()
    ]
    rows += [
        ["chroma of colored pixels", *(_number(o["chroma_of_colored_pixels"]) for o in colors)],
        ["color classes", *(str(one["classes"]) for one in colors)],
        [
            f"the same in any {content['posters_compared']} posters",
            *(_mean(one["classes_in_compared"], 1, 0) for one in sets),
        ],
        ["classes that one poster has", *(str(one["classes_of_one_poster"]) for one in colors)],
        [
            f"classes that less than {100 * RARE:g} % have",
            *(str(one["rare_classes"]) for one in colors),
        ],
    ]
    return [["", *content["data_sets"]], *rows]


def _decades(sets: dict[str, dict]) -> Table:
    shown = ("colorfulness", "chroma", "neutral", "lightness")
    rows = []
    for name, one in sets.items():
        for decade, colors in one["decades"].items():
            values = [_mean(colors[value], *LABELS[value][1:]) for value in shown]
            hue = max(colors["hues"], key=colors["hues"].get)
            commonest = hue if colors["hues"][hue] else NOTHING
            rows.append([name, decade, str(colors["posters"]), *values, commonest])
    heads = ("colorfulness", "chroma", "neutral, %", "lightness", "commonest hue")
    return [["data set", "decade", "posters", *heads], *rows]


def _rarest(classes: list[dict]) -> Table:
    rows = [
        [
            f"{one['a']:g}, {one['b']:g}",
            one["color"],
            str(one["posters"]),
            f"{1e6 * one['share']:.2f}",
        ]
        for one in classes
    ]
    return [["a, b", "mean color", "posters", "pixels in a million"], *rows]


def _schemes(sets: dict[str, dict]) -> Table:
    columns = []
    for one in sets.values():
        columns += [
            [scheme["name"] for scheme in one["schemes"]],
            [_number(scheme["share"], 100, 1) for scheme in one["schemes"]],
        ]
    head = [head for name in sets for head in (name, "%")]
    rows = zip_longest(*columns, fillvalue=NOTHING)
    return [["", *head], *([str(number), *row] for number, row in enumerate(rows, 1))]


def _number(value: float | None, factor: float = 1, digits: int = 1) -> str:
    return NOTHING if value is None else f"{factor * value:.{digits}f}"


def _mean(value: dict[str, float | None], factor: float, digits: int) -> str:
    mean, error = (value[key] for key in ("mean", "error"))
    words = _number(mean, factor, digits)
    return words if error is None else f"{words} ± {_number(error, factor, digits)}"
