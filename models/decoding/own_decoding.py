"""What a model decodes with where nothing else is asked for; it is kept with the model's weights.

Training does not depend on it, so it may change whenever a training is resumed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace

from recolor.models.decoding.options import Decoding


@dataclass(frozen=True)
class OwnDecoding:
    """A model's own decoding. The defaults are of a training that was told nothing.

    Attributes:
        temperature: T of the annealed mean (eq. 4); by default the paper's.
        vividness: Without a palette, 0 to 1.

    Raises:
        DecodingError: If a value is out of range.
    """

    temperature: float = 0.38
    vividness: float = 0.0

    def __post_init__(self):
        # The ranges are those of the options.
        Decoding(**asdict(self))

    def changed(self, asked: Decoding) -> OwnDecoding:
        """Return a copy with the values that are asked for, those that are not None."""
        wanted = {field.name: getattr(asked, field.name) for field in fields(self)}
        return replace(self, **{name: one for name, one in wanted.items() if one is not None})
