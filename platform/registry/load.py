"""A model that is ready to recolor, whether it is registered, in a file, or bundled."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import keras
from mlflow.entities.model_registry import ModelVersion
from mlflow.models.model import ModelInfo

from recolor.datasets.data_set import DataSet
from recolor.datasets.embeddings.catalog import EMBEDDINGS
from recolor.datasets.embeddings.embedding import EmbeddingError
from recolor.datasets.embeddings.none import NONE
from recolor.datasets.palettes.library import PaletteLibrary, load_library
from recolor.models.catalog import DEFAULT, MODELS, RESTORE
from recolor.models.painter import Painter
from recolor.models.pretrained import pretrained_weights
from recolor.models.recolorer import Recolorer
from recolor.models.restoring import Restorer
from recolor.models.weights import Weights
from recolor.platform.registry.comparison import shortfall
from recolor.platform.registry.registration import load_model, model_info, version_of
from recolor.platform.registry.restorers import load_restorer, registered_restorer
from recolor.platform.registry.tasks import CHAMPION, RECOLORING, RESTORING, Task
from recolor.platform.registry.versions import (
    MissingFilesError,
    current_champion,
    find_champion,
    version_uri,
)
from recolor.platform.registry.weight_sources import local_weights, no_weights
from recolor.platform.serving.onnx_painter import SUFFIX, load_onnx
from recolor.platform.tracking import store
from recolor.platform.tracking.place import store_exists


@dataclass(frozen=True)
class UsableModel:
    """What is the same of all models.

    Attributes:
        source: Where it was found, as it was asked for.
        embedding: The `DataSet.embedding_id` that it was trained with.
        painter: What recolors pictures by it.
        label: Its kind, with its version or file as ``classification_v3``, in names of metrics.
        which: Which model it is, for people to read.
        about: The same, and why it was chosen.
        version: Its registered version, if it is one of this store's.
        restores: Whether it is a restoration network; its painter recolors by the default model.
        held_out: `Weights.held_out`; empty if nothing is known of it.
    """

    source: str
    embedding: str
    painter: Painter
    label: str = ""
    which: str = ""
    about: str = ""
    version: ModelVersion | None = None
    restores: bool = False
    held_out: tuple[str | None, ...] = ()

    def knows_embeddings_of(self, manifest: DataSet) -> bool:
        """Whether a data set has the model's embeddings; the model must compute them otherwise."""
        return self.embedding == manifest.embedding_id

    def may_know(self, manifest: DataSet, split: str) -> bool:
        """Whether the model may have learned from posters of a split: if not known, yes."""
        return split == "train" or set(self.held_out) != {manifest.held_out}


def load(source: str | None, library: Path | None = None) -> UsableModel:
    """Find and load a model; the store is not touched where none is needed.

    Args:
        source: ``champion``, for that of recoloring, the URI of a registered model, the path of a
            file of weights or of an ONNX file of `recolor export`, or the name of a model kind,
            for its bundled network. None for the champion if it is better than the bundled network
            of `recolor.models.catalog.DEFAULT`, see `comparison`. If it is not, or its files are
            missing, for that network.
        library: A file of color schemes; by default the bundled ones.

    Raises:
        RegistryError: If there is no such model.
        WeightsError: If there is no such file, or it can't be used.
        OnnxError: If an ONNX file can't be used.
        EmbeddingError: If a file's embedding network can't be had.
        PaletteError: If the library can't be read.
    """
    schemes = load_library(library)
    found = _found(source, schemes)
    if found.restores:
        return found
    return replace(found, painter=replace(found.painter, restorer=load_restorer()))


def _found(source: str | None, schemes: PaletteLibrary) -> UsableModel:
    if source is None:
        return _by_default(schemes)
    if source == CHAMPION:
        champion = find_champion()
        # By its version, since there may be another champion by now.
        return _registered(version_uri(champion.version), schemes, champion)
    if source.endswith(SUFFIX):
        return _of_onnx(source, schemes)
    weights = local_weights(source)
    if weights is not None:
        return _of_weights(source, weights, schemes)
    if ":/" not in source:
        raise no_weights(source)
    store.connect()
    info, task = model_info(source)
    if task is RESTORING:
        return _restoring(source, info, schemes)
    return _registered(source, schemes, current_champion())


def _by_default(schemes: PaletteLibrary) -> UsableModel:
    champion = None
    if store_exists():
        store.connect()
        champion = current_champion()
    if champion is None:
        why = "no champion is registered here"
    elif reason := shortfall(champion):
        why = f"champion version {champion.version} {reason}: --model {CHAMPION} takes it"
    else:
        try:
            model = _registered(version_uri(champion.version), schemes, champion)
            why = f"--model {DEFAULT} takes the bundled network"
            return replace(model, about=f"{model.about}; {why}")
        except MissingFilesError as error:
            why = f"the champion can't be used: {error}"
    model = _of_weights(DEFAULT, pretrained_weights(DEFAULT), schemes)
    return replace(model, about=f"{model.about}; {why}")


def _registered(uri: str, schemes: PaletteLibrary, champion: ModelVersion | None) -> UsableModel:
    model = load_model(uri)
    painter = replace(model.unwrap_python_model().painter, library=schemes)
    known = model.metadata.metadata
    said, label, found = [painter.network.kind], painter.network.kind, f"the model {uri}"
    version = version_of(model.metadata.model_id, RECOLORING)
    if version:
        number = version.version
        label, found = f"{painter.network.kind}_v{number}", _named(RECOLORING, number)
        if champion is not None and champion.version == number:
            said = [f"champion; {painter.network.kind}"]
    said += facts(known["size"], known.get("training_posters"))
    which = f"{found} ({', '.join(said)})"
    held_out = _held_out(known)
    return UsableModel(
        uri, known["embedding"], painter, label, which, which, version, held_out=held_out
    )


def _restoring(uri: str, info: ModelInfo, schemes: PaletteLibrary) -> UsableModel:
    """Make a model of a registered restoration network."""
    kind = info.metadata["model"]
    said, label, found = [kind], kind, f"the model {uri}"
    version, about = version_of(info.model_id, RESTORING), ""
    if version:
        label, found = f"{kind}_v{version.version}", _named(RESTORING, version.version)
        champion = current_champion(RESTORING)
        if champion is not None and champion.version == version.version:
            said, about = [CHAMPION, *said], f" ({CHAMPION})"
    restorer = registered_restorer(uri, found + about)
    said += learned_from(info.metadata.get("training_posters"))
    which = f"{found} ({', '.join(said)})"
    painter = _with_default_colors(restorer, schemes)
    held_out = _held_out(info.metadata)
    return UsableModel(
        uri, NONE.name, painter, label, which, which, version, restores=True, held_out=held_out
    )


def _held_out(metadata: Mapping) -> tuple[str | None, ...]:
    return tuple(metadata.get("held_out", ()))


def _named(task: Task, number: str) -> str:
    return f"{task.model} version {number}"


def facts(size: int, training_posters: int | None) -> list[str]:
    """Say what a network looks at, and what it learned from, where that is known."""
    return [f"{size} pixels", *learned_from(training_posters)]


def learned_from(training_posters: int | None) -> list[str]:
    """Say how many posters a network learned from, if that is known."""
    return [f"learned from {training_posters} posters"] if training_posters else []


def _of_weights(source: str, weights: Weights, schemes: PaletteLibrary) -> UsableModel:
    posters = weights.origin.get("training_posters")
    restores = MODELS[weights.model].task == RESTORE
    if restores:
        # Of posters of any size, it looks at a thumbnail.
        said = learned_from(posters)
        about = Restorer.about if source in MODELS else f"the network of {source}"
        painter = _with_default_colors(Restorer(weights.tensors, about), schemes)
    else:
        said = facts(weights.size, posters)
        painter = _recolorer(weights, embedding_network(source, weights)).painter(schemes)
    if source in MODELS:
        known = f" ({', '.join(said)})" if said else ""
        label, which = source, f"the bundled {source} network{known}"
    else:
        label = f"{weights.model}_{Path(source).stem}"
        which = f"{source} ({', '.join([weights.model, *said])})"
    return UsableModel(
        *(source, weights.embedding, painter, label, which, which),
        restores=restores,
        held_out=weights.held_out,
    )


def _with_default_colors(restorer: Restorer, schemes: PaletteLibrary) -> Painter:
    """Make a painter that restores, and recolors by the default model where that is asked for."""
    default = cache(lambda: _by_default(schemes).painter.network)
    return Painter(default, restorer, schemes)


def embedding_network(source: str, weights: Weights) -> keras.Model | None:
    """Return the embedding network that belongs to weights; None for zeros.

    Raises:
        EmbeddingError: If it can't be had.
    """
    if weights.embedding not in EMBEDDINGS:
        raise EmbeddingError(
            f"{source} was trained with an embedding of a file of its own, which only the "
            "registered model holds"
        )
    return EMBEDDINGS[weights.embedding].network(weights.size)


def _of_onnx(source: str, schemes: PaletteLibrary) -> UsableModel:
    model = load_onnx(Path(source), schemes)
    label = f"{model.painter.network.kind}_{Path(source).stem}"
    return UsableModel(
        *(source, model.embedding, model.painter, label, model.which, model.about),
        held_out=model.held_out,
    )


def _recolorer(weights: Weights, embedding: keras.Model | None) -> Recolorer:
    if keras.backend.backend() != "tensorflow":
        return Recolorer(weights, embedding)
    from recolor.platform.serving.saved_model import RecoloringGraph

    return RecoloringGraph(weights, embedding)
