"""How a command line names the data set of a training."""

from recolor.datasets.dataset_info import DatasetInfo


def data_options(manifest: DatasetInfo) -> list[str]:
    """Return the words that stand for a data set on a command line: ``--data`` and each place."""
    return [word for part in manifest.parts for word in ("--data", str(part))]
