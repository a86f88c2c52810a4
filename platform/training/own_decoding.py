"""A trained model's own decoding: what it decodes with where nothing else is asked for.

Training does not depend on it, so it may change whenever a training goes on.
"""

from recolor.models.decoding.options import Decoding

# Where the training was told nothing; the temperature is the paper's.
DEFAULTS = {"temperature": 0.38, "vividness": 0.0}


def own_decoding(asked: Decoding, saved: dict) -> Decoding:
    """Choose a model's own decoding.

    Args:
        asked: What was asked for; temperature and vividness count, where they are not None.
        saved: What the training has kept, from `to_save`; may be empty.
    """
    values = {name: saved.get(name, default) for name, default in DEFAULTS.items()}
    values |= {name: getattr(asked, name) for name in DEFAULTS if getattr(asked, name) is not None}
    return Decoding(**values)


def to_save(decoding: Decoding) -> dict[str, float]:
    """Return what is to be kept of a model's own decoding, as JSON."""
    return {name: getattr(decoding, name) for name in DEFAULTS}
