"""What becomes of a source that is recolored: what was alike, what differed, paper and locks."""

from abc import abstractmethod

import numpy as np
from skimage.color import deltaE_ciede2000

from recolor.datasets.color import rgb_to_lab8
from recolor.datasets.palettes.palette import Palette
from recolor.datasets.posters import Box
from recolor.evaluation.metrics.metric import PosterMean
from recolor.evaluation.metrics.observation import Colors, MeasurementError, Observation, PixelPairs

# In ab: what is less apart is one color.
ONE_COLOR = 5.0
# Paper, and white letters, are lighter than this and have less chroma.
PAPER_LIGHTNESS, PAPER_CHROMA = 85.0, 5.0
# Less of a poster, as a share, is not judged.
LEAST_PAPER = 0.005
# A lock is soft at its edges: what is locked by more than half is to stay.
LOCKED = 0.5
PERCENTILE = 95


class OfSource(PosterMean):
    """A metric that is defined only where a source was recolored."""

    def value(self, poster: Observation) -> float | None:
        """Judge what became of the poster's source; None if it has none."""
        return None if poster.source is None else self.judged(poster, poster.source)

    @abstractmethod
    def judged(self, poster: Observation, source: Colors) -> float | None:
        """Judge what became of a poster's source."""


class Evenness(OfSource):
    """How far apart in ab pixels come out that are alike and near in the source; 0 is even.

    See `evenness`.
    """

    name = "evenness"
    label = "distance of the source's alike pixels, in ab"

    def judged(self, poster, source):
        """Return the mean over the poster's pairs."""
        return evenness(source.pairs, poster.predicted.inside)


def evenness(pairs: PixelPairs, ab: np.ndarray) -> float | None:
    """Return the mean distance in ab at which alike pixels come out.

    Args:
        pairs: The source's.
        ab: The answer, ``[h, w, 2]``.

    Returns:
        The mean over all alike pairs; None if no pixels are alike.
    """
    if not pairs.alike.any():
        return None
    return float(pairs.distances(ab)[pairs.alike].mean())


class Merged(OfSource):
    """Percentage of the source's different pairs that come out alike, see `merged`."""

    name = "merged"
    label = "different pixels of the source that come out alike, %"

    def judged(self, poster, source):
        """Return the percentage of the poster's pairs."""
        return merged(source.pairs, poster.predicted.inside)


def merged(pairs: PixelPairs, ab: np.ndarray) -> float | None:
    """Return which share of the different pairs comes out less than 5 apart in ab.

    Args:
        pairs: The source's.
        ab: The answer, ``[h, w, 2]``.

    Returns:
        In per cent; None if no pixels of the source differ.
    """
    if not pairs.different.any():
        return None
    return float(100 * np.mean(pairs.distances(ab)[pairs.different] < ONE_COLOR))


class PaperTint(OfSource):
    """Mean chroma in the answer of what is paper in the source, see `paper_tint`."""

    name = "paper_tint"
    label = "chroma of the source's paper"

    def judged(self, poster, source):
        """Return the mean over the poster's paper."""
        return paper_tint(source.lab, poster.predicted.inside)


def paper_tint(source_lab: np.ndarray, ab: np.ndarray) -> float | None:
    """Return the mean chroma of paper: pixels with L > 85 and a chroma < 5 in the source.

    Args:
        source_lab: The source in CIELAB, ``[h, w, 3]``.
        ab: The answer, ``[h, w, 2]``.

    Returns:
        The mean over these pixels; None if they are less than 0.5 % of all.
    """
    paper = source_lab[..., 0] > PAPER_LIGHTNESS
    paper &= np.hypot(source_lab[..., 1], source_lab[..., 2]) < PAPER_CHROMA
    if paper.mean() < LEAST_PAPER:
        return None
    return float(np.hypot(*ab[paper].T.astype(np.float64)).mean())


class LockLeak(OfSource):
    """95th percentile of CIEDE2000 from the source inside of locks, see `lock_leak`.

    Defined only where something was locked.
    """

    name = "lock_leak"
    label = "CIEDE2000 inside of locks, 95th percentile"
    digits = 2

    def judged(self, poster, source):
        """Return the poster's percentile."""
        if poster.locked is None:
            return None
        return lock_leak(source.lab, poster.predicted.lab, poster.locked)


def lock_leak(source_lab: np.ndarray, answer_lab: np.ndarray, locked: np.ndarray) -> float | None:
    """Return how far most of what is locked has stayed as it was.

    Args:
        source_lab: The (restored) source in CIELAB, ``[h, w, 3]``.
        answer_lab: The answer, likewise.
        locked: How far each pixel is locked, 0 to 1: ``[h, w]``.

    Returns:
        The 95th percentile of CIEDE2000 over the pixels that are locked by more than half; None if
        nothing is.
    """
    inside = locked > LOCKED
    if not inside.any():
        return None
    changes = deltaE_ciede2000(source_lab[inside], answer_lab[inside])
    return float(np.percentile(changes, PERCENTILE))


def measure_recoloring(
    source: np.ndarray,
    answer: np.ndarray,
    wanted: Palette | None = None,
    locked: np.ndarray | None = None,
) -> dict[str, float | None]:
    """Measure how a picture was recolored.

    Args:
        source: The picture that was recolored, after it was restored: sRGB, ``uint8 [h, w, 3]``.
        answer: What became of it, of the same size.
        wanted: The palette that was asked for, if any.
        locked: How far each pixel was to keep its color, 0 to 1, ``[h, w]``; None for not at all.

    Returns:
        ``evenness``, ``merged``, ``paper_tint``, ``lock_leak`` and ``palette_distance``, as the
        metrics of these names define them; None where one is undefined.

    Raises:
        MeasurementError: If the answer, or what is locked, is of another size than the source.

    Example:
        >>> stripes = np.zeros((40, 30, 3), np.uint8)
        >>> stripes[20:] = 255, 0, 0
        >>> found = measure_recoloring(stripes, stripes[..., ::-1])
        >>> found["evenness"], found["merged"], found["paper_tint"]
        (0.0, 0.0, None)
    """
    for what, other in (("answer", answer), ("lock", locked)):
        if other is not None and other.shape[:2] != source.shape[:2]:
            (height, width), (rows, columns) = source.shape[:2], other.shape[:2]
            raise MeasurementError(
                f"the source is {width}x{height} pixels large, but its {what} {columns}x{rows}"
            )
    whole = Box(0, 0, *source.shape[:2])
    before, after = (Colors(*rgb_to_lab8(rgb), whole) for rgb in (source, answer))
    pairs = PixelPairs(before.lab)
    obtained = Palette.of_pixels(after.lightness, after.inside, "obtained")
    return {
        "evenness": evenness(pairs, after.inside),
        "merged": merged(pairs, after.inside),
        "paper_tint": paper_tint(before.lab, after.inside),
        "lock_leak": None if locked is None else lock_leak(before.lab, after.lab, locked),
        "palette_distance": None if wanted is None else wanted.distance(obtained),
    }
