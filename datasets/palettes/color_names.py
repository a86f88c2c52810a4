"""Plain words for colors."""

from collections.abc import Sequence
from functools import cache
from itertools import chain, combinations

import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

from recolor.datasets.palettes.hues import VIVID, swatch_ab
from recolor.datasets.palettes.palette import Palette

NEUTRAL_CHROMA = 9.0
# What people call by each word: colors of the survey that xkcd made of 200,000 people, of CSS, and
# a few between them.
WORDS = {
    "red": "e50000 ff0000 d9363e bb3f3f 9a0200 ff474c",
    "crimson": "dc143c c01c42",
    "maroon": "650021 800000 702830",
    "rust": "a83c09 b4532a",
    "brown": "653700 8b4513 7f5112 876e4b ad8150 5a3a2e 96694e",
    "tan": "d1b26f af884a d2b48c",
    "beige": "e6daa6 ac9362 b3a98a",
    "orange": "f97306 ff5b00 ffa500 c65102 f0944d d8863b",
    "amber": "feb308 f5a623",
    "gold": "dbb40c d9a52a ffd700",
    "mustard": "ceb301 a88905",
    "yellow": "ffff14 fffe7a f7e000 eedc5b",
    "khaki": "aaa662 9b8f55",
    "olive": "6e750e 808000 565a30 8a9a3f",
    "lime": "aaff32 87fd05 84b701",
    "green": "15b01a 008000 01ff07 39ad48 5fa052 76a973 96f97b 033500 3d6b3f 8fae8a",
    "teal": "029386 008080 014d4e 4c9085 5f9e8f",
    "turquoise": "06c2ac 40e0d0",
    "cyan": "00ffff 41fdfe 2fb8d2",
    "sky blue": "75bbfd 87ceeb 02ccfe 4a9fd8 95d0fc bfe8f5",
    "blue": "0343df 0000ff 0165fc 2c6fbb 3b719f 5a86ad 1f3f9f",
    "navy": "01153e 000080 00035b 253468",
    "slate": "516572 708090",
    "indigo": "380282 4b0082",
    "violet": "9a0eea ad0afd 6a2be0",
    "purple": "7e1e9c 800080 9e43a2 805b87 35063e bf77f6 5e3a84",
    "lavender": "c79fef ac86a8 b09fd6 8878c3",
    "magenta": "c20078 ff00ff ff08e8 a0025c d02090",
    "pink": "ff81c0 ff69b4 f36196 cb416b d1768f ffcfdc",
    "rose": "cf6275 b5485d",
    "mauve": "ae7181 874c62",
    "salmon": "ff796c fa8072 ffb19a",
}


def color_name(color: str) -> str:
    """Name a color ``#rrggbb`` by the word for the nearest color, by CIEDE2000.

    Example:
        >>> [color_name(color) for color in ("#0b3c5d", "#f28c28", "#6b3e26", "#fafafa")]
        ['navy', 'orange', 'brown', 'white']
    """
    lab = _lab(color[1:])
    if np.hypot(*lab[1:]) < NEUTRAL_CHROMA:
        return "black" if lab[0] < 25 else "white" if lab[0] > 80 else "gray"
    words, known = _known()
    return words[int(np.argmin(deltaE_ciede2000(lab[None], known)))]


def palette_name(palette: Palette, taken: Sequence[str]) -> str:
    """Name a palette by colors of its swatch, as no other is named."""
    shares = np.array([share for _, share in palette.swatch])
    ab = swatch_ab(palette)
    chroma = np.hypot(*ab.T)
    words = [color_name(color) for color, _ in palette.swatch]
    # What is seen first comes first. What follows is strong and unlike what was named, so that
    # blue, navy and orange are blue and orange.
    seen = shares * np.where(chroma > NEUTRAL_CHROMA, chroma, 1)
    weight = seen.copy()
    ordered: list[str] = []
    while weight.any():
        number = int(np.argmax(weight))
        ordered.append(words[number])
        unlike = np.hypot(*(ab - ab[number]).T) / (2 * VIVID)
        weight *= [0 if word in ordered else one for word, one in zip(words, unlike, strict=True)]
    first, *others = ordered
    # Blue and tan, or else blue, tan and navy, or else blue and navy, or else tan and blue.
    further = sorted(
        chain(combinations(others, 1), combinations(others, 2)),
        key=lambda some: [others.index(word) for word in some],
    )
    orders = chain(([first, *some] for some in further), ([*some, first] for some in further))
    names = [_joined(words) for words in orders] or [first]
    for name in names:
        if name not in taken:
            return name
    # The same few colors in other amounts.
    return next(f"{names[0]} {n}" for n in range(2, 1000) if f"{names[0]} {n}" not in taken)


@cache
def _known() -> tuple[list[str], np.ndarray]:
    """Return the words, and the color of each in CIELAB ``[n, 3]``; a word may come repeatedly."""
    pairs = [(word, color) for word, colors in WORDS.items() for color in colors.split()]
    return [word for word, _ in pairs], np.stack([_lab(color) for _, color in pairs])


def _lab(digits: str) -> np.ndarray:
    return rgb2lab(np.array(list(bytes.fromhex(digits))) / 255)


def _joined(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
