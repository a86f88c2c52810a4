"""Posters in other colors, to be given their own back.

Such a source shows which pixels belong together, but not which color they had. A model that is told
the poster's palette as well should answer with the poster itself.
"""

import numpy as np
from PIL import Image

from recolor.datasets.color import lab8_to_rgb, rgb_to_lab8
from recolor.datasets.color_maps import ColorMap
from recolor.datasets.input_pipeline import fixed_generator
from recolor.datasets.posters import Box
from recolor.evaluation.metrics.observation import Source

# With a poster's sha256, it decides the map: alike for all models and in all runs.
MAP_SEED = 2


class Sources:
    """Stored posters under a random map of their colors, which depends on the poster alone.

    All models and baselines that share one are given the same pictures, which are made once.
    """

    def __init__(self):
        self._poster: dict[str, np.ndarray] | None = None
        self._made: tuple[Image.Image, Source] | None = None

    def of(self, poster: dict[str, np.ndarray]) -> tuple[Image.Image, Source]:
        """Return a poster's source, without padding, and the same to be measured.

        Args:
            poster: As of `recolor.datasets.shards.parse`.
        """
        if poster is not self._poster:
            box = Box(*poster["box"])
            lightness, ab = poster["lightness"][..., 0].copy(), np.zeros_like(poster["ab"])
            light, true = lightness[box.slices], poster["ab"][box.slices]
            mapped = ColorMap.drawn(fixed_generator(poster, MAP_SEED)).applied(light, true)
            rgb = lab8_to_rgb(light, mapped)
            # What the picture has, after its rounding, is what is measured.
            lightness[box.slices], ab[box.slices] = rgb_to_lab8(rgb)
            self._made = Image.fromarray(rgb), Source(lightness, ab, box)
            self._poster = poster
        return self._made
