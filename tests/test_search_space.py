"""What a search may vary, as it is typed and as Optuna takes it."""

import json
from dataclasses import replace

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from recolor.datasets.errors import RecolorError
from recolor.models.decoding.own_decoding import OwnDecoding
from recolor.platform.search.options import PRUNERS, SAMPLERS
from recolor.platform.search.plan import Plan, PlanError, make_pruner, make_sampler
from recolor.platform.search.space import (
    SpaceError,
    in_words,
    parse_learning_rate,
    parse_space,
    suggest,
)
from recolor.platform.training.settings import Settings

DISTRIBUTIONS = {
    "batch_size=10,20,50": CategoricalDistribution([10, 20, 50]),
    "augment=none,mirror+crop": CategoricalDistribution(["none", "mirror+crop"]),
    "jit=true,false": CategoricalDistribution([True, False]),
    "learning_rate=0.001,1e-4": CategoricalDistribution([0.001, 1e-4]),
    "initial-weights=models:/a/1,models:/a/2": CategoricalDistribution(
        ["models:/a/1", "models:/a/2"]
    ),
    "accumulate=1:8": IntDistribution(1, 8),
    "batch_size=2:64:log": IntDistribution(2, 64, log=True),
    "clip=0.5:2": FloatDistribution(0.5, 2),
    "learning-rate=1e-6:1e-4:log": FloatDistribution(1e-6, 1e-4, log=True),
}


def plan(space, **changes) -> Plan:
    parts = {"objective": "val_loss", "sampler": "tpe", "pruner": "median", "seed": 0, **changes}
    return Plan(
        "digest",
        Settings("regression", 3, 5),
        OwnDecoding(),
        space,
        **parts,
    )


@pytest.mark.parametrize("text", DISTRIBUTIONS)
def test_a_dimension_is_optunas_distribution(text):
    ((name, found),) = parse_space([text]).items()
    assert found == DISTRIBUTIONS[text]
    # It is written as it was read, and comes back from a study as it was.
    assert parse_space([f"{name}={in_words(found)}"]) == {name: found}
    kept = plan({name: found})
    again = Plan.of_json(json.loads(json.dumps(kept.to_json())))
    assert again.space == kept.space and again.to_json() == kept.to_json()


def test_the_learning_rate_is_a_range_or_a_number():
    assert parse_learning_rate("1e-6,1e-4") == FloatDistribution(1e-6, 1e-4, log=True)
    assert parse_learning_rate("3e-5") == 3e-5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("batch_size", "write NAME=A,B,... or"),
        ("batch_size=", "write NAME=A,B,... or"),
        ("dropout=0.1,0.2", "dropout is not one of batch_size, learning_rate"),
        ("epochs=1,2", "epochs is not one of"),
        ("batch_size=10", "at least two values"),
        ("batch_size=10,10", "none of them twice"),
        ("batch_size=10,ten", "batch_size must be a whole number of at least 1, not 'ten'"),
        ("batch_size=1,0", "batch_size must be a whole number of at least 1, not '0'"),
        ("batch_size=20:10", "20 is not below 10"),
        ("batch_size=1.5:10", "must be a whole number of at least 1, not '1.5'"),
        ("warmup=0:3:log", "begins above 0"),
        ("learning_rate=-1:1", "learning_rate must be a number above 0, not '-1'"),
        ("learning_rate=1e-6:inf", "learning_rate must be a number above 0, not 'inf'"),
        ("learning_rate=1e-6:1e-4:cubic", "LOW:HIGH or LOW:HIGH:log"),
        ("schedule=plateau,never", "schedule must be one of plateau, cosine, not 'never'"),
        ("augment=none,explode", "'explode' is not one of"),
        ("jit=true,maybe", "jit must be true or false, not 'maybe'"),
    ],
)
def test_a_dimension_that_is_none_is_said_in_one_line(text, words):
    with pytest.raises(SpaceError, match=f"^--search {text}: ") as caught:
        parse_space([text])
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["1e-4,1e-6", "1e-6,1e-5,1e-4", "fast", "0,1e-4", ""])
def test_a_learning_rate_that_is_none_is_said(text):
    with pytest.raises(RecolorError, match=f"^--learning-rate {text}: "):
        parse_learning_rate(text)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("pruner", PRUNERS)
def test_every_sampler_goes_with_every_pruner(sampler, pruner):
    texts = ["batch_size=5,10", "schedule=plateau,cosine"]
    if sampler != "grid":
        texts += ["learning_rate=1e-6:1e-4:log", "accumulate=1:3"]
    chosen = plan(parse_space(texts), sampler=sampler, pruner=pruner)

    def values() -> list[dict]:
        study = optuna.create_study(sampler=make_sampler(chosen), pruner=make_pruner(chosen))
        found = []

        def objective(trial):
            found.append(suggest(trial, chosen.space))
            settings = chosen.settings_of(found[-1])
            trial.report(settings.batch_size, 1)
            trial.should_prune()
            return settings.batch_size

        study.optimize(objective, n_trials=min(4, chosen.points))
        return found

    first = values()
    assert len({str(one) for one in first}) == 4, "no trial twice"
    assert first == values(), "the seed decides"


def test_a_study_that_goes_on_does_not_choose_again_what_it_began_with():
    """Nor do two workers with the same seed."""
    chosen = plan(parse_space(["learning_rate=1e-6:1e-4:log"]), sampler="random")
    study = optuna.create_study(sampler=make_sampler(chosen))
    for _ in range(2):
        study.sampler = make_sampler(chosen)
        study.optimize(lambda trial: suggest(trial, chosen.space)["learning_rate"], n_trials=3)
    assert len({trial.value for trial in study.trials}) == 6


def test_parts_that_do_not_go_together_are_said():
    rates = parse_space(["learning_rate=1e-6:1e-4:log"])
    for changes, words in (
        ({"space": {}}, "nothing is searched"),
        ({"sampler": "grid"}, "--sampler grid needs a list of values for learning_rate"),
        ({"objective": "l2_ab"}, "--pruner median goes by the val_loss"),
    ):
        with pytest.raises(PlanError, match=words):
            plan(**{"space": rates, **changes})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 1}, "study s was begun with seed 0, not 1: choose another --study"),
        ({"objective": "l2_ab", "pruner": "none"}, "begun with objective val_loss, not l2_ab"),
        ({"settings": Settings("classification", 3, 5)}, "with model regression, not classif"),
        ({"space": {"clip": FloatDistribution(1, 2)}}, "was begun with"),
        ({"dataset_digest": "other"}, "with dataset digest digest, not other"),
    ],
)
def test_a_study_goes_on_only_with_its_own_plan(change, words):
    began = plan(parse_space(["learning_rate=1e-6:1e-4:log"]))
    began.check_continues(began.to_json(), "s")
    with pytest.raises(PlanError, match=words):
        replace(began, **change).check_continues(began.to_json(), "s")


def test_more_is_better_of_some_metrics():
    space = parse_space(["clip=1:2"])
    for objective, direction in (
        ("val_loss", "minimize"),
        ("l2_ab", "minimize"),
        ("ssim", "maximize"),
    ):
        assert plan(space, objective=objective, pruner="none").direction == direction
