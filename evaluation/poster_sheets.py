"""Sheets of a data set's posters: gray, as they were predicted, and as they are.

They are drawn after every preparation, too, so TensorFlow is not imported for them.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from PIL import Image

from recolor.datasets.color import lab8_to_rgb
from recolor.datasets.input_pipeline import Posters
from recolor.datasets.manifest import Manifest
from recolor.datasets.posters import Box
from recolor.evaluation.sheets import contact_sheet

if TYPE_CHECKING:
    from recolor.evaluation.told import Predictor

SHEET_POSTERS = 12


def comparison_sheet(
    manifest: Manifest, split: str, predictors: dict[str, Predictor]
) -> Image.Image:
    """Draw the split's first posters: gray, each prediction, and the truth.

    Raises:
        DatasetError: If the split is empty.
    """
    rows = []
    for poster in itertools.islice(Posters(manifest, split), SHEET_POSTERS):
        true = poster["lightness"][..., 0], poster["ab"]
        answers = [predict(poster) for predict in predictors.values()]
        # What was given: a gray poster, or an aged one.
        given = next((one.given for one in answers if one.given), (true[0], 0 * true[1]))
        shown = [(true[0] if one.lightness is None else one.lightness, one.ab) for one in answers]
        inside = Box(*poster["box"]).slices
        rows.append(
            [
                Image.fromarray(lab8_to_rgb(lightness[inside], ab[inside]))
                for lightness, ab in (given, *shown, true)
            ]
        )
    return contact_sheet(rows, ["given", *predictors, "true"], columns=2)


def preview_sheet(manifest: Manifest, split: str) -> Image.Image:
    """Draw the split's first posters: what the network sees, and what it is to predict."""
    return comparison_sheet(manifest, split, {})
