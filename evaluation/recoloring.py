"""How a picture was recolored, without any truth: only the source, the answer and the scheme."""

import numpy as np

from recolor.datasets.color import rgb_to_lab8
from recolor.datasets.palettes.palette import Palette
from recolor.datasets.posters import Box
from recolor.evaluation.metrics.evenness import evenness
from recolor.evaluation.metrics.lock_leak import lock_leak
from recolor.evaluation.metrics.merged import merged
from recolor.evaluation.metrics.observation import Colors, MeasurementError
from recolor.evaluation.metrics.paper_tint import paper_tint
from recolor.evaluation.metrics.pixel_pairs import PixelPairs


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
