"""What a model kind is: all that the platform must know of a kind of network.

A new kind is a subclass in a file of its own and a line in `recolor.models.catalog`. Only the
paper's experiment and `catalog.BUNDLED` know kinds by name.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType

import keras
import numpy as np

from recolor.datasets.classes import ColorClasses
from recolor.datasets.errors import RecolorError
from recolor.datasets.posters import stored_inputs
from recolor.models.catalog import EMBEDDING_SIZE, RECOLOR


class ModelKindError(RecolorError):
    """A model kind does not keep to what `ModelKind` asks of it."""


class ModelKind(ABC):
    """A kind of network, for the color classes and the embedding of a data set.

    Attributes:
        name: As users type it, and as models are tagged.
        task: What it is for: `catalog.RECOLOR` or `catalog.RESTORE`.
        epochs, batch_size: Defaults of its training.
        size_multiple: The sides of its squares are multiples of this, in pixels.
        takes_embedding: Whether its networks look at the embedding; if not, `inputs` leaves it out.
        takes_palette: Whether it is a `DistributionKind`, which can be told a palette and hints.
        variants: By name, the attributes that differ in a variant. The kind ``unet+frozen`` is the
            variant ``frozen`` of ``unet``; several may be joined.
        classes: The data set's color classes; None where only the structure of a network is wanted
            that does not depend on them.
        embedding_size: Length of the data set's embedding.
    """

    name: str
    task = RECOLOR
    epochs: int
    batch_size: int
    size_multiple = 8
    takes_palette = False
    takes_embedding = True
    variants: Mapping[str, Mapping[str, object]] = MappingProxyType({})

    @classmethod
    def variant(cls, *names: str) -> "type[ModelKind]":
        """Return a variant, or several in one; of what they share, the last one decides."""
        different = {"name": "+".join([cls.name, *names])}
        for name in names:
            different |= cls.variants[name]
        return type(cls)(cls.__name__, (cls,), different)

    @classmethod
    def attributes(cls) -> dict[str, bool | int | float | str]:
        """Return the plain values, inherited ones included, in which kinds and variants differ."""
        public = {name: getattr(cls, name) for name in dir(cls) if not name.startswith("_")}
        plain = (bool, int, float, str)
        return {name: value for name, value in public.items() if isinstance(value, plain)}

    def __init__(self, classes: ColorClasses | None = None, embedding_size: int = EMBEDDING_SIZE):
        self.classes = classes
        self.embedding_size = embedding_size

    @abstractmethod
    def build(self, size: int | None) -> keras.Model:
        """Build a network for squares of ``size`` pixels, with random weights.

        None stands for pictures of any shape: for training with the augmentation ``portrait``.

        Its inputs are what `inputs` returns. Its outputs are ``float32 [batch, S / k, S / k, m]``
        with an integer k.

        Give every layer that has weights a name: the weights are kept by it, and the names that
        Keras makes up depend on what else was built before. The weights may not depend on the size:
        the network is also called for squares of other sizes. `check_weights` checks both.
        """

    @abstractmethod
    def loss(self, ab, outputs):
        """Return the loss of each image, ``float32 [batch]``, in `keras.ops`.

        Args:
            ab: True colors, integers in [-128, 127], ``[batch, S, S, 2]``.
            outputs: The network's.
        """

    @abstractmethod
    def decode(self, outputs, temperature):
        """Return colors at the square's resolution: ab ``float32 [batch, k h, k w, 2]``.

        In `keras.ops`.

        Args:
            outputs: The network's, or a rectangle cut out of them, ``[batch, h, w, m]``.
            temperature: T of the annealed mean (eq. 4), where there is one.
        """

    def inputs(self, poster: Mapping) -> tuple:
        """Return what the network takes of one poster, in the order of its inputs.

        By default, its lightness, and its embedding where `takes_embedding` is true.

        Args:
            poster: NumPy arrays in training, tensors where a picture is recolored, without a batch
                axis: ``lightness``, ``uint8 [S, S, 1]``; ``embedding``, ``float32 [n]``; ``box``,
                integers ``[4]``: top, left, height, width. Where a picture is recolored,
                ``source`` is its ab, ``int8 [S, S, 2]``, zeros if it is gray.
        """
        inputs = stored_inputs(poster)
        return inputs if self.takes_embedding else inputs[:1]

    def example(
        self, poster: Mapping, generator: np.random.Generator
    ) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """Return what the network takes of a poster in training, and its target.

        Args:
            poster: NumPy arrays, as of `recolor.datasets.shards.parse`, already augmented.
            generator: What everything random is drawn from; a poster of validation always gets
                the same one.
        """
        return self.inputs(poster), poster["ab"]

    def initialize(self, network: keras.Model) -> None:  # noqa: B027 - most kinds need not
        """Give a new network weights to begin a training with, where they are not all random.

        This is the place to load a pretrained encoder. It is not called for a training that is
        resumed, or begins with other initial weights.
        """

    def check_weights(self, network: keras.Model) -> None:
        """Check that another network of this kind, for squares of another size, fits its weights.

        Args:
            network: What `build` has returned.

        Raises:
            ModelKindError: If a layer with weights has no name, or its weights depend on the size.
        """
        size = 3 * self.size_multiple
        other = type(self)(self.classes, self.embedding_size).build(size)
        shapes = {variable.path: tuple(variable.shape) for variable in other.weights}
        for variable in network.weights:
            if variable.path not in shapes:
                raise ModelKindError(
                    f"{variable.path} of a {self.name} network has another name in each network: "
                    "give its layer a name"
                )
            if shapes[variable.path] != tuple(variable.shape):
                raise ModelKindError(
                    f"{variable.path} of a {self.name} network has another shape for squares of "
                    f"{size} pixels: weights may not depend on the size"
                )

    def learning_rate_scale(self, path: str) -> float:
        """Return by what the learning rate is multiplied for a variable.

        A layer that is not to learn at all has ``trainable=False``.

        Args:
            path: The variable's path, as ``encoder_1/kernel``.
        """
        return 1.0

    def adapted(
        self, tensors: Mapping[str, np.ndarray], classes: ColorClasses
    ) -> Mapping[str, np.ndarray]:
        """Make tensors of a network with other color classes fit this one's.

        Args:
            tensors: By their variables' paths.
            classes: The other network's classes.
        """
        return tensors


class DistributionKind(ModelKind):
    """A kind that answers with a distribution over the color classes at every pixel.

    Its outputs serve as features, too: hints compare them by their angle, and those for two sizes
    of a square are averaged.

    Attributes:
        scheme_rebalancing: Exponent of the rebalancing weights (eq. 3) by which its distribution is
            multiplied before color schemes are ranked by it. The true distribution of a gray
            picture's colors is mostly grays and browns, and so would be the schemes. 0 for kinds
            that were trained with these weights.
    """

    takes_palette = True
    scheme_rebalancing = 0.0

    @abstractmethod
    def logits(self, outputs, chosen=None):
        """Return the logits ``float32 [..., n]`` of outputs ``[..., m]``.

        Args:
            outputs: The network's, at some pixels.
            chosen: The numbers of the n classes that are wanted; by default all.
        """

    @abstractmethod
    def decode(self, outputs, temperature, offsets=0.0, colors=None, chosen=None):
        """Return colors by the annealed mean: ab ``float32 [batch, k h, k w, 2]``.

        Args:
            outputs: The network's, or a rectangle cut out of them, ``[batch, h, w, m]``.
            temperature: T of eq. 4.
            offsets: Added to the logits, ``float32 [n]``, as `palette_offsets` finds them for a
                palette; by default none.
            colors: (a, b) of each class, ``[n, 2]``; by default the centers.
            chosen: The numbers of the n classes to choose from; by default all.
        """
