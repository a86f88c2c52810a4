"""How vivid colors become: from what a network dares to the colors that posters really have.

A network that can't know a color answers with a mean of what it may be, and a mean is grayish: few
of its pixels are as saturated as those of posters, and rare colors hardly occur. A calibration
compares all colors of its answers with all colors of true posters, at each lightness, since
lightness bounds what colors there are. It carries the one distribution over into the other: a color
comes to lie among the true ones where it lay among the predicted ones, the outermost on the rim.

Only a share of that way is gone: the whole of it for the outermost colors, where the network was
surest that there is one, and hardly any for those in the middle. Gray stays gray, and hues stay
nearly as they are: a blue sky must not become a purple one because purple is predicted too rarely.
The very outermost colors alone turn as far as it takes to have all hues.

The colors are those of the picture that comes out: after guided upsampling, which evens them out.
"""

from collections.abc import Iterable

import numpy as np
from keras import ops
from scipy.ndimage import distance_transform_edt, uniform_filter

from recolor.models.decoding.node_table import at_places
from recolor.models.decoding.palette_transfer import GOLDEN_RATIO, NODES, STEP

# Of stored lightness, 16 levels each.
BANDS = 16
SHAPE = (3, BANDS, NODES, NODES)
# Fewer pixels than this tell nothing about a band.
FEWEST_PIXELS = 200
ROUNDS = 30
# How sharply the outermost colors are told from the others.
STEEPNESS = 3
# Hues turn by less than this, but for so small a share of the colors.
LARGEST_TURN = np.radians(30)
TURNED_SHARE = 0.003


def no_calibration() -> np.ndarray:
    """Return the calibration that changes nothing, as `calibrate` does."""
    return np.concatenate([np.ones((1, *SHAPE[1:])), np.zeros((2, *SHAPE[1:]))]).astype(np.float32)


def calibrate(pictures: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> np.ndarray:
    """Compare predicted and true colors, at each lightness.

    Args:
        pictures: Stored lightness ``uint8 [...]``, predicted ab ``[..., 2]`` of any real type, and
            true ab, integers, of as many pictures as there are.

    Returns:
        ``float32 [3, 16, 65, 65]``, for every band of lightness and every node of the ab plane: the
        share of the band's predicted pixels that lie as far out in the color's direction, and the
        way along a and along b to where the color is carried.
    """
    predicted, true = np.zeros((2, BANDS, 257, 257))
    for lightness, answer, ab in pictures:
        predicted += _histogram(lightness, answer)
        true += _histogram(lightness, ab)
    calibration = no_calibration()
    for band, ours, theirs in zip(range(BANDS), predicted, true, strict=True):
        if ours.sum() >= FEWEST_PIXELS:
            beyond, ways = _shares_beyond(ours), _ways(ours, theirs)
            straight, turned = _with_small_turns(ways), np.asarray(_outermost(beyond, TURNED_SHARE))
            calibration[0, band] = beyond
            calibration[1:, band] = straight + turned * (ways - straight)
    return calibration


def _histogram(lightness: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """Count pixels by band of lightness and rounded color: ``[16, 257, 257]``."""
    a, b = (np.clip(np.rint(ab), -128, 128).astype(np.int64) + 128).reshape(-1, 2).T
    band = lightness.ravel().astype(np.int64) * BANDS // 256
    counts = np.bincount((band * 257 + a) * 257 + b, minlength=BANDS * 257 * 257)
    return counts.reshape(BANDS, 257, 257)


def _shares_beyond(counts: np.ndarray) -> np.ndarray:
    """Return the shares of pixels that lie as far out in the nodes' directions: ``[65, 65]``.

    That is the part of the distribution beyond the line through the color that is perpendicular to
    the color's direction from gray.
    """
    colors = (np.argwhere(counts) - 128).astype(np.float32)
    weights = (counts[counts > 0] / counts.sum()).astype(np.float32)
    # A row of nodes at a time. A little is allowed for rounding.
    return np.stack(
        [
            (colors @ row >= (row**2).sum(axis=0) - 1e-3).T @ weights
            for row in np.moveaxis(_nodes(), 0, 1)
        ]
    )


def _ways(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Return the ways from predicted to true colors at the nodes: ``[2, 65, 65]``."""
    colors = np.argwhere(ours) - 128.0
    carried = _carry(colors, ours[ours > 0], np.argwhere(theirs) - 128.0, theirs[theirs > 0])
    ways = np.zeros((2, *ours.shape))
    ways[:, ours > 0] = (carried - colors).T
    # Colors that were never predicted go the way of the nearest that were.
    nearest = distance_transform_edt(ours == 0, return_distances=False, return_indices=True)
    smooth = uniform_filter(
        ways[:, nearest[0], nearest[1]], size=(1, STEP + 1, STEP + 1), mode="nearest"
    )
    at_nodes = smooth[:, ::STEP, ::STEP]
    at_nodes[:, NODES // 2, NODES // 2] = 0
    return at_nodes


def _with_small_turns(ways: np.ndarray) -> np.ndarray:
    """Return ways that lead to the same chroma, but by turns of less than `LARGEST_TURN`."""
    start, end = (ab[0] + 1j * ab[1] for ab in (_nodes(), _nodes() + ways))
    turn = np.angle(end * np.conj(start))
    small = LARGEST_TURN * np.tanh(turn / LARGEST_TURN)
    way = np.abs(end) * np.exp(1j * (np.angle(start) + small)) - start
    return np.stack([way.real, way.imag])


def _nodes() -> np.ndarray:
    """Return the colors of the nodes: ``float32 [2, 65, 65]``."""
    return np.indices((NODES, NODES), np.float32) * STEP - 128


def _carry(
    points: np.ndarray, weights: np.ndarray, targets: np.ndarray, target_weights: np.ndarray
) -> np.ndarray:
    """Move weighted points ``[n, 2]`` so that they are distributed as others are ``[m, 2]``.

    Iterative distribution transfer (F. Pitié, A. Kokaram and R. Dahyot, 2007): along ever other
    directions, each point takes the place of the target with the same rank.
    """
    for turn in range(ROUNDS):
        # Multiples of the golden ratio fill a circle evenly, however many there are.
        angle = np.pi * (turn * GOLDEN_RATIO % 1)
        turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        moved = points @ turned
        for axis, places in enumerate((targets @ turned).T):
            order, target_order = np.argsort(moved[:, axis]), np.argsort(places)
            moved[order, axis] = np.interp(
                _ranks(weights[order]), _ranks(target_weights[target_order]), places[target_order]
            )
        points = moved @ turned.T
    return points


def _ranks(weights: np.ndarray) -> np.ndarray:
    """Return the ranks of sorted points, in the middle of what each weighs, from 0 to 1."""
    return (np.cumsum(weights) - weights / 2) / weights.sum()


def _outermost(beyond, share):
    """Return nearly 1 where less than a share of the pixels lies beyond, and nearly 0 elsewhere.

    It is 1 everywhere for a share of 1, and 0 for one of 0.
    """
    inside, outside = share**STEEPNESS, ((1 - share) * beyond) ** STEEPNESS
    return inside / ops.maximum(inside + outside, 1e-12)


def vivid_moves(calibration, vividness):
    """Find how far colors move for a vividness.

    Args:
        calibration: Of `calibrate`.
        vividness: 0 leaves colors as they are, 1 carries all of them to those of true posters.
            Between, those beyond which less than about this share of all pixels lies are carried.

    Returns:
        The way along a and b, for every band of lightness and every node of the ab plane:
        ``float32 [2, 16, 65, 65]``.
    """
    return _outermost(calibration[0], vividness) * calibration[1:]


def vivid(lightness, ab, moves):
    """Make colors more vivid.

    Args:
        lightness: L in [0, 100], ``float32 [..., 1]``.
        ab: ``float32 [..., 2]``.
        moves: Of `vivid_moves`.

    Returns:
        ``float32 [..., 2]``.
    """
    band = lightness[..., 0] * (2.55 * BANDS / 256) - 0.5
    return ab + at_places(moves, [band, (ab[..., 0] + 128) / STEP, (ab[..., 1] + 128) / STEP])
