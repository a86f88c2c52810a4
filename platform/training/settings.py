"""How to train: the options, declared once, for the command line and for Python.

Nothing heavy is imported: Keras is needed only to ask a model kind for its defaults.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from recolor.datasets.augmentation.catalog import names_of
from recolor.datasets.errors import RecolorError
from recolor.models.catalog import DEFAULT, MODELS, RESTORE
from recolor.models.decoding.options import Decoding
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.models.option import STRICT, OneOf, one_line_errors

if TYPE_CHECKING:
    # NumPy would slow down `recolor --help`.
    from recolor.datasets.dataset_info import DatasetInfo


class TrainingError(RecolorError):
    """A training can't begin or be resumed."""


class DivergenceError(TrainingError):
    """A loss is no longer finite."""


def _recipe(text: str) -> str:
    names_of(text)
    return text


@one_line_errors(TrainingError)
@dataclass(frozen=True, config=STRICT)
class Settings:
    """What a training depends on, beside its data. The defaults are the paper's.

    Attributes:
        model: Name of a model kind in `recolor.models.catalog.MODELS`.
        epochs: Passes over the training split; None for the model kind's default.
        batch_size: Posters in a step, on all devices together; None for the model kind's default.
        learning_rate: Adam's, at the start.
        schedule: How it falls: ``plateau`` halves it whenever the training loss has not fallen for
            10 epochs, as in the paper; ``cosine`` follows half a cosine to nearly zero in the last
            epoch.
        augment: How training posters are changed at random, a recipe of
            `recolor.datasets.augmentation.catalog.names_of`.
        seed: Seed of the initial weights, the order of posters and the augmentation.
        precision: What the layers compute in; weights, losses and the annealed mean are always
            float32.
        jit: Whether to compile the step; None to do so where it is known to help.
        accumulate: Number of steps whose gradients are averaged before the weights change.
        clip: Largest norm of all gradients together, to which longer ones are scaled down; None to
            leave them as they are.
        warmup: Number of the first epochs in which the learning rate rises linearly, step by step,
            from zero to what the schedule has it at.
        weight_decay: Decoupled weight decay, as in AdamW: in each step a kernel is multiplied by
            1 - its learning rate x this; None for none.
        ema: Momentum of an exponential moving average of the weights, which is validated and kept
            as the model; None for none.
        initial_weights: File, URI or model kind whose weights to begin with; None for those that
            the model kind begins with.
        force_initial: Whether these may be of a data set with other splits, or of an unknown one.
        train_fraction: Share of the training posters that are used: always the same ones, and at
            least one.

    Raises:
        TrainingError, AugmentationError: If a value is out of range.

    Example:
        >>> Settings("regression", learning_rate=2e-4).schedule
        'plateau'
    """

    model: Annotated[str, OneOf(MODELS)] = Field(
        DEFAULT, description="Kind of network; the U-Net has variants, as unet+half."
    )
    epochs: int | None = Field(
        None,
        ge=1,
        description="Passes over the training posters.  [default: the kind of network's own]",
    )
    batch_size: int | None = Field(
        None, ge=1, description="Posters in a step.  [default: the kind of network's own]"
    )
    learning_rate: float = Field(1e-4, gt=0, description="Of Adam, at the start.")
    schedule: Literal["plateau", "cosine"] = Field(
        "plateau",
        description="plateau halves the learning rate after 10 epochs without a lower loss; cosine "
        "lowers it in every epoch.",
    )
    augment: Annotated[str, AfterValidator(_recipe)] = Field(
        "none",
        title="RECIPE",
        description="How to change posters at random: names joined as mirror+crop+gamma, for which "
        "crop stands alone, too; full mirrors, turns and zooms.",
    )
    seed: int = Field(
        0, ge=0, le=2**32 - 1, description="Of initial weights, order and augmentation."
    )
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = Field(
        "float32", description="What layers compute in; weights and losses are float32."
    )
    jit: bool | None = Field(
        None, description="Compile the step.  [default: where it is known to help]"
    )
    accumulate: int = Field(
        1, ge=1, title="STEPS", description="Average the gradients of this many steps."
    )
    clip: float | None = Field(
        None,
        gt=0,
        title="NORM",
        description="Scale gradients down to this norm where theirs is larger.",
    )
    warmup: int = Field(
        0,
        ge=0,
        title="EPOCHS",
        description="Raise the learning rate linearly from zero over the first epochs.",
    )
    weight_decay: float | None = Field(
        None,
        gt=0,
        title="DECAY",
        description="Decoupled weight decay, as in AdamW: each step multiplies kernels by "
        "1 - learning rate x DECAY.",
    )
    ema: float | None = Field(
        None,
        gt=0,
        le=0.99999,
        title="MOMENTUM",
        description="Validate and keep an exponential moving average of the weights; the training "
        "continues with the weights themselves.",
    )
    initial_weights: str | None = Field(
        None,
        title="champion|FILE|URI|KIND",
        description="Begin with these weights, for example of a training on smaller pictures, or "
        "with the bundled ones.",
    )
    force_initial: bool = Field(
        False, description="Even if the initial weights learned from a data set with other splits."
    )
    train_fraction: float = Field(
        1.0, gt=0, le=1, description="Share of the training posters to use, always the same ones."
    )

    def complete(self) -> Settings:
        """Fill in the model kind's defaults where the number of epochs or the batch size is None.

        Keras is imported for it.

        Raises:
            TrainingError: If the warmup takes more epochs than there are.
        """
        kind = MODELS[self.model]
        epochs = self.epochs or kind.epochs
        if self.warmup > epochs:
            raise TrainingError(f"a warmup of {self.warmup} epochs does not fit into {epochs}")
        return replace(self, epochs=epochs, batch_size=self.batch_size or kind.batch_size)

    @property
    def in_words(self) -> str:
        """The model kind, and what is not the default: ``regression, epochs 15``."""
        usual = Settings(self.model).complete()
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        changed = [
            f"{name} {one:.3g}" if isinstance(one, float) else f"{name} {one}"
            for name, one in values.items()
            if one != getattr(usual, name)
        ]
        return ", ".join([self.model, *changed])

    def check_continues(self, began: Settings, what: str) -> None:
        """Check that a training that began with other settings may continue with these.

        Args:
            began: The first settings.
            what: Names the training in the message.

        Raises:
            TrainingError: If more differs than the number of epochs; or if that differs, and the
                learning rate was planned by it.
        """
        if self.epochs != began.epochs and began.schedule == "cosine":
            raise TrainingError(f"{what} ends after {began.epochs} epochs by its cosine schedule")
        if replace(began, epochs=self.epochs) != self:
            raise TrainingError(f"{what} began with other settings: only `epochs` may change")


def check_decoding(model: str, decoding: Decoding) -> None:
    """Check that only a network that colors is given a decoding of its own.

    Args:
        model: The model kind; Keras is imported for it if there is anything to check.
        decoding: What is asked for.

    Raises:
        TrainingError: If a restoration network is given one.
    """
    asked = [one.name for one in fields(OwnDecoding) if getattr(decoding, one.name) is not None]
    if asked and MODELS[model].task == RESTORE:
        raise TrainingError(f"a {model} network decodes no colors: leave out `{asked[0]}`")


def data_options(manifest: DatasetInfo) -> list[str]:
    """Return the words that stand for a data set on a command line: ``--data`` and each place."""
    return [word for part in manifest.parts for word in ("--data", str(part))]
