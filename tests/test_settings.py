"""How to train: one declaration for Python and the command line, and what earlier versions kept."""

import pickle
from dataclasses import FrozenInstanceError, asdict, replace

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import check_imports

from recolor.datasets.errors import RecolorError
from recolor.models.catalog import MODELS
from recolor.models.decoding.options import Decoding, DecodingError
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.models.option import of_saved, options_of
from recolor.models.paper import Regression
from recolor.platform.cli.main import COMMANDS
from recolor.platform.training.settings import Settings, TrainingError


def test_the_papers_numbers_are_the_defaults_of_the_kinds():
    assert Settings("regression").epochs is None
    regression, classification = Settings("regression"), Settings("classification")
    complete = regression.complete()
    assert (complete.epochs, complete.batch_size) == (180, 50)
    complete = classification.complete()
    assert (complete.epochs, complete.batch_size) == (260, 20)
    assert regression.learning_rate == 1e-4
    assert replace(regression, epochs=3, batch_size=2).complete() == Settings("regression", 3, 2)
    assert OwnDecoding() == OwnDecoding(temperature=0.38, vividness=0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "gan"}, f"model must be one of {', '.join(MODELS)}, not 'gan'"),
        ({"model": None}, "model must be one of"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1, not 0"),
        ({"seed": 2**32}, "seed must be a whole number from 0 to 4294967295"),
        ({"learning_rate": 0.0}, "learning_rate must be a number above 0, not 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate must be a number above 0, not nan"),
        ({"clip": float("inf")}, "clip must be a number above 0"),
        ({"schedule": "never"}, "schedule must be one of plateau, cosine, not 'never'"),
        ({"augment": "explode"}, "'explode' is not one of mirror, crop, gamma, full"),
        ({"train_fraction": 0.0}, "train_fraction must be a number above 0 and at most 1, not 0.0"),
        ({"train_fraction": 1.5}, "train_fraction must be a number above 0 and at most 1, not 1.5"),
        ({"precision": "float8"}, "precision must be one of float32"),
    ],
    ids=str,
)
def test_what_is_out_of_range_is_said(change, words):
    with pytest.raises(RecolorError, match=words):
        Settings(**{"model": "regression", **change})


def test_the_options_of_the_command_are_the_fields():
    options = {option.name: option for option in COMMANDS["train"].params}
    for name, declared in options_of(Settings).items():
        option = options[name]
        # Only what is typed counts, so that a resumed training keeps its own settings.
        assert not option.required and option.to_info_dict()["default"] is None
        assert option.help.startswith(declared.help.split("  [")[0])
    others = {"data", "temperature", "vividness", "resume", "untracked"}
    assert set(options) == set(options_of(Settings)) | others


def test_a_kind_that_is_registered_can_be_chosen_and_gives_its_defaults(tmp_path):
    class Short(Regression):
        name, epochs, batch_size = "short", 3, 7

    arguments = ["--data", str(tmp_path), "--model", "short"]
    MODELS.register("short", Short)
    try:
        assert Settings("short").complete().epochs == 3
        known = CliRunner().invoke(COMMANDS["train"], arguments)
    finally:
        MODELS.unregister("short")
    assert "is not one of" not in known.output
    assert "'short' is not one of" in CliRunner().invoke(COMMANDS["train"], arguments).output


def test_settings_that_are_not_known_are_refused():
    saved = {"model": "regression", "epochs": 2, "batch_size": 5}
    with pytest.raises(RecolorError, match="another version"):
        of_saved(Settings, {**saved, "unheard_of": 1})
    with pytest.raises(TrainingError, match="model must be one of"):
        of_saved(Settings, {**saved, "model": "unheard_of"})


def test_what_is_kept_comes_back():
    settings = Settings("classification", 2, clip=0.5, jit=False, augment="crop").complete()
    assert of_saved(Settings, asdict(settings)) == settings
    own = OwnDecoding(temperature=0.2, vividness=1)
    assert own == own.changed(Decoding())
    assert own.changed(Decoding(vividness=0.3)) == OwnDecoding(temperature=0.2, vividness=0.3)


def test_a_models_own_decoding_has_the_ranges_of_the_options():
    with pytest.raises(DecodingError, match="vividness must be a number from 0 to 1, not 2"):
        OwnDecoding(vividness=2)


@pytest.mark.parametrize("value", [True, "0.5", "", None, 1.5, float("nan"), float("inf")], ids=str)
def test_only_a_number_in_the_range_is_one(value):
    with pytest.raises(DecodingError) as caught:
        Decoding(strength=value)
    assert str(caught.value) == f"strength must be a number from 0 to 1, not {value!r}"
    assert caught.value.option == "strength"


def test_a_decoding_is_a_value():
    decoding = Decoding(restore="none", strength=np.float32(0.5), lock=["skin"])
    assert decoding == Decoding(0.0, strength=0.5, lock=("skin",))
    assert pickle.loads(pickle.dumps(decoding)) == decoding == replace(decoding, crop="none")
    assert len({decoding, replace(decoding), Decoding(restore="auto"), Decoding()}) == 2
    with pytest.raises(FrozenInstanceError):
        decoding.strength = 1.0
    with pytest.raises(DecodingError, match="crop must be one of none, auto, not 1"):
        replace(decoding, crop=1)
    with pytest.raises(TypeError, match="unheard_of"):
        Decoding(unheard_of=1)


def test_settings_load_neither_keras_nor_mlflow():
    code = (
        "from recolor.platform.training.settings import Settings\n"
        "Settings('regression', epochs=3)\n"
    )
    check_imports(code, "keras", "tensorflow", "mlflow")
