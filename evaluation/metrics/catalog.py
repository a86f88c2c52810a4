"""The metrics by name, in the order of the tables.

A new one is a subclass of `metric.Metric`, beside those like it or in a file of its own, and a line
here.
"""

from recolor.datasets.catalog import Catalog
from recolor.evaluation.metrics.metric import Metric

_HERE = "recolor.evaluation.metrics"

METRICS: Catalog[type[Metric]] = Catalog(
    {
        "l2_ab": f"{_HERE}.distances:L2ab",
        "n_classes": f"{_HERE}.color_use:NClasses",
        "accuracy_0_padded": f"{_HERE}.distances:Padded0",
        "accuracy_1_padded": f"{_HERE}.distances:Padded1",
        "accuracy_2_padded": f"{_HERE}.distances:Padded2",
        "accuracy_0_poster": f"{_HERE}.distances:Poster0",
        "accuracy_1_poster": f"{_HERE}.distances:Poster1",
        "accuracy_2_poster": f"{_HERE}.distances:Poster2",
        "accuracy_0_chromatic": f"{_HERE}.distances:Chromatic0",
        "accuracy_1_chromatic": f"{_HERE}.distances:Chromatic1",
        "accuracy_2_chromatic": f"{_HERE}.distances:Chromatic2",
        "delta_e_2000": f"{_HERE}.distances:DeltaE2000",
        "lightness_error": f"{_HERE}.distances:LightnessError",
        "harmed": f"{_HERE}.distances:Harmed",
        "colorfulness": f"{_HERE}.color_use:Colorfulness",
        "psnr": f"{_HERE}.distances:Psnr",
        "ssim": f"{_HERE}.distances:Ssim",
        "palette_distance": f"{_HERE}.color_use:PaletteDistance",
        "evenness": f"{_HERE}.recoloring:Evenness",
        "merged": f"{_HERE}.recoloring:Merged",
        "paper_tint": f"{_HERE}.recoloring:PaperTint",
        "lock_leak": f"{_HERE}.recoloring:LockLeak",
        "kernel_distance_lite0": f"{_HERE}.kernel_distance:KernelDistance",
        "diversity": f"{_HERE}.color_use:Diversity",
    }
)

# What models are ranked by where nothing else is asked for.
DEFAULT_METRIC = "l2_ab"


def rankable() -> list[str]:
    """Return the names of the metrics that rank versions: validated, and with a better end."""
    return [
        name
        for name, metric in METRICS.items()
        if metric.validated and metric.direction is not None
    ]
