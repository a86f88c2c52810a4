"""How well an answer keeps to the palette that was asked for."""

from recolor.datasets.palettes.palette import Palette
from recolor.evaluation.metrics.metric import PosterMean
from recolor.evaluation.metrics.observation import Observation


class PaletteDistance(PosterMean):
    """Distance of the palette that was obtained from the one that was asked for, in ab."""

    name = "palette_distance"
    label = "distance from the palette asked for, in ab"

    def value(self, poster: Observation) -> float | None:
        """Return the distance, see `Palette.distance`; None where no palette was asked for."""
        if poster.asked is None:
            return None
        obtained = Palette.of_pixels(
            poster.predicted.lightness, poster.predicted.inside, "obtained"
        )
        return poster.asked.distance(obtained)
