"""A model that is ready to recolor, whether it is registered, in a file, or bundled.

Neither Keras nor TensorFlow is imported before a picture needs the color network, and MLflow only
where there is a store to ask.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from recolor.datasets.dataset_info import DatasetInfo
from recolor.datasets.embeddings.catalog import EMBEDDINGS
from recolor.datasets.embeddings.embedding import NONE, EmbeddingError
from recolor.datasets.images import as_picture
from recolor.datasets.palettes.library import PaletteLibrary, load_library
from recolor.models.catalog import DEFAULT, MODELS
from recolor.models.decoding.options import DEFAULT_DECODING, Decoding
from recolor.models.decoding.typed import decoding_here, parse_restore
from recolor.models.painter import Identity, Network, Painter
from recolor.models.recipe import Recipe
from recolor.models.restoring import Restorer
from recolor.models.weights import Weights, WeightsError, pretrained_weights
from recolor.platform.registry.sources import (
    find_weights,
    load_restorer,
    local_weights,
    no_weights,
    registered_restorer,
)
from recolor.platform.registry.tasks import CHAMPION, RECOLORING, RESTORING, Task
from recolor.platform.serving.onnx_painter import SUFFIX, load_onnx
from recolor.platform.tracking.place import store_exists

if TYPE_CHECKING:
    import keras
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.models.model import ModelInfo


@dataclass(frozen=True)
class Model:
    """A model that restores and recolors pictures: what `load_model` returns.

    Attributes:
        source: Where it was found, as it was asked for.
        embedding: The `DatasetInfo.embedding_id` that it was trained with.
        painter: What recolors pictures by it; the color network is loaded when one needs it.
        find_weights: Returns its weights; ask for `weights` instead, which keeps them.
        label: Its kind, with its version or file as ``classification_v3``, in names of metrics.
        which: Which model it is, for people to read.
        about: The same, and why it was chosen, for users of the command line.
        version: Its registered version, if it is one of this store's.
        restores: Whether it is a restoration network; its painter recolors by the default model.
        held_out: `Weights.held_out`; empty if nothing is known of it.

    Example:
        >>> model = load_model("unet")
        >>> model.restores, model.weights.size
        (False, 448)
    """

    source: str
    embedding: str
    painter: Painter = field(repr=False)
    find_weights: Callable[[], Weights] = field(repr=False)
    label: str = ""
    which: str = ""
    about: str = ""
    version: ModelVersion | None = field(default=None, repr=False)
    restores: bool = False
    held_out: tuple[str | None, ...] = field(default=(), repr=False)

    def recolor(
        self,
        picture: str | PathLike | Image.Image | np.ndarray,
        *,
        recipe: Recipe | str | PathLike | None = None,
        hints: str | Sequence[str] = (),
        **options: object,
    ) -> Image.Image:
        """Restore and recolor a picture at its own resolution, as `recolor apply` does.

        Args:
            picture: A file's path, a picture, or an array ``uint8 [h, w]``, ``[h, w, 3]`` or
                ``[h, w, 4]``.
            recipe: How, where the options do not say it: a recipe, its file, or a result with a
                recipe inside.
            hints: Colors wanted at points, as ``50%,12%=#c1121f``; ``--hint`` on the command line.
            **options: The other options of `Decoding` by name, as they are typed on the command
                line.

        Returns:
            The picture, RGB.

        Raises:
            ImageError: If the picture can't be used.
            DecodingError: If there is no such option, a value is out of range, or the model does
                not allow it.
            PaletteError, HintError, AssignmentError, RecipeError: If a palette, a hint, a color,
                or a recipe can't be used.

        Example:
            >>> model = load_model("unet")
            >>> picture = model.recolor("poster.jpg", palette="teal,orange:3", strength=0.9)
            >>> picture.mode
            'RGB'
        """
        typed = {**options, "hint": hints or options.get("hint", ())}
        library = self.painter.library or load_library()
        beside = DEFAULT_DECODING
        if recipe is not None:
            recipe = recipe if isinstance(recipe, Recipe) else Recipe.read(recipe, library)
            beside = recipe.decoding(library)
        decoding = decoding_here(typed, library, beside)
        return self.painter.recolor(as_picture(picture), decoding)

    def restore(
        self,
        picture: str | PathLike | Image.Image | np.ndarray,
        amount: float | str | None = None,
    ) -> Image.Image:
        """Undo what time did to a picture, and leave its colors at that; a gray one stays gray.

        Args:
            picture: As for `recolor`.
            amount: The share of the ageing found that is undone, 0 to 1; None for all of it where
                the picture has colors to tell it by and one would see it.

        Returns:
            The picture, RGB.

        Raises:
            ImageError: If the picture can't be used.
            DecodingError: If the amount is out of range.

        Example:
            >>> restored = load_model().restore("poster.jpg", 0.5)
            >>> restored.size
            (200, 300)
        """
        amount = parse_restore(amount) if isinstance(amount, str) else amount
        decoding = Decoding(restore=amount)
        seen = self.painter.see(as_picture(picture), decoding)
        return self.painter.painted(seen, seen.own_palette, decoding)

    @cached_property
    def weights(self) -> Weights:
        """Its weights.

        Raises:
            WeightsError: If they can't be had.
        """
        return self.find_weights()

    def knows_embeddings_of(self, manifest: DatasetInfo) -> bool:
        """Whether a data set has the model's embeddings; the model must compute them otherwise."""
        return self.embedding == manifest.embedding_id

    def may_know(self, manifest: DatasetInfo, split: str) -> bool:
        """Whether the model may have learned from posters of a split: if not known, yes."""
        return split == "train" or set(self.held_out) != {manifest.held_out}


def load_model(source: str | PathLike | None = None, library: Path | None = None) -> Model:
    """Find a model; the store is not touched where none is needed.

    Args:
        source: ``champion``, for that of recoloring, the URI of a registered model, the path of a
            file of weights or of an ONNX file of `recolor export`, or the name of a model kind,
            for its bundled network. None for the champion if it is better than the bundled network
            of `recolor.models.catalog.DEFAULT`, see `comparison`. If it is not, or its files are
            missing, for that network.
        library: A file of color schemes; by default the bundled ones.

    Returns:
        The model. Its color network is loaded when a picture needs it: restoring one does not.

    Raises:
        RegistryError: If there is no such model.
        WeightsError: If there is no such file, or it can't be used.
        OnnxError: If an ONNX file can't be used.
        EmbeddingError: If a file's embedding network can't be had.
        PaletteError: If the library can't be read.

    Example:
        >>> load_model("unet").about
        'the bundled unet network (448 pixels, learned from 16020 posters)'
    """
    schemes = load_library(library)
    found = _found(None if source is None else str(source), schemes)
    if found.restores:
        return found
    return replace(found, painter=replace(found.painter, restorer=load_restorer()))


def _found(source: str | None, schemes: PaletteLibrary) -> Model:
    if source is None:
        return _by_default(schemes)
    if source == CHAMPION:
        from recolor.platform.registry.versions import find_champion, version_uri

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
    from recolor.platform.registry.registration import model_info
    from recolor.platform.registry.versions import current_champion
    from recolor.platform.tracking import store

    store.connect()
    info, task = model_info(source)
    if task is RESTORING:
        return _restoring(source, info, schemes)
    return _registered(source, schemes, current_champion(), info)


def _by_default(schemes: PaletteLibrary) -> Model:
    why = "no champion is registered here"
    if store_exists():
        from recolor.platform.registry.comparison import shortfall
        from recolor.platform.registry.versions import (
            MissingFilesError,
            current_champion,
            missing_champion,
            version_uri,
        )
        from recolor.platform.tracking import store

        store.connect()
        champion = current_champion()
        if champion is None:
            why = missing_champion() or why
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


def _registered(
    uri: str,
    schemes: PaletteLibrary,
    champion: ModelVersion | None,
    info: ModelInfo | None = None,
) -> Model:
    from recolor.platform.registry.registration import load_registered, model_info, version_of

    info = info or model_info(uri)[0]
    known = info.metadata
    kind = known["model"]
    said, label, found = [kind], kind, f"the model {uri}"
    version, number = version_of(info.model_id, RECOLORING), None
    if version:
        number = str(version.version)
        label, found = f"{kind}_v{number}", _named(RECOLORING, number)
        if champion is not None and str(champion.version) == number:
            said = [f"champion; {kind}"]
    said += facts(known["size"], known.get("training_posters"))
    which = f"{found} ({', '.join(said)})"
    return Model(
        uri,
        known["embedding"],
        _lazily(
            lambda: load_registered(uri).unwrap_python_model().painter.network,
            lambda: Identity(kind, number, find_weights(uri).digest),
            schemes,
        ),
        lambda: find_weights(uri),
        label,
        which,
        which,
        version,
        held_out=_held_out(known),
    )


def _restoring(uri: str, info: ModelInfo, schemes: PaletteLibrary) -> Model:
    """Make a model of a registered restoration network."""
    from recolor.platform.registry.registration import version_of
    from recolor.platform.registry.versions import current_champion

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
    return Model(
        uri,
        NONE.name,
        _with_default_colors(restorer, schemes),
        lambda: find_weights(uri),
        label,
        which,
        which,
        version,
        restores=True,
        held_out=_held_out(info.metadata),
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


def _of_weights(source: str, weights: Weights, schemes: PaletteLibrary) -> Model:
    posters = weights.origin.get("training_posters")
    if weights.restores:
        # Of posters of any size, it looks at a thumbnail.
        said = learned_from(posters)
        about = Restorer.about if source in MODELS else f"the network of {source}"
        painter = _with_default_colors(Restorer(weights.tensors, about), schemes)
    else:
        said = facts(weights.size, posters)
        _check_embedding(source, weights)
        painter = _lazily(
            lambda: _network(source, weights),
            lambda: Identity(weights.model, None, weights.digest),
            schemes,
        )
    if source in MODELS:
        known = f" ({', '.join(said)})" if said else ""
        label, which = source, f"the bundled {source} network{known}"
    else:
        label = f"{weights.model}_{Path(source).stem}"
        which = f"{source} ({', '.join([weights.model, *said])})"
    return Model(
        source,
        weights.embedding,
        painter,
        lambda: weights,
        label,
        which,
        which,
        restores=weights.restores,
        held_out=weights.held_out,
    )


def _lazily(
    load: Callable[[], Network], identify: Callable[[], Identity], schemes: PaletteLibrary
) -> Painter:
    """Make a painter that loads its color network once, when a picture needs it."""
    return Painter(cache(load), Restorer.bundled(), schemes, cache(identify))


def _with_default_colors(restorer: Restorer, schemes: PaletteLibrary) -> Painter:
    """Make a painter that restores, and recolors by the default model where that is asked for."""
    default = cache(lambda: _by_default(schemes).painter)
    return Painter(lambda: default().network, restorer, schemes, lambda: default().identify())


def embedding_network(source: str, weights: Weights) -> keras.Model | None:
    """Return the embedding network that belongs to weights; None for zeros.

    Raises:
        EmbeddingError: If it can't be had.
    """
    _check_embedding(source, weights)
    return EMBEDDINGS[weights.embedding].network(weights.size)


def _check_embedding(source: str, weights: Weights) -> None:
    if weights.embedding not in EMBEDDINGS:
        raise EmbeddingError(
            f"{source} was trained with an embedding of a file of its own, which only the "
            "registered model holds"
        )


def _of_onnx(source: str, schemes: PaletteLibrary) -> Model:
    painter, known = load_onnx(Path(source), schemes)
    kind = painter.network.kind
    # The file holds nothing else by which to tell its weights from others.
    digest = cache(lambda: hashlib.sha256(Path(source).read_bytes()).hexdigest())
    painter = replace(painter, identify=lambda: Identity(kind, None, digest()))

    def without_weights() -> Weights:
        raise WeightsError(f"{source} is an ONNX file: name the model that it was made of")

    which = f"{source} ({known['facts']})"
    return Model(
        source,
        known["embedding"],
        painter,
        without_weights,
        f"{kind}_{Path(source).stem}",
        which,
        which,
        held_out=_held_out(known),
    )


def _network(source: str, weights: Weights) -> Network:
    import keras

    from recolor.models.recolorer import Recolorer

    embedding = embedding_network(source, weights)
    if keras.backend.backend() != "tensorflow":
        return Recolorer(weights, embedding).painter().network
    from recolor.platform.serving.saved_model import RecoloringGraph

    return RecoloringGraph(weights, embedding).painter().network
