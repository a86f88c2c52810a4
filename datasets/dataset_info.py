"""What is known of a data set, whether it lies in one folder or in several."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from recolor.datasets.classes import GRID, ColorClasses
from recolor.datasets.errors import RecolorError
from recolor.datasets.object_storage import RemotePath
from recolor.datasets.splits import SPLITS


class DatasetError(RecolorError):
    """A data folder is missing, incomplete or damaged."""


@dataclass(frozen=True)
class DatasetInfo(ABC):
    """What training and evaluation need to know of a data set: a `Manifest` or a `Combination`.

    Attributes:
        folder: Where the shards lie, those of the validation and test posters in any case.
        content: ``settings`` (size, embedding, split, seed, compression); where the embedding's
            weights are a file's, ``embedding_file``, its name; ``splits``, each with its ``count``,
            its ``cells`` (pixels in each populated cell of the color grid, padding included), the
            ``ab_sum`` of its ``pixels``, padding left out, and a digest of its ``members`` (the
            files' contents); ``digest`` of it all.
        place: What it was loaded from: the folder, or a place in object storage.
    """

    folder: Path
    content: dict
    place: Path | RemotePath | None = None

    @property
    @abstractmethod
    def parts(self) -> tuple["DatasetInfo", ...]:
        """The data sets that it consists of, each in a folder of its own."""

    @abstractmethod
    def check_unchanged(self) -> None:
        """Check that each folder still holds the data set that was loaded.

        Raises:
            DatasetError: If it was replaced since, or is just being replaced.
        """

    @abstractmethod
    def shards(self, split: str) -> list[Path]:
        """Return the paths of a split's shards."""

    @abstractmethod
    def left_out(self, split: str) -> list[int]:
        """Return which posters of a split's shards are not read, by number, in ascending order."""

    @property
    def name(self) -> str:
        """The name of its folder, or of those of its parts."""
        return " and ".join(part.folder.resolve().name for part in self.parts)

    @property
    def digest(self) -> str:
        """Hex digest of everything in the data set, the shards' bytes included."""
        return self.content["digest"]

    @property
    def held_out(self) -> str:
        """Digest of which posters are in the validation split, and which in the test split.

        It is the same for data sets of other sizes and with other embeddings.
        """
        return ":".join(self.content["splits"][name]["members"] for name in SPLITS[1:])

    @property
    def size(self) -> int:
        """Side of the squares in pixels."""
        return self.content["settings"]["size"]

    @property
    def compression(self) -> str:
        """Of the pixels in the shards, see `recolor.datasets.compression`."""
        return self.content["settings"]["compression"]

    @property
    def embedding(self) -> str:
        """The embedding's name."""
        return self.content["settings"]["embedding"]["name"]

    @property
    def embedding_size(self) -> int:
        """Length of the embedding's vectors."""
        return self.content["settings"]["embedding"]["size"]

    @property
    def embedding_id(self) -> str:
        """What tells the embedding's weights from others: a file's sha256, or else the name."""
        identity = self.content["settings"]["embedding"]
        return identity.get("sha256", identity["name"])

    @property
    def mean_ab(self) -> tuple[float, float] | None:
        """Mean color of the training posters, padding left out; None without training posters."""
        train = self.content["splits"]["train"]
        return tuple(one / train["pixels"] for one in train["ab_sum"]) if train["pixels"] else None

    def count(self, split: str) -> int:
        """Return the number of posters in a split."""
        return self.content["splits"][split]["count"]

    def cell_counts(self, split: str) -> np.ndarray:
        """Return a split's pixels in each cell of the color grid, ``int64 [1024]``."""
        counts = np.zeros(GRID * GRID, np.int64)
        for cell, count in self.content["splits"][split]["cells"].items():
            counts[int(cell)] = count
        return counts

    @cached_property
    def classes(self) -> ColorClasses:
        """The color classes: the cells that the training split populates.

        Raises:
            DatasetError: If there are no training posters, or too few colors in them.
        """
        if not self.count("train"):
            raise DatasetError(f"{self} has no training posters, so no color classes")
        try:
            return ColorClasses.from_counts(self.cell_counts("train"))
        except ValueError as error:
            raise DatasetError(f"{self}: {error}") from None
