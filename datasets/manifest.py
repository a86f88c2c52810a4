"""``dataset.json``: what a data set holds, as data that can be read and checked without this code.

It is written last, so a folder that has one holds a whole data set.
"""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from recolor.datasets.compression import CODECS
from recolor.datasets.dataset_info import DatasetError, DatasetInfo
from recolor.datasets.errors import first_mistake, reason_of
from recolor.datasets.object_storage import RemotePath
from recolor.datasets.posters import LARGEST_EMBEDDING, LARGEST_SIDE
from recolor.datasets.records import how_to_repair
from recolor.datasets.splits import SPLITS

FORMAT = 3
FILE_NAME = "dataset.json"


class _Described(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _File(_Described):
    # It lies in the data set's own folder.
    name: str = Field(pattern=r"^[^/\\]+$")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class _Shard(_File):
    count: NonNegativeInt


class _Split(_Described):
    count: NonNegativeInt
    cells: dict[Annotated[str, Field(pattern="^[0-9]{1,4}$")], NonNegativeInt]
    ab_sum: list[int] = Field(min_length=2, max_length=2)
    pixels: NonNegativeInt
    members: str
    shards: list[_Shard]


class _Splits(_Described):
    train: _Split
    validation: _Split
    test: _Split


class _Embedding(_Described):
    name: str
    size: int = Field(ge=1, le=LARGEST_EMBEDDING)
    sha256: str | None = None


class _Settings(_Described):
    size: int = Field(ge=8, le=LARGEST_SIDE, multiple_of=8)
    compression: Literal[tuple(CODECS)]
    embedding: _Embedding
    split: list[float] = Field(min_length=3, max_length=3)
    seed: int


class _Posters(_Described):
    found: NonNegativeInt
    used: NonNegativeInt
    skipped: NonNegativeInt
    groups_of_near_duplicates: NonNegativeInt


class _Content(_Described):
    settings: _Settings
    splits: _Splits
    listing: _File
    posters: _Posters
    embedding_file: str | None = None
    extensions: NonNegativeInt = 0


@dataclass(frozen=True)
class Manifest(DatasetInfo):
    """A data set in one folder, and what ``dataset.json`` says of it.

    Its content, the JSON object, has more than that of every `DatasetInfo`: of each split the
    ``shards`` (``name``, ``count``, ``sha256``); ``posters`` (found, used, skipped, groups of
    near-duplicates); and ``listing`` (``name``, ``sha256``), see `recolor.datasets.listing`.
    """

    def __str__(self) -> str:
        """Name the data set, as the one who gave it did."""
        return str(self.place or self.folder)

    @property
    def parts(self) -> tuple["Manifest", ...]:
        """Itself alone."""
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
            raise DatasetError(f"{path} can't be read: {reason_of(error)}") from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise DatasetError(
                f"{path} is not of format {FORMAT}, which this version of recolor reads: "
                "prepare the data set again"
            )
        if content.get("digest") != digest(content):
            raise DatasetError(
                f"{path} was changed since it was written: prepare the data set again"
            )
        try:
            _Content.model_validate(content)
        except ValidationError as error:
            raise DatasetError(
                f"{path} is not valid ({first_mistake(error)}): prepare the data set again"
            ) from None
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
            raise DatasetError(f"{missing} is missing: {how_to_repair(folder)}")
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
            f"{self.folder} was prepared again meanwhile: run the same command again to use the "
            "new data set"
        )

    def shards(self, split: str) -> list[Path]:
        """Return the paths of a split's shards."""
        return [self.folder / shard["name"] for shard in self.content["splits"][split]["shards"]]

    def left_out(self, split: str) -> list[int]:
        """Return an empty list: all posters are read."""
        return []


def digest(content: dict) -> str:
    """Digest a manifest's content, less its own digest and the name of a file elsewhere."""
    left_out = ("digest", "embedding_file")
    rest = {key: value for key, value in content.items() if key not in left_out}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
