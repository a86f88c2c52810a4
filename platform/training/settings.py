"""How to train: the options, declared once, for the command line and for Python.

Nothing heavy is imported: Keras is needed only to ask a model kind for its defaults.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, field, fields, replace

from recolor.datasets.augmentation.catalog import names_of
from recolor.datasets.catalog import names_near
from recolor.datasets.errors import RecolorError
from recolor.models.catalog import MODELS, RESTORE
from recolor.models.decoding.options import Decoding
from recolor.models.decoding.own_decoding import OwnDecoding

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
SCHEDULES = ("plateau", "cosine")


class TrainingError(RecolorError):
    """A training can't begin or be resumed."""


class DivergenceError(TrainingError):
    """A loss is no longer finite."""


def _option(default, help: str, **about):
    """Declare an option.

    Args:
        default: Its default; None for one that is only known later, MISSING for none at all.
        help: What `--help` says.
        about: What values it takes: ``integers``, the lowest and the highest, or None for no limit;
            ``above``, a number that it must exceed, and ``most``, the largest number; ``choices``,
            their names; ``check``, a function that raises a `RecolorError`; ``flag``, True for a
            yes or no. ``metavar`` is how `--help` calls a value.
    """
    return field(default=default, metadata={"help": help, **about})


@dataclass(frozen=True)
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

    model: str = _option(
        MISSING, "Kind of network; the U-Net has variants, as unet+half.", choices=MODELS
    )
    epochs: int | None = _option(
        None,
        "Passes over the training posters.  [default: the kind of network's own]",
        integers=(1, None),
    )
    batch_size: int | None = _option(
        None,
        "Posters in a step.  [default: the kind of network's own]",
        integers=(1, None),
    )
    learning_rate: float = _option(1e-4, "Of Adam, at the start.", above=0)
    schedule: str = _option(
        "plateau",
        "plateau halves the learning rate after 10 epochs without a lower loss; cosine lowers it "
        "in every epoch.",
        choices=SCHEDULES,
    )
    augment: str = _option(
        "none",
        "How to change posters at random: names joined as mirror+crop+gamma, for which crop stands "
        "alone, too; full mirrors, turns and zooms.",
        check=names_of,
        metavar="RECIPE",
    )
    seed: int = _option(0, "Of initial weights, order and augmentation.", integers=(0, 2**32 - 1))
    precision: str = _option(
        "float32", "What layers compute in; weights and losses are float32.", choices=PRECISIONS
    )
    jit: bool | None = _option(
        None, "Compile the step.  [default: where it is known to help]", flag=True
    )
    accumulate: int = _option(
        1, "Average the gradients of this many steps.", integers=(1, None), metavar="STEPS"
    )
    clip: float | None = _option(
        None, "Scale gradients down to this norm where theirs is larger.", above=0, metavar="NORM"
    )
    warmup: int = _option(
        0,
        "Raise the learning rate linearly from zero over the first epochs.",
        integers=(0, None),
        metavar="EPOCHS",
    )
    weight_decay: float | None = _option(
        None,
        "Decoupled weight decay, as in AdamW: each step multiplies kernels by 1 - learning rate x "
        "DECAY.",
        above=0,
        metavar="DECAY",
    )
    ema: float | None = _option(
        None,
        "Validate and keep an exponential moving average of the weights; the training continues "
        "with the weights themselves.",
        above=0,
        most=0.99999,
        metavar="MOMENTUM",
    )
    initial_weights: str | None = _option(
        None,
        "Begin with these weights, for example of a training on smaller pictures, or with the "
        "bundled ones.",
        metavar="champion|FILE|URI|KIND",
    )
    force_initial: bool = _option(
        False, "Even if the initial weights learned from a data set with other splits.", flag=True
    )
    train_fraction: float = _option(
        1.0, "Share of the training posters to use, always the same ones.", above=0, most=1
    )

    def __post_init__(self):
        for option in fields(self):
            value = getattr(self, option.name)
            if value is not None or option.default is not None:
                _check(option.name, value, option.metadata)

    @classmethod
    def of_saved(cls, saved: dict) -> Settings:
        """Make settings of what a training has kept.

        Raises:
            TrainingError: If there is an option that this version does not know, or a value that it
                does not take.
        """
        try:
            return cls(**saved)
        except TypeError:
            raise TrainingError("the training's settings are another version's") from None

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


def _check(name: str, value, about) -> None:
    if "choices" in about:
        names = about["choices"]
        if value not in names:
            near = ", ".join(names_near(names, str(value)))
            raise TrainingError(f"{name} must be one of {near}, not {value}")
        return
    kinds, what = _types(about)
    # In Python, True is an integer too.
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
        raise TrainingError(f"{name} must be {what}, not {value!r}")
    if "integers" in about:
        low, high = about["integers"]
        if value < low or (high is not None and value > high):
            limits = f"at least {low}" if high is None else f"between {low} and {high}"
            raise TrainingError(f"{name} must be {limits}, not {value}")
    if "above" in about:
        low, high = about["above"], about.get("most", math.inf)
        if not (math.isfinite(value) and low < value <= high):
            limits = f"above {low}" if high == math.inf else f"above {low} and at most {high}"
            raise TrainingError(f"{name} must be a number {limits}, not {value}")
    if "check" in about:
        about["check"](value)


def _types(about) -> tuple:
    """Return the types of an option's values, and the words for them."""
    if "integers" in about:
        return int, "a whole number"
    if "above" in about:
        return (int, float), "a number"
    return (bool, "true or false") if about.get("flag") else (str, "a text")
