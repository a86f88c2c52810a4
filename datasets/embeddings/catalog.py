"""The embeddings by name. A new one is a file of its own and a line here; see `Embedding`.

Weights of Inception-ResNet-v2 in a file are an embedding as well. A data set keeps their sha256 and
the file's name, not where it lies, and so can be used on another machine.
"""

from __future__ import annotations

import os
from pathlib import Path

from recolor.datasets.catalog import Catalog
from recolor.datasets.dataset_info import DatasetError, DatasetInfo
from recolor.datasets.embeddings.embedding import Embedding, EmbeddingError
from recolor.datasets.errors import reason_of

EMBEDDINGS: Catalog[Embedding] = Catalog(
    {
        "imagenet": "recolor.datasets.embeddings.inception_resnet_v2:IMAGENET",
        "efficientnet-lite0": "recolor.datasets.embeddings.efficientnet_lite0:LITE0",
        "random": "recolor.datasets.embeddings.inception_resnet_v2:RANDOM",
        "none": "recolor.datasets.embeddings.embedding:NONE",
    }
)
# The path of the file of weights, where it is not found by its name.
WEIGHTS_VARIABLE = "RECOLOR_EMBEDDING"


def find_embedding(source: str) -> Embedding:
    """Return an embedding.

    Args:
        source: A name in `EMBEDDINGS`, or the path of a file of weights for Keras'
            InceptionResNetV2.

    Raises:
        EmbeddingError: If it is neither.

    Example:
        >>> find_embedding("none").identity
        {'name': 'none', 'size': 1000}
    """
    if source in EMBEDDINGS:
        return EMBEDDINGS[source]
    if not Path(source).is_file():
        raise EmbeddingError(
            f"embedding {source!r} is neither {', '.join(EMBEDDINGS)} nor a weights file"
        )
    return _of_file(Path(source))


def embedding_of(manifest: DatasetInfo, given: str | None = None) -> Embedding:
    """Return the embedding that a data set was prepared with.

    Weights in a file are looked for at the path that ``RECOLOR_EMBEDDING`` names, and under their
    file name in the working directory and the data set's folder.

    Args:
        manifest: The data set.
        given: Which one it is, as `find_embedding` takes it; None to look for it.

    Raises:
        EmbeddingError: If it can't be had any more.
        DatasetError: If the one that is given is another.
    """
    if given is not None:
        embedding = find_embedding(given)
        if embedding.identity != manifest.content["settings"]["embedding"]:
            raise DatasetError(
                f"{manifest.folder} was prepared with another embedding, {manifest.embedding_id}: "
                "name it as `embedding`"
            )
        return embedding
    recorded = manifest.content["settings"]["embedding"]
    file = manifest.content.get("embedding_file")
    if file is None:
        embedding = EMBEDDINGS.get(recorded["name"])
        if embedding is None or embedding.identity != recorded:
            raise EmbeddingError(
                f"{manifest.folder} was prepared with an embedding {recorded['name']!r} that is "
                "not there any more, or has changed since: prepare the data set again"
            )
        return embedding
    for path in map(Path, (os.environ.get(WEIGHTS_VARIABLE, ""), file, manifest.folder / file)):
        if path.is_file() and (embedding := _of_file(path)).identity == recorded:
            return embedding
    raise EmbeddingError(
        f"{manifest.folder} was prepared with the weights in {file} (sha256 "
        f"{recorded['sha256'][:12]}...), which are not found: name the path of that file in "
        f"{WEIGHTS_VARIABLE}"
    )


def _of_file(path: Path) -> Embedding:
    from recolor.datasets.embeddings.inception_resnet_v2 import InceptionResNetV2

    try:
        return InceptionResNetV2.of_file(path)
    except OSError as error:
        raise EmbeddingError(f"{path} can't be read: {reason_of(error)}") from None
