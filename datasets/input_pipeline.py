"""From shards to batches of arrays, for any framework."""

import itertools
import os
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from recolor.datasets.augmentation.catalog import augmentation
from recolor.datasets.dataset_info import DatasetError, DatasetInfo
from recolor.datasets.integrity import check_shards
from recolor.datasets.posters import stored_inputs
from recolor.datasets.records import RecordFile
from recolor.datasets.shards import parse

THREADS = min(8, os.cpu_count() or 1)

# A network's inputs, and its target: x and y of Keras' `fit`.
Batch = tuple[tuple[np.ndarray, ...], np.ndarray]
# From a poster, as of `recolor.datasets.shards.parse`, and a random generator, to the same of it.
Example = Callable[[dict[str, np.ndarray], np.random.Generator], Batch]


@dataclass(frozen=True)
class Share:
    """What one worker of several reads: its part of every batch.

    A batch has the same posters whatever the number of workers and devices, but for a rest that
    can't be divided evenly, which is left out: at most ``devices - 1`` posters, in an epoch's last
    batch.

    Attributes:
        devices: Number of devices that share a batch, of all workers together.
        first: Number of this worker's first device among them.
        count: Number of this worker's devices.
    """

    devices: int = 1
    first: int = 0
    count: int = 1


WHOLE = Share()
# Whatever is random in an example for validation is always the same.
VALIDATION_SEED = 0


def stored_example(poster: dict[str, np.ndarray], generator: np.random.Generator) -> Batch:
    """Return what the paper's networks take of a poster, and its ab ``int8 [S, S, 2]``."""
    return stored_inputs(poster), poster["ab"]


def fixed_generator(poster: dict[str, np.ndarray], seed: int) -> np.random.Generator:
    """Return a generator that depends on a seed and the poster's content alone."""
    return np.random.default_rng([seed, int(str(poster["sha256"])[:8], 16)])


class Posters:
    """The posters of a split, by number, in their stored order.

    It may be used from several threads at once.

    Raises:
        DatasetError: If the split is empty, or the data set was replaced meanwhile, or a shard
            is not what it was.
        RecordError: If a shard is damaged.
    """

    def __init__(self, manifest: DatasetInfo, split: str):
        if not manifest.count(split):
            raise DatasetError(f"{manifest}: the {split} split is empty")
        self._sizes = manifest.size, manifest.embedding_size
        try:
            self._shards = [RecordFile(path) for path in manifest.shards(split)]
        finally:
            # What is open now stays what it is, even if it is replaced.
            manifest.check_unchanged()
        check_shards(manifest, split)
        self._ends = list(itertools.accumulate(len(shard) for shard in self._shards))
        left_out = manifest.left_out(split)
        stored, expected = self._ends[-1], manifest.count(split) + len(left_out)
        if stored != expected:
            raise DatasetError(
                f"the {split} shards in {manifest} hold {stored} posters instead of {expected}: "
                "`recolor verify` finds the damaged one, and makes it again with --repair"
            )
        self._stored = np.delete(np.arange(stored), left_out)

    def __len__(self) -> int:
        return len(self._stored)

    def __getitem__(self, number: int) -> dict[str, np.ndarray]:
        """Read a poster: see `shards.parse`."""
        stored = int(self._stored[number])
        shard = bisect_right(self._ends, stored)
        start = self._ends[shard - 1] if shard else 0
        return parse(self._shards[shard][stored - start], *self._sizes)


def read_posters(
    manifest: DatasetInfo, split: str, batch_size: int
) -> Iterator[dict[str, np.ndarray]]:
    """Read a split once, in stored order, in batches of the arrays of `shards.parse`.

    Raises:
        DatasetError: If the split is empty.
        RecordError: If a shard is damaged.
    """
    posters = Posters(manifest, split)

    def read(numbers: np.ndarray) -> dict[str, np.ndarray]:
        batch = [posters[number] for number in numbers]
        return {name: np.stack([poster[name] for poster in batch]) for name in batch[0]}

    return _ahead(read, _cut(np.arange(len(posters)), batch_size, WHOLE))


def validation_batches(
    manifest: DatasetInfo,
    split: str,
    batch_size: int,
    share: Share = WHOLE,
    example: Example = stored_example,
) -> Iterator[Batch]:
    """Read a split once, in stored order.

    Raises:
        DatasetError: If the split is empty.
        RecordError: If a shard is damaged.
    """
    posters = Posters(manifest, split)
    parts = _cut(np.arange(len(posters)), batch_size, share)

    def read(part: np.ndarray) -> Batch:
        chosen = [posters[number] for number in part]
        return _batch([example(one, fixed_generator(one, VALIDATION_SEED)) for one in chosen])

    return _ahead(read, parts)


def training_batches(
    manifest: DatasetInfo,
    batch_size: int,
    first_epoch: int = 0,
    *,
    seed: int,
    augment: str,
    fraction: float = 1.0,
    share: Share = WHOLE,
    example: Example = stored_example,
) -> Iterator[Batch]:
    """Read the training split epoch after epoch, without an end.

    The order of an epoch, and its augmentation, depend only on the seed and the epoch's number: a
    run that is resumed at an epoch sees what an uninterrupted one would have seen, and several
    workers see together what one would have seen.

    Args:
        manifest: The data set.
        batch_size: Posters a batch, of all workers; the last one of an epoch may be smaller.
        first_epoch: Number of the epoch to begin with, from 0.
        seed: Seed of order and augmentation.
        augment: A recipe of what is done to posters at random, see `augmentation`.
        fraction: Share of the training posters to read, see `posters_in`.
        share: What this worker reads of each batch.
        example: Makes an example of an augmented poster, with the same generator.

    Raises:
        AugmentationError: If the recipe names an unknown augmentation.
        DatasetError: If there are no training posters.
        RecordError: If a shard is damaged.
    """
    change = augmentation(augment)
    posters = Posters(manifest, "train")
    used = posters_in(manifest, "train", fraction)

    def parts() -> Iterator[tuple[int, np.ndarray]]:
        for epoch in itertools.count(first_epoch):
            order = np.random.default_rng([seed, epoch]).permutation(used)
            yield from ((epoch, part) for part in _cut(order, batch_size, share))

    def read(numbered: tuple[int, np.ndarray]) -> Batch:
        epoch, part = numbered
        examples = []
        for number in part:
            generator = np.random.default_rng([seed, epoch, number])
            examples.append(example(change(posters[number], generator), generator))
        return _batch(examples)

    return _ahead(read, parts())


def posters_in(manifest: DatasetInfo, split: str, fraction: float) -> int:
    """Return the number of posters in a share of a split: its first ones, and at least one.

    The stored order is a random one, so they are a fair sample of the split.
    """
    count = manifest.count(split)
    return min(count, max(1, round(fraction * count)))


def steps_per_epoch(
    manifest: DatasetInfo, split: str, batch_size: int, share: Share = WHOLE, fraction: float = 1.0
) -> int:
    """Return the number of batches in a pass over a split; 0 if it has too few posters."""
    whole, rest = divmod(posters_in(manifest, split, fraction), batch_size)
    return whole + (rest >= share.devices)


def _cut(order: np.ndarray, batch_size: int, share: Share) -> Iterator[np.ndarray]:
    """Cut a pass over a split into batches, and of each take this worker's part."""
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        each = len(batch) // share.devices
        if each:
            yield batch[share.first * each : (share.first + share.count) * each]


def _ahead(read: Callable, parts: Iterable) -> Iterator:
    """Read part after part, some ahead of the one that is asked for, on several threads."""
    with ThreadPoolExecutor(THREADS) as pool:
        reading: deque = deque()
        try:
            for part in parts:
                reading.append(pool.submit(read, part))
                if len(reading) > THREADS:
                    yield reading.popleft().result()
            while reading:
                yield reading.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _batch(examples: list[Batch]) -> Batch:
    inputs, targets = zip(*examples, strict=True)
    return tuple(np.stack(arrays) for arrays in zip(*inputs, strict=True)), np.stack(targets)
