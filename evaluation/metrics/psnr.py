"""The peak signal-to-noise ratio."""

import numpy as np

from recolor.evaluation.metrics.metric import HIGHER, PosterMean
from recolor.evaluation.metrics.observation import Observation


class Psnr(PosterMean):
    """PSNR in RGB without padding, from the mean of the posters' squared errors."""

    name = "psnr"
    label = "PSNR in RGB, poster alone, dB"
    direction = HIGHER

    def value(self, poster: Observation) -> float:
        """Return the poster's mean squared error."""
        error = poster.true.rgb.astype(np.float32) - poster.predicted.rgb
        return float(np.mean(np.square(error)))

    def result(self) -> float | None:
        """Return the ratio in dB; None where it is infinite."""
        error = super().result()
        return 10 * np.log10(255**2 / error).item() if error else None
