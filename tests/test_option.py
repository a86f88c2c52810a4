"""What is read from a declared option, in Python, on the command line and by MLflow."""

import click
import pytest
from click.testing import CliRunner
from pydantic import Field
from pydantic.dataclasses import dataclass

from recolor.datasets.errors import RecolorError
from recolor.models.decoding.options import Decoding
from recolor.models.option import STRICT, one_line_errors, options_of
from recolor.platform.cli.declared_options import declared_options
from recolor.platform.registry.signature import parameters_of
from recolor.platform.training.settings import Settings


@one_line_errors(RecolorError)
@dataclass(config=STRICT)
class Declared:
    """Options with limits that the project's own need not have."""

    share: float = Field(0.5, ge=0, lt=1, description="A share.")
    count: int = Field(2, gt=0, description="A number of things.")
    any_number: float = Field(0.0, description="Whatever it is.")
    flag: bool = Field(False, description="Yes or no.")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("share", 1.0, "share must be a number of at least 0 and below 1, not 1.0"),
        ("count", 0, "count must be a whole number above 0, not 0"),
    ],
)
def test_a_value_beyond_a_limit_is_refused(option, value, words):
    with pytest.raises(RecolorError, match=words):
        Declared(**{option: value})

    @click.command()
    @declared_options(options_of(Declared).values())
    def command(**values):
        Declared(**{name: value for name, value in values.items() if value is not None})

    assert CliRunner().invoke(command, [f"--{option}", str(value)]).exit_code == 2
    within = ["--share", "0.99", "--count", "1", "--any-number", "-5", "--flag"]
    assert CliRunner().invoke(command, within).exit_code == 0


def test_a_limit_may_be_missing():
    limits = {name: (option.low, option.high) for name, option in options_of(Declared).items()}
    assert limits["share"] == (0, 1) and limits["count"] == (0, None)
    assert limits["any_number"] == (None, None)


def test_a_signature_has_numbers_as_numbers():
    types = {one.name: (one.dtype.name, one.default) for one in parameters_of(Declared).params}
    assert types["share"] == ("double", 0.5) and types["count"] == ("long", 2)
    assert types["flag"] == ("boolean", False)


@pytest.mark.parametrize("declared", [Settings, Decoding])
def test_every_option_is_explained_in_the_docstring(declared):
    attributes = declared.__doc__.partition("Attributes:")[2]
    missing = [name for name in options_of(declared) if f"\n        {name}: " not in attributes]
    assert not missing
