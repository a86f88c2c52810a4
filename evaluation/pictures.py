"""Stored posters as colored pictures that are given to models: to be restored, or recolored.

Posters in other colors show which pixels belong together, but not which color they had. A model
that is told the poster's palette as well should answer with the poster itself.
"""

from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image

from recolor.datasets.ageing import aged
from recolor.datasets.color import lab8_to_rgb, rgb_to_lab8
from recolor.datasets.color_maps import ColorMap
from recolor.datasets.input_pipeline import fixed_generator
from recolor.datasets.posters import Box
from recolor.evaluation.metrics.observation import Answer, Colors, MeasurementError, Predictor

# What a picture is: the poster artificially aged, as it is, or in other colors.
AGED, UNAGED, OTHER_COLORS = "aged", "unaged", "source"
# With a poster's sha256, they decide how it ages and what its other colors are: alike for all
# models and in all runs.
AGEING_SEED, MAP_SEED = 1, 2


class Pictures:
    """Colored pictures of stored posters, which depend on the poster alone.

    All models and baselines that share this object are given the same pictures, made once.
    """

    def __init__(self):
        self._poster: Mapping[str, np.ndarray] | None = None
        self._made: dict[str, tuple[Image.Image, Colors]] = {}

    def of(self, poster: Mapping[str, np.ndarray], what: str) -> tuple[Image.Image, Colors]:
        """Return a picture of a poster, without padding, and its colors to be measured.

        Args:
            poster: As of `recolor.datasets.shards.parse`.
            what: `AGED`, `UNAGED` or `OTHER_COLORS`.
        """
        if poster is not self._poster:
            self._poster, self._made = poster, {}
        if what not in self._made:
            inside = Box.of(poster).slices
            lightness, ab = poster["lightness"][inside][..., 0], poster["ab"][inside]
            if what == OTHER_COLORS:
                ab = ColorMap.drawn(fixed_generator(poster, MAP_SEED)).applied(lightness, ab)
            rgb = lab8_to_rgb(lightness, ab)
            if what == AGED:
                rgb = aged(rgb, fixed_generator(poster, AGEING_SEED))
            # What the picture has, after its rounding, is what is measured.
            colors = Colors(*in_square(rgb, poster), Box.of(poster), what)
            self._made[what] = Image.fromarray(rgb), colors
        return self._made[what]

    def restored(self, restore: Callable[[Image.Image], Image.Image], age: str) -> Predictor:
        """Return a predictor that restores posters.

        Args:
            restore: Takes an RGB picture, and returns one of the same size.
            age: `AGED` or `UNAGED`.

        Raises:
            MeasurementError: When the predictor is called, if ``restore`` raises it.
        """

        def predict(poster: Mapping[str, np.ndarray]) -> Answer:
            picture, given = self.of(poster, age)
            try:
                rgb = np.asarray(restore(picture))
            except MeasurementError as error:
                raise MeasurementError(f"poster {poster['sha256']}: {error}") from None
            lightness, ab = in_square(rgb, poster)
            return Answer(ab, lightness=lightness, given=given)

        return predict


def in_square(rgb: np.ndarray, poster: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Put a picture in a poster's place: stored L ``uint8 [S, S]`` and ab ``int8 [S, S, 2]``."""
    lightness, ab = poster["lightness"][..., 0].copy(), np.zeros_like(poster["ab"])
    inside = Box.of(poster).slices
    lightness[inside], ab[inside] = rgb_to_lab8(rgb)
    return lightness, ab
