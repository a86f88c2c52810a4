"""Which restoration network restores: the champion, or the one that ships with recolor."""

from recolor.models.restoring import Restorer


def load_restorer() -> Restorer:
    """Return the restoration network that is used by default."""
    return Restorer.bundled()
