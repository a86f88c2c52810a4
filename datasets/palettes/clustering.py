"""Color schemes of posters, found by clustering."""

import numpy as np

from recolor.datasets.palettes.hues import contrast, is_vivid
from recolor.datasets.palettes.palette import NEUTRAL_CHROMA, Palette, without_rarest

ROUNDS = 60
# A scheme is the power mean of its posters' shares. An exponent below 1 leaves out colors that only
# some of them have: a mixture of all would have a little of everything.
EXPONENT = 0.5
# Its rarest colors, together this share of what is not neutral, are left out as well: under all of
# them, even areas came out in rainbows.
RAREST = 0.3
# Colors nearer than this in the ab plane count as nearly the same (standard deviation).
NEAR = 8.0
# By which power of its chroma a color is seen: small areas of strong color come before large weak
# ones.
SEEN = 1.5
# At most this many of the chosen schemes are quiet, and at most this share of them.
QUIET, QUIET_PART = 5, 1 / 8
# By which power of its chroma a color counts in a vivid scheme.
EMPHASIS = 0.5
# Chosen schemes are at least this far apart (Hellinger distance of what is seen of their colors).
ALIKE = 0.3
# How much it counts, as an exponent, that a scheme is common, beside that it is unlike others.
COMMON_FIRST = 0.2


def clusters(roots: np.ndarray, count: int) -> np.ndarray:
    """Assign vectors of length 1 ``[n, d]`` to clusters, always the same ones: ``[n]``."""
    rng = np.random.default_rng(0)
    roots = roots.astype(np.float32)
    centers = roots[rng.integers(len(roots), size=1)]
    likeness = roots @ centers[0]
    while len(centers) < count:
        # k-means++: likelier the farther it is from all that were chosen.
        distance = np.maximum(1 - likeness, 1e-9).astype(np.float64)
        chosen = rng.choice(len(roots), p=distance / distance.sum())
        centers = np.concatenate([centers, roots[chosen : chosen + 1]])
        likeness = np.maximum(likeness, roots @ roots[chosen])
    nearest = np.argmax(roots @ centers.T, axis=1)
    for _ in range(ROUNDS):
        for number in range(count):
            members = roots[nearest == number]
            if len(members):
                mean = members.mean(axis=0)
                centers[number] = mean / np.linalg.norm(mean)
        before, nearest = nearest, np.argmax(roots @ centers.T, axis=1)
        if np.array_equal(before, nearest):
            break
    return nearest


def vivid_scheme(shares: np.ndarray, mean_abl: np.ndarray) -> Palette:
    """Make one palette of the shares ``[posters, 1024]`` of posters whose strong colors are alike.

    It has as much that is neutral as they have. Among its colors, strong ones count more: they are
    seen first, and brown goes with everything.
    """
    chroma = np.hypot(*mean_abl[:, :2].T)
    colored = chroma > NEUTRAL_CHROMA
    neutral = np.where(colored, 0, shares).mean(axis=0)
    strong = shares * np.where(colored, chroma**EMPHASIS, 0)
    strong /= strong.sum(axis=1, keepdims=True)
    mean = (strong**EXPONENT).mean(axis=0) ** (1 / EXPONENT)
    mean = without_rarest(mean / mean.sum(), mean_abl, RAREST)
    return Palette.of_sums(neutral + mean * (1 - neutral.sum()), mean_abl, "")


def seen_colors(shares: np.ndarray, mean_abl: np.ndarray) -> np.ndarray:
    """Return by how much each color is seen: roots of distributions, neighbors mixed.

        Args:
        shares: ``[n, 1024]``, each with some color.
        mean_abl: ``[1024, 3]``.

    Returns:
        Vectors of length 1, ``[n, 1024]``.
    """
    ab = mean_abl[:, :2].astype(np.float64)
    chroma = np.hypot(*ab.T)
    near = np.exp(-((ab[:, None] - ab) ** 2).sum(axis=-1) / (2 * NEAR**2))
    seen = (shares * np.where(chroma > NEUTRAL_CHROMA, chroma**SEEN, 0)) @ near
    return np.sqrt(seen / seen.sum(axis=1, keepdims=True))


def most_unlike(
    palettes: list[Palette], size: np.ndarray, mean_abl: np.ndarray, count: int
) -> tuple[list[int], np.ndarray]:
    """Choose palettes that are unlike each other, common ones before rare ones.

    A few may be quiet, or more if there are not enough vivid ones.

    Args:
        palettes: To choose from.
        size: How common each is.
        mean_abl: ``[1024, 3]``.
        count: How many to choose at most.

    Returns:
        The numbers of the chosen ones, and for each palette which of these is most like it.
    """
    roots = seen_colors(np.stack([palette.shares for palette in palettes]), mean_abl)
    distances = np.sqrt(np.maximum(0, 1 - roots @ roots.T))
    vivid = np.array([is_vivid(palette) for palette in palettes])
    balanced = np.array([contrast(palette) for palette in palettes])
    chosen: list[int] = []
    nearest = np.ones(len(palettes))
    quiet = min(QUIET, int(count * QUIET_PART))
    stages = ((quiet, ~vivid, size), (count, vivid, size**COMMON_FIRST * (1 + balanced)))
    for most, allowed, wanted in (*stages, (count, ~vivid, size)):
        while len(chosen) < most:
            worth = nearest * wanted
            worth[~allowed | (nearest <= ALIKE)] = 0
            if not worth.any():
                break
            chosen.append(int(np.argmax(worth)))
            nearest = np.minimum(nearest, distances[chosen[-1]])
    return chosen, np.argmin(distances[:, chosen], axis=1)
