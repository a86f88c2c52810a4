"""``dataset.json``: what a data set holds, as data that can be read and checked without this code.

It is written last, so a folder that has one holds a whole data set.
"""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from recolor.datasets.classes import GRID, ColorClasses
from recolor.datasets.errors import RecolorError
from recolor.datasets.object_storage import RemotePath
from recolor.datasets.splits import SPLITS

FORMAT = 3
FILE_NAME = "dataset.json"


class DatasetError(RecolorError):
    """A data folder is missing, incomplete or damaged."""


@dataclass(frozen=True)
class Manifest:
    """A data set: its folder and what ``dataset.json`` says.

    Attributes:
        folder: Where the shards lie.
        content: The JSON object. ``settings`` (size, embedding, split, seed, compression); where
            the embedding's weights are a file's, ``embedding_file``, its name; ``splits``, each
            with its ``count``, its ``shards`` (``name``, ``count``, ``sha256``), its ``cells``
            (pixels in each populated cell of the color grid, padding included), the ``ab_sum`` of
            its ``pixels``, padding left out, and a digest of its ``members`` (the files' contents);
            ``posters`` (found, used, skipped, groups of near-duplicates); ``listing`` (``name``,
            ``sha256``), see `recolor.datasets.listing`; ``digest`` of it all.
        place: What it was loaded from: the folder, or a place in object storage.
    """

    folder: Path
    content: dict
    place: Path | RemotePath | None = None

    def __str__(self) -> str:
        """Name the data set, as the one who gave it did."""
        return str(self.place or self.folder)

    @property
    def parts(self) -> tuple["Manifest", ...]:
        """The data sets that it consists of: itself, but see `recolor.datasets.combination`."""
        return (self,)

    @classmethod
    def describe(cls, folder: Path) -> "Manifest":
        """Read the description of a data set on this machine.

        Raises:
            DatasetError: If the folder holds no whole data set of this format, or it is just being
                replaced.
        """
        path = Path(folder) / FILE_NAME
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            what = "is not a whole data set" if path.parent.is_dir() else "does not exist"
            raise DatasetError(
                f"{path.parent} {what} (no {FILE_NAME}): make one with `recolor prepare`"
            ) from None
        except (OSError, ValueError) as error:
            raise DatasetError(f"{path} can't be read: {error}") from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise DatasetError(
                f"{path} is not of format {FORMAT}, which this version of recolor reads: "
                "prepare the data set again"
            )
        if content.get("digest") != digest(content):
            raise DatasetError(
                f"{path} was changed since it was written: prepare the data set again"
            )
        return cls(path.parent, content, path.parent)

    @classmethod
    def load(cls, folder: Path | RemotePath) -> "Manifest":
        """Read a data set's description, and check that its files are there.

        Args:
            folder: Its folder. Of one in object storage, a local copy is read.

        Raises:
            StorageError: If object storage can't be read.
            DatasetError: As `describe`, and if a file is missing.
        """
        if isinstance(folder, RemotePath):
            # It needs this class itself.
            from recolor.datasets.remote_data_set import fetched

            return replace(cls.load(fetched(folder)), place=folder)
        manifest = cls.describe(folder)
        if missing := next((file for file in manifest.files if not file.is_file()), None):
            manifest.check_unchanged()
            raise DatasetError(f"{missing} is missing: `recolor verify --repair` makes it again")
        return manifest

    @property
    def files(self) -> dict[Path, str]:
        """The shards and the listing, each with its sha256."""
        shards = [shard for split in SPLITS for shard in self.content["splits"][split]["shards"]]
        return {
            self.folder / one["name"]: one["sha256"] for one in [*shards, self.content["listing"]]
        }

    @property
    def listing(self) -> Path:
        """The file that lists the posters, see `recolor.datasets.listing`."""
        return self.folder / self.content["listing"]["name"]

    def check_unchanged(self) -> None:
        """Check that the folder still holds this data set.

        Raises:
            DatasetError: If it was replaced since it was loaded, or is just being replaced.
        """
        with suppress(OSError, ValueError):
            if json.loads((self.folder / FILE_NAME).read_text(encoding="utf-8")) == self.content:
                return
        raise DatasetError(
            f"{self.folder} was prepared anew meanwhile: run the same command again to use the "
            "new data set"
        )

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
        """Mean color of the training posters without their padding; None if there are none."""
        train = self.content["splits"]["train"]
        return tuple(one / train["pixels"] for one in train["ab_sum"]) if train["pixels"] else None

    def count(self, split: str) -> int:
        """Return the number of posters in a split."""
        return self.content["splits"][split]["count"]

    def shards(self, split: str) -> list[Path]:
        """Return the paths of a split's shards."""
        return [self.folder / shard["name"] for shard in self.content["splits"][split]["shards"]]

    def left_out(self, split: str) -> list[int]:
        """Return which posters of a split's shards are not read, by number: of one alone, none."""
        return []

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


def digest(content: dict) -> str:
    """Digest a manifest's content, less its own digest and the name of a file elsewhere."""
    left_out = ("digest", "embedding_file")
    rest = {key: value for key, value in content.items() if key not in left_out}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the sha256 of a file, in hex."""
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha256.update(block)
    return sha256.hexdigest()
