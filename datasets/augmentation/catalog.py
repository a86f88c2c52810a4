"""The augmentations by name. A new one is a function and a line here.

An augmentation is a function of a poster (the arrays of `shards.parse`) and a random generator, and
returns the poster with other ``lightness`` and ``ab``, of the same types; all posters must get the
same shape. What it is given it leaves unchanged. It must take its randomness from the generator
alone, so that a resumed training sees what an uninterrupted one would have seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from recolor.datasets.catalog import Catalog
from recolor.datasets.errors import RecolorError

if TYPE_CHECKING:
    import numpy as np

    Augmentation = Callable[[dict[str, np.ndarray], np.random.Generator], dict[str, np.ndarray]]

# The one that makes rectangles of squares.
PORTRAIT = "portrait"
AUGMENTATIONS: Catalog[Augmentation] = Catalog(
    {
        "mirror": "recolor.datasets.augmentation.changes:mirror",
        "crop": "recolor.datasets.augmentation.changes:crop",
        "gamma": "recolor.datasets.augmentation.changes:gamma",
        "full": "recolor.datasets.augmentation.changes:full",
        PORTRAIT: "recolor.datasets.augmentation.changes:portrait",
    }
)
# Recipes with a name of their own: alone, "crop" is more than cropping.
NAMED = {"none": (), "crop": ("mirror", "crop", "gamma")}


class AugmentationError(RecolorError):
    """There is no such augmentation."""


def names_of(recipe: str) -> tuple[str, ...]:
    """Return the names of a recipe's augmentations, in the order in which they are done.

    Raises:
        AugmentationError: If a name is unknown.

    Example:
        >>> names_of("mirror+gamma"), names_of("crop"), names_of("none")
        (('mirror', 'gamma'), ('mirror', 'crop', 'gamma'), ())
    """
    if recipe in NAMED:
        return NAMED[recipe]
    names = tuple(recipe.split("+"))
    for name in names:
        if name not in AUGMENTATIONS:
            raise AugmentationError(
                f"augmentation {recipe!r}: {name!r} is not one of {', '.join(AUGMENTATIONS)}; "
                "join them as mirror+crop+gamma, or give none"
            )
    return names


def augmentation(recipe: str) -> Augmentation:
    """Return the augmentation that does one after another what a recipe names.

    Args:
        recipe: Names in `AUGMENTATIONS`, joined by ``+``; ``none`` for nothing; or ``crop`` alone,
            which is ``mirror+crop+gamma``.

    Raises:
        AugmentationError: If a name is unknown.
    """
    steps = [AUGMENTATIONS[name] for name in names_of(recipe)]

    def augment(poster, generator):
        for step in steps:
            poster = step(poster, generator)
        return poster

    return augment
