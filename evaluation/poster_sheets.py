"""Sheets of a data set's posters: gray, as they were predicted, and as they are.

They are drawn after every preparation, too, so TensorFlow is not imported for them.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from recolor.datasets.color import lab8_to_rgb
from recolor.datasets.data_set import DataSet
from recolor.datasets.input_pipeline import Posters
from recolor.datasets.posters import Box
from recolor.evaluation.sheets import contact_sheet

if TYPE_CHECKING:
    from recolor.evaluation.told import Predictor

SHEET_POSTERS = 12


def comparison_sheet(
    manifest: DataSet, split: str, predictors: dict[str, Predictor]
) -> Image.Image:
    """Draw the split's first posters: what was given, each prediction, and the truth.

    Raises:
        DatasetError: If the split is empty.
    """
    rows = []
    for poster in itertools.islice(Posters(manifest, split), SHEET_POSTERS):
        answers = [predict(poster) for predict in predictors.values()]
        sources = {
            one.given.age: Image.fromarray(one.given.colors.rgb)
            for one in answers
            if one.given is not None
        }
        for one in answers:
            if one.source is not None:
                sources["source"] = Image.fromarray(one.source.colors.rgb)
        if not answers or any(one.given is None and one.source is None for one in answers):
            sources = {"gray": _drawn(poster, 0 * poster["ab"]), **sources}
        predicted = [_drawn(poster, one.ab, one.lightness) for one in answers]
        rows.append([*sources.values(), *predicted, _drawn(poster, poster["ab"])])
    return contact_sheet(rows, [*sources, *predictors, "true"], columns=2)


def _drawn(
    poster: dict[str, np.ndarray], ab: np.ndarray, lightness: np.ndarray | None = None
) -> Image.Image:
    """Draw a poster in other colors, and with another lightness if one is given."""
    inside = Box(*poster["box"]).slices
    lightness = poster["lightness"][..., 0] if lightness is None else lightness
    return Image.fromarray(lab8_to_rgb(lightness[inside], ab[inside]))


def preview_sheet(manifest: DataSet, split: str) -> Image.Image:
    """Draw the split's first posters: what the network sees, and what it is to predict."""
    return comparison_sheet(manifest, split, {})
