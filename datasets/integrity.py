"""Whether shards are those that a data set was prepared with: whole files may be the wrong ones."""

from concurrent.futures import ThreadPoolExecutor

from recolor.datasets.checksums import known_digest
from recolor.datasets.dataset_info import DatasetError, DatasetInfo
from recolor.datasets.division import members_digest
from recolor.datasets.listing import listed_in
from recolor.datasets.records import how_to_repair


def check_shards(manifest: DatasetInfo, split: str) -> None:
    """Compare a split's shards with their checksums, and its posters with those of the listing.

    A file is read once in a process, unless it changes: at about a gigabyte a second.

    Raises:
        DatasetError: If a shard, the listing or a split is not what it was.
    """
    with ThreadPoolExecutor() as pool:
        for part in manifest.parts if split == "train" else manifest.parts[:1]:
            shards = part.shards(split)
            for shard, found in zip(shards, pool.map(known_digest, shards), strict=True):
                if found != part.files[shard]:
                    raise DatasetError(
                        f"{shard} is not the file that was prepared: {how_to_repair(part.folder)}"
                    )
            names = {shard.name for shard in shards}
            posters = (one.sha256 for one in listed_in(part) if one.shard in names)
            if members_digest(posters) != part.content["splits"][split]["members"]:
                raise DatasetError(
                    f"the {split} shards of {part} hold other posters than the split has: prepare "
                    "the data set again"
                )
