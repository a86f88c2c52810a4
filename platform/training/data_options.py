"""How a command line names the data set of a training."""

from recolor.datasets.manifest import Manifest


def data_options(manifest: Manifest) -> list[str]:
    """Return the words that stand for a data set on a command line: ``--data`` and each place."""
    return [word for part in manifest.parts for word in ("--data", str(part))]
