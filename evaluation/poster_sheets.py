"""Sheets of a data set's posters: gray, as they were predicted, and as they are.

They are drawn after every preparation, too, so TensorFlow is not imported for them.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
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
        answers = [np.zeros_like(poster["ab"])]
        answers += [predict(poster).ab for predict in predictors.values()]
        answers.append(poster["ab"])
        inside = Box(*poster["box"]).slices
        lightness = poster["lightness"][inside][..., 0]
        rows.append([Image.fromarray(lab8_to_rgb(lightness, ab[inside])) for ab in answers])
    return contact_sheet(rows, ["gray", *predictors, "true"], columns=2)


def preview_sheet(manifest: Manifest, split: str) -> Image.Image:
    """Draw the split's first posters: what the network sees, and what it is to predict."""
    return comparison_sheet(manifest, split, {})
