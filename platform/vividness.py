"""How vivid colors become: from what a network dares to the colors that posters really have.

A network that can't know a color answers with a mean of what it may be, and a mean is grayish: few
of its pixels are as saturated as those of posters. For each hue, a calibration tells which chroma
true posters have in the place of a predicted one: that of the same rank among all pixels of the
hue (as in histogram matching). A share of the way there is gone, the whole way for the most
saturated pixels, where the network was surest of a color. Hues stay as they are.

The colors are those of the picture that comes out: after guided upsampling, which evens them out.
"""

from collections.abc import Iterable

import numpy as np
from keras import ops

HUES = 24
STEP = 0.25
# Of chroma, from 0 to beyond the largest of sRGB, 134.
LEVELS = 560
SHAPE = (2, HUES, LEVELS)
# Fewer pixels than this tell nothing about a hue.
FEWEST_PIXELS = 200


def no_calibration() -> np.ndarray:
    """Return the calibration that changes nothing, as `calibrate` does."""
    return np.stack([np.ones((HUES, LEVELS), np.float32), np.tile(_levels(), (HUES, 1))])


def calibrate(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Compare the chroma of predicted and true colors, hue by hue.

    Args:
        pairs: Predicted ab of any real type, and true ab, integers: ``[..., 2]`` each, of as many
            pictures as there are.

    Returns:
        ``float32 [2, 24, 560]``, for every hue and every level of predicted chroma: the share of
        the hue's predicted pixels that have it or more, and the chroma above which the same share
        of true pixels lies.
    """
    predicted, true = np.zeros((2, HUES, LEVELS))
    generator = np.random.default_rng(0)
    for answer, ab in pairs:
        predicted += _histogram(answer)
        # True colors are integers; spread over the unit around them, as the predicted ones are.
        true += _histogram(ab + generator.uniform(-0.5, 0.5, ab.shape))
    calibration = no_calibration()
    for hue in range(HUES):
        # With half of the neighbors, so that hues go over into each other.
        ours, theirs = (
            counts[hue] + (counts[hue - 1] + counts[(hue + 1) % HUES]) / 2
            for counts in (predicted, true)
        )
        if min(ours.sum(), theirs.sum()) >= FEWEST_PIXELS:
            calibration[:, hue] = _matched(ours, theirs)
    return calibration


def _matched(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Match two histograms of chroma, ``[560]`` each: shares and true chroma, ``[2, 560]``."""
    levels = _levels()
    # Summed from the end, so that there is exactly nothing above the highest.
    above, true_above = (np.cumsum(counts[::-1])[::-1] / counts.sum() for counts in (ours, theirs))
    # Where no true pixel lies between two levels, the lower one is meant.
    falling = np.concatenate([[True], np.diff(true_above) < 0])
    matched = np.interp(-above, -true_above[falling], levels[falling])
    beyond = above <= 0
    matched[beyond] = np.maximum(matched[beyond], levels[beyond])
    return np.stack([above, matched])


def _histogram(ab: np.ndarray) -> np.ndarray:
    """Count pixels ``[..., 2]`` by hue and level of chroma: ``[24, 560]``."""
    a, b = np.asarray(ab, np.float64).reshape(-1, 2).T
    hue = ((np.arctan2(b, a) / (2 * np.pi) + 0.5) * HUES).astype(int) % HUES
    level = np.minimum((np.hypot(a, b) / STEP).astype(int), LEVELS - 1)
    counts = np.bincount(hue * LEVELS + level, minlength=HUES * LEVELS)
    return counts.reshape(HUES, LEVELS)


def _levels() -> np.ndarray:
    return np.arange(LEVELS, dtype=np.float32) * STEP


def vivid(ab, calibration, vividness):
    """Make colors more vivid.

    Args:
        ab: ``float32 [..., 2]``.
        calibration: Of `calibrate`.
        vividness: 0 leaves colors as they are, 1 gives them the chroma of true posters. Between,
            the share of the way there is this at the least saturated pixels of a hue, and 1 at the
            most saturated.

    Returns:
        ``float32 [..., 2]``, of the same hues.
    """
    above, true_chroma = calibration[0], calibration[1]
    share = vividness / ops.maximum(vividness + (1 - vividness) * above, 1e-9)
    chroma_table = ops.reshape(_levels() + share * (true_chroma - _levels()), (-1,))

    a, b = ab[..., 0], ab[..., 1]
    chroma = ops.sqrt(a**2 + b**2)
    # Between the centers of two hues, and between two levels, linearly.
    hue = (ops.arctan2(b, a) / (2 * np.pi) + 0.5) * HUES - 0.5
    level = ops.minimum(chroma / STEP, LEVELS - 1.001)
    # What lies beyond the last level stays beyond it.
    result = chroma - level * STEP
    for hue_step in (0, 1):
        for level_step in (0, 1):
            row = ops.cast(ops.floor(hue), "int32") + hue_step
            column = ops.cast(ops.floor(level), "int32") + level_step
            weight = (1 - ops.abs(hue - ops.cast(row, "float32"))) * (
                1 - ops.abs(level - ops.cast(column, "float32"))
            )
            place = ops.mod(row, HUES) * LEVELS + column
            result = result + weight * ops.take(chroma_table, place)
    return ab * (result / ops.maximum(chroma, 1e-9))[..., None]
