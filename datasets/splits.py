"""The division of posters into training, validation and test.

It follows from the posters' contents and a seed, never from file names or their order.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from recolor.datasets.errors import RecolorError

SPLITS = ("train", "validation", "test")


class SplitError(RecolorError):
    """The posters can't be divided as asked."""


def parse_split(text: str) -> tuple[float, ...]:
    """Parse ``TRAIN,VALIDATION,TEST``: three counts (``9000,1000,800``) or shares (``.8,.1,.1``).

    ``1,0,0`` are shares: all posters, not a single one.

    Returns:
        Three ``int`` counts, or three ``float`` shares with a sum of at most 1.

    Raises:
        SplitError: If it is neither.
    """
    parts = text.split(",")
    try:
        if all(part.strip().isdigit() for part in parts) and sum(map(int, parts)) > 1:
            split = tuple(int(part) for part in parts)
        else:
            split = tuple(float(part) for part in parts)
            if not 0 < sum(split) <= 1 + 1e-9:
                raise ValueError
        if len(split) != 3 or not all(part >= 0 for part in split) or not sum(split):
            raise ValueError
    except ValueError:
        raise SplitError(
            f"split {text!r} is neither three counts like 9000,1000,800 "
            "nor three shares like 0.8,0.1,0.1"
        ) from None
    return split


def check_counts(split: tuple[float, ...], available: int) -> None:
    """Check that there are as many posters as three counts ask for; shares are always met.

    Raises:
        SplitError: If there are fewer.
    """
    if _is_exact(split) and sum(split) > available:
        raise SplitError(
            f"{sum(split)} posters are asked for, but only {available} can be used: "
            "lower `split` or add posters"
        )


def assign_splits(
    contents: Sequence[str], groups: Sequence[int], split: tuple[float, ...], seed: int
) -> list[str | None]:
    """Assign each poster to a split, all posters of a group to the same.

    Args:
        contents: Content digest of each poster.
        groups: Number of each poster's group of near-duplicates.
        split: Three counts, which are met exactly, or three shares, which are met as nearly as the
            groups allow.
        seed: Another seed gives another division.

    Returns:
        The split's name for each poster, or None for one that is left over.

    Raises:
        SplitError: If there are not enough posters, or no exact division was found.
    """
    check_counts(split, len(contents))
    exact = _is_exact(split)
    room = list(split) if exact else _counts(split, len(contents))
    members = defaultdict(list)
    for poster, group in enumerate(groups):
        members[group].append(poster)
    order = sorted(
        members.values(), key=lambda group: min(shuffle_key(contents[p], seed) for p in group)
    )

    assigned: list[str | None] = [None] * len(contents)
    left_over = []
    # The small splits first: what is too large for what is left of them still fits into training.
    for group in order:
        for number in (2, 1, 0):
            if len(group) <= room[number]:
                break
        else:
            left_over.append(group)
            continue
        room[number] -= len(group)
        for poster in group:
            assigned[poster] = SPLITS[number]

    if exact and any(room):
        raise SplitError(
            f"a group of {min(map(len, left_over))} near-duplicate posters fits into no split "
            "without straddling two: change `split` by a few posters"
        )
    if not exact:
        largest = SPLITS[max(range(3), key=lambda number: split[number])]
        for poster in (poster for group in left_over for poster in group):
            # Shares of less than one leave posters out, and these are among them.
            assigned[poster] = largest if sum(split) > 1 - 1e-9 else None
    if not any(assigned):
        raise SplitError(f"{len(contents)} posters are too few for these shares: change `split`")
    return assigned


def _is_exact(split: tuple[float, ...]) -> bool:
    return all(isinstance(part, int) for part in split)


def shuffle_key(content: str, seed: int) -> str:
    """Return a poster's place in the random order of a seed, as a string to sort by."""
    return hashlib.sha256(f"{seed}:{content}".encode()).hexdigest()


def _counts(shares: tuple[float, ...], total: int) -> list[int]:
    """Turn shares into counts by the largest remainder."""
    ideal = [share * total for share in shares]
    counts = [int(value) for value in ideal]
    missing = round(sum(ideal)) - sum(counts)
    remainders = sorted(range(3), key=lambda number: counts[number] - ideal[number])
    for number in remainders[:missing]:
        counts[number] += 1
    return counts
