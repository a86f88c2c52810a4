"""Groups of posters that show the same picture."""

import itertools
from collections.abc import Iterator

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# Of 256 bits. Among 10,800 posters, 99 % of the copies at two thirds of the size and JPEG quality
# 40 differ from their original in at most 30 bits, 90 % of the copies that lost a 2 % border in at
# most 41; of 58 million pairs of posters, 5 differ in at most 40.
MAX_DISTANCE = 40


# Compared at once.
PAIRS = 2**20
# The number of ones in every number of 16 bits.
ONES = np.array([number.bit_count() for number in range(2**16)], np.uint8)
# The bits are dealt out to bands, and each band to a table of all posters by what it holds. Of two
# posters that are near, at least one band differs in at most two bits: 14 bands with three each
# would make 42. So it is enough to compare a poster with those that a table has at its own place,
# and at the places that differ in one bit or two: a hundredth of all, where bits are random.
BANDS = 14
MOST_FLIPS = MAX_DISTANCE // BANDS


def group_near_duplicates(fingerprints: np.ndarray) -> np.ndarray:
    """Number the groups of posters that look alike.

    It finds what a comparison of all pairs finds, without comparing all of them: multi-index
    hashing (M. Norouzi, A. Punjani and D. Fleet, 2012).

    Args:
        fingerprints: Perceptual hashes, ``uint8 [posters, 32]``.

    Returns:
        The group of each poster, ``int [posters]``: whatever is within 40 bits of a member belongs
        to the group.
    """
    # Of pictures that are all white, there may be thousands.
    fingerprints, number = np.unique(fingerprints, axis=0, return_inverse=True)
    bits = np.unpackbits(fingerprints, axis=1)
    words = fingerprints.view(np.uint64)
    links = [np.zeros((2, 0), np.int64)]
    for band in range(BANDS):
        # Neighboring bits are alike in pictures: those of a band lie apart, to fill its table.
        of_band = bits[:, band::BANDS]
        keys = of_band @ (1 << np.arange(of_band.shape[1], dtype=np.int64))
        links += _near(keys, of_band.shape[1], words)
    row, column = np.concatenate(links, axis=1)
    shape = (len(fingerprints),) * 2
    graph = coo_array((np.ones(len(row), bool), (row, column)), shape=shape)
    return connected_components(graph, directed=False)[1][number]


def _near(keys: np.ndarray, bits: int, words: np.ndarray) -> Iterator[np.ndarray]:
    """Find the pairs of posters whose keys, and all of whose bits, differ little: ``[2, m]``."""
    order = np.argsort(keys, kind="stable")
    starts = np.searchsorted(keys[order], np.arange(2**bits + 1))
    for flips in range(MOST_FLIPS + 1):
        for places in itertools.combinations(range(bits), flips):
            at = keys ^ sum(1 << place for place in places)
            # Each pair once: the table's content is in the order of the posters' numbers.
            counts = starts[at + 1] - starts[at]
            for start, end in _blocks(counts):
                one = np.repeat(np.arange(start, end), counts[start:end])
                inside = np.arange(len(one)) - np.repeat(
                    np.cumsum(counts[start:end]) - counts[start:end], counts[start:end]
                )
                other = order[starts[at[one]] + inside]
                pairs = np.stack([one, other])[:, one < other]
                yield pairs[:, _distance(*words[pairs]) <= MAX_DISTANCE]


def _blocks(counts: np.ndarray) -> Iterator[tuple[int, int]]:
    """Cut posters so that a block has few pairs: memory stays small for any number of posters."""
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        before = ends[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + PAIRS, "right")))
        if ends[end - 1] > before:
            yield start, end
        start = end


def _distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Count the bits that differ in words ``uint64 [m, 4]``."""
    return ONES[(one ^ other).view(np.uint16)].sum(axis=1, dtype=np.int64)
