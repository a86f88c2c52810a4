"""What a served model takes and gives, as MLflow describes it."""

from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

from recolor.models.decoding.options import Decoding
from recolor.models.option import options_of


def signature() -> ModelSignature:
    """Return the signature of color networks: an image each, and the options of decoding."""
    text = Schema([ColSpec("string", "image")])
    return ModelSignature(text, text, _parameters())


def restoring_signature() -> ModelSignature:
    """Return the signature of restoration networks: an image each, and how much to undo."""
    text = Schema([ColSpec("string", "image")])
    return ModelSignature(text, text, ParamSchema([ParamSpec("restore", "double", None)]))


def _parameters() -> ParamSchema:
    """The options of decoding as parameters of a request, with their defaults."""
    return ParamSchema(
        [
            ParamSpec(option.name, "double", option.default)
            if option.kind is float and not option.choices
            # None, and no hints, as an empty text.
            else ParamSpec(option.name, "string", option.default or "")
            for option in options_of(Decoding).values()
        ]
    )
