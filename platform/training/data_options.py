"""How a command line names the data set of a training."""

from recolor.datasets.data_set import DataSet


def data_options(manifest: DataSet) -> list[str]:
    """Return the words that stand for a data set on a command line: ``--data`` and each place."""
    return [word for part in manifest.parts for word in ("--data", str(part))]
