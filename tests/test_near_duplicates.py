"""Groups of near-duplicates against a brute-force union-find, across block borders too."""

import numpy as np
import pytest

from recolor.datasets.near_duplicates import BANDS, MAX_DISTANCE, group_near_duplicates


def flipped(fingerprint: np.ndarray, bits) -> np.ndarray:
    signs = np.unpackbits(fingerprint)
    signs[list(bits)] ^= 1
    return np.packbits(signs)


def random_fingerprints(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 32), np.uint8)


def groups_by_brute_force(fingerprints: np.ndarray) -> list[int]:
    numbers = [int.from_bytes(row.tobytes(), "big") for row in fingerprints]
    parent = list(range(len(numbers)))

    def root(poster: int) -> int:
        while parent[poster] != poster:
            poster = parent[poster]
        return poster

    for one, bits in enumerate(numbers):
        for other in range(one):
            if (bits ^ numbers[other]).bit_count() <= 40:
                parent[root(one)] = root(other)
    return [root(poster) for poster in range(len(numbers))]


def partition(groups) -> set[frozenset[int]]:
    members: dict[int, list[int]] = {}
    for poster, group in enumerate(groups):
        members.setdefault(int(group), []).append(poster)
    return {frozenset(group) for group in members.values()}


@pytest.mark.parametrize(("distance", "together"), [(0, 1), (1, 1), (40, 1), (41, 0), (256, 0)])
def test_up_to_40_bits_belong_together(distance, together):
    one = random_fingerprints(1, 0)[0]
    first, second = group_near_duplicates(np.stack([one, flipped(one, range(distance))]))
    assert (first == second) == together
    assert MAX_DISTANCE == 40


def test_a_chain_is_one_group_though_its_ends_are_far_apart():
    links = [random_fingerprints(1, 0)[0]]
    for step in range(6):
        links.append(flipped(links[-1], range(40 * step, 40 * step + 40)))
    order = [3, 0, 6, 1, 5, 2, 4]
    assert len(set(group_near_duplicates(np.stack([links[k] for k in order])))) == 1

    without_the_middle = np.stack([links[k] for k in (0, 4, 1, 5, 2, 6)])
    halves = {frozenset({0, 2, 4}), frozenset({1, 3, 5})}
    assert partition(group_near_duplicates(without_the_middle)) == halves


@pytest.mark.parametrize("seed", range(4))
def test_groups_are_those_of_brute_force(seed):
    """Few originals and many copies, changed in about as many bits as the limit."""
    rng = np.random.default_rng(seed)
    rows = list(random_fingerprints(12, seed))
    while len(rows) < 240:
        bits = rng.choice(256, rng.integers(25, 60), replace=False)
        rows.append(flipped(rows[rng.integers(len(rows))], bits))
    fingerprints = np.stack([rows[k] for k in rng.permutation(len(rows))])

    groups = group_near_duplicates(fingerprints)
    expected = partition(groups_by_brute_force(fingerprints))
    assert 12 < len(expected) < 200
    assert partition(groups) == expected


def test_pairs_that_are_far_apart_in_the_list():
    fingerprints = random_fingerprints(4200, 0)
    planted = [(0, 4199), (2047, 2048), (4095, 4096), (100, 2500), (2500, 4150), (7, 8)]
    for number, (one, other) in enumerate(planted):
        bits = range(5 * number, 5 * number + 30)
        fingerprints[other] = flipped(fingerprints[one], bits)
    groups = group_near_duplicates(fingerprints)

    together = {group for group in partition(groups) if len(group) > 1}
    assert together == {
        *(frozenset(pair) for pair in ((0, 4199), (2047, 2048), (4095, 4096), (7, 8))),
        frozenset({100, 2500, 4150}),
    }
    assert groups.shape == (4200,)


@pytest.mark.parametrize("spread", range(6))
def test_changes_that_are_dealt_out_evenly_to_all_bands(spread):
    """As many bits as may differ, spread so that no band differs in fewer than two."""
    one = random_fingerprints(1, spread)[0]
    bits = [band + BANDS * (turn + spread) for turn in range(3) for band in range(BANDS)]
    near, far = flipped(one, bits[:MAX_DISTANCE]), flipped(one, bits[: MAX_DISTANCE + 1])
    first, second = group_near_duplicates(np.stack([one, near]))
    assert first == second
    first, second = group_near_duplicates(np.stack([one, far]))
    assert first != second


def test_thousands_that_are_all_alike():
    """As of pictures that are all white: every pair is near."""
    assert group_near_duplicates(np.zeros((5000, 32), np.uint8)).max() == 0


def test_groups_do_not_depend_on_the_order():
    fingerprints = random_fingerprints(60, 1)
    fingerprints[40:] = [flipped(row, range(20)) for row in fingerprints[:20]]
    order = np.random.default_rng(1).permutation(60)
    permuted = partition(group_near_duplicates(fingerprints[order]))
    assert {frozenset(int(order[k]) for k in group) for group in permuted} == partition(
        group_near_duplicates(fingerprints)
    )


def test_a_single_poster_is_a_group():
    assert group_near_duplicates(random_fingerprints(1, 0)).tolist() == [0]
