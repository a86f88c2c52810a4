"""How many posters a restoration makes worse."""

import numpy as np

from recolor.evaluation.metrics.metric import PosterMean
from recolor.evaluation.metrics.observation import Observation

# In CIEDE2000. What is less is hardly seen.
NOTABLE = 1.0


class Harmed(PosterMean):
    """Percentage of posters that are worse than if they were left alone.

    Their mean CIEDE2000 is by more than 1 above that of what was given. Defined only where a
    colored poster was given, aged or not.
    """

    name = "harmed"
    label = "posters made worse, %"

    def value(self, poster: Observation) -> float | None:
        """Return 100 where the poster became worse, else 0."""
        if poster.given_delta_e is None:
            return None
        return 100.0 * (np.mean(poster.delta_e) > np.mean(poster.given_delta_e) + NOTABLE)
