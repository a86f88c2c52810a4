"""How many posters a restoration makes worse."""

from recolor.evaluation.metrics.metric import PosterMean
from recolor.evaluation.metrics.observation import Observation

# In CIEDE2000. A smaller difference is hardly seen.
NOTABLE = 1.0


class Harmed(PosterMean):
    """Percentage of posters that are worse than if they were left alone.

    Their mean CIEDE2000 is more than 1 above that of the poster that was given. Defined only where
    a colored poster was given, aged or not.
    """

    name = "harmed"
    label = "posters made worse, %"

    def value(self, poster: Observation) -> float | None:
        """Return 100 where the poster became worse, else 0."""
        if poster.given is None:
            return None
        return 100.0 * bool(poster.delta_e.mean() > poster.given.delta_e + NOTABLE)
