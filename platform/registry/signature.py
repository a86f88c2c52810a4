"""What a served model takes and gives, as MLflow describes it."""

from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

from recolor.models.decoding.options import Decoding
from recolor.models.option import options_of

# MLflow's types of parameters; all others, and numbers that words may stand for, are texts.
TYPES = {float: "double", int: "long", bool: "boolean"}


def signature() -> ModelSignature:
    """Return the signature of color networks: an image each, and the options of decoding."""
    text = Schema([ColSpec("string", "image")])
    return ModelSignature(text, text, parameters_of(Decoding))


def restoring_signature() -> ModelSignature:
    """Return the signature of restoration networks: an image each, and how much to undo."""
    text = Schema([ColSpec("string", "image")])
    return ModelSignature(text, text, ParamSchema([ParamSpec("restore", "double", None)]))


def parameters_of(declared: type) -> ParamSchema:
    """Return declared options as parameters of a request, with their defaults."""
    return ParamSchema(
        [
            ParamSpec(option.name, TYPES[option.kind], option.default)
            if option.kind in TYPES and not option.choices
            # None, and no hints, as an empty text.
            else ParamSpec(option.name, "string", option.default or "")
            for option in options_of(declared).values()
        ]
    )
