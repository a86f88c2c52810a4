"""A prepared data set as Python sees it: splits to iterate over, and to give to a framework."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from recolor.datasets.combination import load_data
from recolor.datasets.dataset_info import DatasetError, DatasetInfo
from recolor.datasets.input_pipeline import Posters, read_posters
from recolor.datasets.object_storage import RemotePath, place_of
from recolor.datasets.splits import SPLITS

if TYPE_CHECKING:
    import tensorflow as tf
    from torch.utils.data import DataLoader

# A poster's lightness and its colors, or those of a batch.
Pair = tuple[np.ndarray, np.ndarray]


class Dataset:
    """A prepared data set, or several that are read as one.

    Args:
        *places: Its folder, or a place in object storage as ``s3://bucket/path``. Of further data
            sets, only the training posters are read.

    Attributes:
        manifest: What ``dataset.json`` says of it.
        train, validation, test: Its splits.

    Raises:
        DatasetError: If there is no whole data set, or they don't go together.
        StorageError: If object storage can't be read.

    Example:
        >>> data = Dataset("data")
        >>> len(data.train), len(data.validation), len(data.test)
        (16, 4, 4)
        >>> lightness, ab = data.train[0]
        >>> lightness.shape, lightness.dtype, ab.shape, ab.dtype
        ((32, 32, 1), dtype('uint8'), (32, 32, 2), dtype('int8'))
    """

    def __init__(self, *places: str | PathLike | RemotePath):
        if not places:
            raise DatasetError("name the folder of a data set")
        self.manifest = load_data([place_of(one) for one in places])
        self.train, self.validation, self.test = (Split(self.manifest, name) for name in SPLITS)

    def __repr__(self) -> str:
        counts = ", ".join(f"{self.manifest.count(name)} {name}" for name in SPLITS)
        return f"<Dataset {self.manifest}: {counts}, {self.manifest.size} pixels>"


class Split(Sequence):
    """The posters of a split in their stored order, which is a random one.

    A poster is a pair: its lightness, ``uint8 [S, S, 1]``, the L of CIELAB times 2.55, and its
    colors, the a and b of CIELAB, ``int8 [S, S, 2]``. What lies around it in its square is white.

    Args:
        manifest: The data set.
        name: The split's name.
    """

    def __init__(self, manifest: DatasetInfo, name: str):
        self.manifest, self.name = manifest, name

    @cached_property
    def posters(self) -> Posters:
        """All that is stored of each poster, by number: see `recolor.datasets.shards.parse`.

        Raises:
            DatasetError: If the split is empty, or was replaced meanwhile.
            RecordError: If a shard is damaged.
        """
        return Posters(self.manifest, self.name)

    def __len__(self) -> int:
        return self.manifest.count(self.name)

    def __getitem__(self, number: int) -> Pair:
        """Read a poster.

        Raises:
            IndexError: If there is no such poster.
        """
        if not -len(self) <= number < len(self):
            raise IndexError(f"the {self.name} split has {len(self)} posters, and no {number}")
        return _pair(self.posters[number % len(self)])

    def __iter__(self) -> Iterator[Pair]:
        return (self[number] for number in range(len(self)))

    def batches(self, batch_size: int) -> Iterator[Pair]:
        """Read all posters once, in batches of arrays; the last one may be smaller.

        Args:
            batch_size: Posters in a batch.

        Returns:
            Pairs ``uint8 [batch, S, S, 1]`` and ``int8 [batch, S, S, 2]``.
        """
        if not len(self):
            return iter(())
        return map(_pair, read_posters(self.manifest, self.name, batch_size))

    def tf_data(self, batch_size: int) -> tf.data.Dataset:
        """Return a `tf.data.Dataset` of batches, as `batches` reads them.

        Example:
            >>> for lightness, ab in Dataset("data").train.tf_data(batch_size=8):
            ...     print(lightness.shape, ab.shape)
            (8, 32, 32, 1) (8, 32, 32, 2)
            (8, 32, 32, 1) (8, 32, 32, 2)
        """
        import tensorflow as tf

        side = self.manifest.size
        signature = (
            tf.TensorSpec([None, side, side, 1], tf.uint8),
            tf.TensorSpec([None, side, side, 2], tf.int8),
        )
        found = tf.data.Dataset.from_generator(
            lambda: self.batches(batch_size), output_signature=signature
        )
        batches = -(-len(self) // batch_size)
        return found.apply(tf.data.experimental.assert_cardinality(batches))

    def torch(self, batch_size: int, **options) -> DataLoader:
        """Return a `torch.utils.data.DataLoader` of batches, with the axes of `batches`.

        Args:
            batch_size: Posters in a batch.
            **options: More of the `DataLoader`, as ``shuffle=True``.

        Raises:
            DatasetError: If PyTorch is not installed.
        """
        try:
            from torch.utils.data import DataLoader
        except ModuleNotFoundError:
            raise DatasetError(
                "PyTorch is not installed: pip install 'poster-recolor[torch]'"
            ) from None
        return DataLoader(self, batch_size, **options)

    def __repr__(self) -> str:
        return f"<Split {self.name} of {self.manifest}: {len(self)} posters>"


def _pair(poster: dict[str, np.ndarray]) -> Pair:
    return poster["lightness"], poster["ab"]
