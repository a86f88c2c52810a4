"""The metrics by name, in the order of the tables.

A new one is a file of its own with a class of `metric.Metric`, and a line here.
"""

from recolor.datasets.catalog import Catalog
from recolor.evaluation.metrics.metric import Metric

_HERE = "recolor.evaluation.metrics"

METRICS: Catalog[type[Metric]] = Catalog(
    {
        "l2_ab": f"{_HERE}.l2_ab:L2ab",
        "n_classes": f"{_HERE}.n_classes:NClasses",
        "accuracy_0_padded": f"{_HERE}.accuracy:Padded0",
        "accuracy_1_padded": f"{_HERE}.accuracy:Padded1",
        "accuracy_2_padded": f"{_HERE}.accuracy:Padded2",
        "accuracy_0_poster": f"{_HERE}.accuracy:Poster0",
        "accuracy_1_poster": f"{_HERE}.accuracy:Poster1",
        "accuracy_2_poster": f"{_HERE}.accuracy:Poster2",
        "accuracy_0_chromatic": f"{_HERE}.accuracy:Chromatic0",
        "accuracy_1_chromatic": f"{_HERE}.accuracy:Chromatic1",
        "accuracy_2_chromatic": f"{_HERE}.accuracy:Chromatic2",
        "delta_e_2000": f"{_HERE}.delta_e_2000:DeltaE2000",
        "lightness_error": f"{_HERE}.lightness_error:LightnessError",
        "harmed": f"{_HERE}.harmed:Harmed",
        "colorfulness": f"{_HERE}.colorfulness:Colorfulness",
        "psnr": f"{_HERE}.psnr:Psnr",
        "ssim": f"{_HERE}.ssim:Ssim",
        "palette_distance": f"{_HERE}.palette_distance:PaletteDistance",
        "evenness": f"{_HERE}.evenness:Evenness",
        "merged": f"{_HERE}.merged:Merged",
        "paper_tint": f"{_HERE}.paper_tint:PaperTint",
        "lock_leak": f"{_HERE}.lock_leak:LockLeak",
        "kernel_distance_lite0": f"{_HERE}.kernel_distance:KernelDistance",
        "diversity": f"{_HERE}.diversity:Diversity",
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
