"""Structural similarity."""

from skimage.metrics import structural_similarity

from recolor.evaluation.metrics.metric import HIGHER, PosterMean
from recolor.evaluation.metrics.observation import Observation

WINDOW = 7


class Ssim(PosterMean):
    """SSIM in RGB without padding, as a mean over the posters that hold a 7x7 window."""

    name = "ssim"
    label = "SSIM in RGB, poster alone"
    direction = HIGHER
    digits = 3

    def value(self, poster: Observation) -> float | None:
        """Return the poster's SSIM; None where the poster is narrower than the window."""
        if min(poster.box.height, poster.box.width) < WINDOW:
            return None
        return structural_similarity(
            poster.true.rgb, poster.predicted.rgb, win_size=WINDOW, channel_axis=-1
        )
