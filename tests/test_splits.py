"""The division into splits: exact counts, shares, whole groups, and no influence of order."""

import hashlib
from collections import Counter

import numpy as np
import pytest

from recolor.datasets.errors import RecolorError
from recolor.datasets.splits import SPLITS, SplitError, assign_splits, parse_split


def digests(count: int) -> list[str]:
    return [hashlib.sha256(f"poster {number}".encode()).hexdigest() for number in range(count)]


def groups_of_sizes(*sizes: int) -> list[int]:
    return [group for group, size in enumerate(sizes) for _ in range(size)]


def counts(assigned: list[str | None]) -> tuple[int, ...]:
    return tuple(assigned.count(name) for name in SPLITS)


def assert_no_group_straddles(assigned: list[str | None], groups: list[int]) -> None:
    places: dict[int, set[str | None]] = {}
    for name, group in zip(assigned, groups, strict=True):
        places.setdefault(group, set()).add(name)
    assert all(len(names) == 1 for names in places.values())


@pytest.mark.parametrize(
    ("text", "split"),
    [
        *(("9000,1000,800", (9000, 1000, 800)), (" 6 , 2,1", (6, 2, 1)), ("5,0,0", (5, 0, 0))),
        *((".8,.1,.1", (0.8, 0.1, 0.1)), ("0.5,0.2,0.1", (0.5, 0.2, 0.1))),
        *(
            ("1.0,0,0", (1.0, 0.0, 0.0)),
            ("1,0,0", (1.0, 0.0, 0.0)),
            ("0.7,0.2,0.1", (0.7, 0.2, 0.1)),
        ),
    ],
)
def test_parse_split(text, split):
    parsed = parse_split(text)
    assert parsed == split
    assert [type(part) for part in parsed] == [type(part) for part in split]


@pytest.mark.parametrize(
    "text",
    [
        *("", ",", ",,", "a,b,c", "1", "1,2", "1,2,3,4", "-1,2,3", "0,0,0", "0.0,0.0,0.0"),
        *("0.5,0.6,0.1", "0.5,0.5", "-0.1,0.6,0.5", "nan,0,0", "0.5,nan,0.1", "inf,0,0"),
        *("-inf,0,0", "1e3,0,0", "8000;1000;800", "0.8,0.1,0.1,", "80%,10%,10%", "²,1,1"),
    ],
)
def test_parse_split_refuses_anything_else_and_names_it(text):
    with pytest.raises(SplitError, match=r"neither three counts .* nor three shares") as caught:
        parse_split(text)
    assert repr(text) in str(caught.value)
    assert isinstance(caught.value, RecolorError)


@pytest.mark.parametrize(
    "split", [(70, 20, 10), (50, 20, 10), (100, 0, 0), (0, 100, 0), (0, 0, 7), (1, 1, 1)]
)
@pytest.mark.parametrize("seed", [0, 1])
def test_counts_are_met_exactly_and_the_rest_is_left_over(split, seed):
    assigned = assign_splits(digests(100), range(100), split, seed)
    assert counts(assigned) == split
    assert assigned.count(None) == 100 - sum(split)


@pytest.mark.parametrize(
    ("shares", "total", "expected"),
    [
        ((0.8, 0.1, 0.1), 100, (80, 10, 10)),
        ((0.5, 0.2, 0.1), 100, (50, 20, 10)),
        ((1.0, 0.0, 0.0), 9, (9, 0, 0)),
        # The ideal is 10.4, 1.3 and 1.3.
        ((0.8, 0.1, 0.1), 13, (11, 1, 1)),
        # 6.6, 2.2 and 2.2.
        ((0.6, 0.2, 0.2), 11, (7, 2, 2)),
        # 10.2, 5.1 and 1.7.
        ((0.6, 0.3, 0.1), 17, (10, 5, 2)),
        # 28.999999999999996 in floating point is 29.
        ((0.29, 0.71, 0.0), 100, (29, 71, 0)),
        ((0.34, 0.33, 0.33), 1, (1, 0, 0)),
        ((0.1, 0.1, 0.1), 10, (1, 1, 1)),
        ((0.25, 0.25, 0.0), 2, (1, 0, 0)),
    ],
)
def test_shares_are_met_by_the_largest_remainder(shares, total, expected):
    assigned = assign_splits(digests(total), range(total), shares, seed=0)
    assert counts(assigned) == expected


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("total", [1, 2, 3, 10, 37, 250])
def test_shares_that_sum_to_one_use_every_poster_within_one_of_the_ideal(seed, total):
    rng = np.random.default_rng(seed)
    shares = tuple(rng.dirichlet([1, 1, 1]).tolist())
    assigned = assign_splits(digests(total), range(total), shares, seed)
    assert None not in assigned
    for count, share in zip(counts(assigned), shares, strict=True):
        assert abs(count - share * total) < 1


@pytest.mark.parametrize("split", [(60, 20, 10), (0.6, 0.2, 0.1), (0.6, 0.2, 0.2)])
def test_order_has_no_influence(split):
    rng = np.random.default_rng(0)
    contents = digests(100)
    groups = np.sort(rng.integers(0, 60, 100)).tolist()
    before = dict(zip(contents, assign_splits(contents, groups, split, seed=4), strict=True))
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(100)
        renamed = np.random.default_rng(seed + 10).permutation(100)
        shuffled = [contents[k] for k in order]
        regrouped = [int(renamed[groups[k]]) for k in order]
        after = assign_splits(shuffled, regrouped, split, seed=4)
        assert dict(zip(shuffled, after, strict=True)) == before


def test_seeds_differ_and_each_repeats_itself():
    contents = digests(60)
    divisions = [tuple(assign_splits(contents, range(60), (40, 10, 10), k)) for k in range(5)]
    assert len(set(divisions)) == 5
    assert divisions[3] == tuple(assign_splits(contents, range(60), (40, 10, 10), 3))


def test_every_poster_has_the_same_chance():
    """Over 400 seeds each of ten posters is a test poster about 80 times."""
    contents = digests(10)
    drawn = Counter()
    for seed in range(400):
        assigned = assign_splits(contents, range(10), (6, 2, 2), seed)
        drawn.update(k for k, name in enumerate(assigned) if name == "test")
    assert all(45 < drawn[k] < 115 for k in range(10))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("split", [(70, 15, 15), (60, 10, 10), (0.7, 0.15, 0.15), (0.5, 0.1, 0.1)])
def test_groups_never_straddle(seed, split):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 70, 100).tolist()
    assigned = assign_splits(digests(100), groups, split, seed)
    assert_no_group_straddles(assigned, groups)
    if isinstance(split[0], int):
        assert counts(assigned) == split
    else:
        for count, share in zip(counts(assigned), split, strict=True):
            assert abs(count - 100 * share) <= max(Counter(groups).values())


def test_copies_of_one_file_stay_together():
    contents = [digests(1)[0]] * 4 + digests(9)[1:]
    groups = groups_of_sizes(4, *[1] * 8)
    for seed in range(20):
        assigned = assign_splits(contents, groups, (8, 2, 2), seed)
        assert counts(assigned) == (8, 2, 2)
        assert_no_group_straddles(assigned, groups)


def test_a_group_too_large_for_its_share_goes_to_the_largest_split():
    groups = groups_of_sizes(9, 1)
    for seed in range(5):
        assigned = assign_splits(digests(10), groups, (0.5, 0.25, 0.25), seed)
        assert assigned[:9] == ["train"] * 9
        assert assigned[9] in SPLITS


@pytest.mark.parametrize("split", [(9, 1, 1), (11, 0, 0), (0, 0, 100)])
def test_more_posters_than_there_are_are_refused(split):
    message = f"{sum(split)} posters are asked for, but only 10 can be used"
    with pytest.raises(SplitError, match=message):
        assign_splits(digests(10), range(10), split, seed=0)


@pytest.mark.parametrize(
    ("sizes", "split", "size"),
    [((2, 2, 2), (3, 3, 0), "2"), ((6,), (4, 1, 1), "6"), ((3, 4), (6, 1, 0), "[34]")],
)
def test_an_impossible_exact_division_is_refused(sizes, split, size):
    groups = groups_of_sizes(*sizes)
    for seed in range(5):
        with pytest.raises(SplitError, match=f"group of {size} near-duplicate posters fits into"):
            assign_splits(digests(len(groups)), groups, split, seed)
