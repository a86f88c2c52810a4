"""The history of the champion: whole when many promote at once, and right after a crash."""

import json
import subprocess
import sys
from dataclasses import asdict

import mlflow
import pytest

from recolor.platform.registry.history import CHANGE_TAG, Change, read_history
from recolor.platform.registry.promotion import promote, rollback
from recolor.platform.registry.versions import MODEL_NAME, RegistryError, current_champion

# Processes that begin at the same instant: each promotes one of the versions.
PROMOTERS = r"""
import multiprocessing, sys
import mlflow
from recolor.platform.registry.promotion import promote
from recolor.platform.registry.versions import RegistryError

def run(version, barrier):
    barrier.wait()
    try:
        said = promote("l2_ab", version, force="--force" in sys.argv)[0]
    except RegistryError as error:
        said = error
    # In one piece, since all write to the same pipe.
    print(f"{said}\n", end="", flush=True)

# Another database, so that MLflow is set up once and not in each process.
mlflow.MlflowClient(sys.argv[1]).search_registered_models()
fork = multiprocessing.get_context("fork")
barrier = fork.Barrier(10)
processes = [fork.Process(target=run, args=(str(n), barrier)) for n in range(1, 11)]
for process in processes:
    process.start()
for process in processes:
    process.join()
assert not any(process.exitcode for process in processes)
"""


def champion() -> str | None:
    version = current_champion()
    return None if version is None else str(version.version)


def changes() -> list[Change]:
    return list(read_history().values())


def set_tag(name: str, value: str) -> None:
    mlflow.MlflowClient().set_registered_model_tag(MODEL_NAME, name, value)


@pytest.fixture
def ten_promotions(empty_database):
    """Promote versions 1 to 10 at the same instant; return what came of each."""

    def promotions(*arguments: str) -> list[str]:
        command = [sys.executable, "-c", PROMOTERS, f"sqlite:///{empty_database}", *arguments]
        result = subprocess.run(command, capture_output=True, text=True, timeout=240)
        assert result.returncode == 0, result.stderr
        return result.stdout.splitlines()

    return promotions


def test_ten_promotions_at_once_leave_one_champion_and_a_whole_history(versions, ten_promotions):
    for number in range(10):
        versions(l2_ab=200 + number)
    assert len(ten_promotions("--force")) == 10
    assert sorted(int(change.to_version) for change in changes()) == list(range(1, 11))
    assert champion() == changes()[-1].to_version


@pytest.mark.slow
def test_of_ten_promotions_at_once_the_best_version_wins(versions, ten_promotions):
    # Not in the order of their numbers: 3 is the best one.
    for number in range(1, 11):
        versions(l2_ab=200 + (number * 7 - 1) % 10)
    said = ten_promotions()
    assert champion() == changes()[-1].to_version == "3"
    promoted = {line for line in said if "is better" not in line}
    assert len(said) == 10 and promoted <= {change.to_version for change in changes()}


def test_what_is_kept_of_a_change(versions):
    versions(l2_ab=230)
    versions(**{"l2_ab": 250, "told_palette.l2_ab": 120, "gray.l2_ab": 100})
    promote("l2_ab", "1", reason="a beginning")
    promote("l2_ab", "2", force=True)
    rollback("sepia everywhere")
    first, forced, back = changes()
    assert asdict(first) | {"time": None} == {
        "from_version": None,
        "to_version": "1",
        "reason": "l2_ab 230, free; a beginning",
        "rollback": False,
        "metric": "l2_ab",
        "from_value": None,
        "to_value": 230,
        "data": "data-1",
        "time": None,
    }
    assert forced.reason == "forced, though gray is better (100)"
    assert (forced.from_version, forced.from_value, forced.to_value) == ("1", 230, 120)
    assert (back.from_version, back.to_version, back.rollback) == ("2", "1", True)
    assert back.reason == "rolled back; sepia everywhere"
    assert first.time <= forced.time <= back.time


def test_a_promotion_that_changes_nothing_is_not_recorded(versions):
    versions(l2_ab=230)
    for _ in range(2):
        promote("l2_ab")
    assert len(changes()) == 1


def test_a_promotion_that_was_killed_before_the_alias_does_not_count(versions):
    """Its tag is there, and the champion is the old one."""
    for value in (230, 220, 210):
        versions(l2_ab=value)
    promote("l2_ab", "1")
    set_tag(f"{CHANGE_TAG}000002.abc", json.dumps(asdict(Change("1", "2", "killed"))))
    assert champion() == "1"
    promote("l2_ab", "3")
    assert champion() == "3"
    assert rollback()[0] == champion() == "1"
    with pytest.raises(RegistryError, match="no earlier champion"):
        rollback()


def test_clocks_that_differ_do_not_change_the_order(versions):
    for value in (230, 220):
        versions(l2_ab=value)
    ahead = Change(None, "1", "by a machine whose clock is ahead", time="2999-01-01T00:00:00+00:00")
    set_tag(f"{CHANGE_TAG}000001.fff", json.dumps(asdict(ahead)))
    promote("l2_ab")
    assert champion() == changes()[-1].to_version == "2"


def test_a_champion_that_was_chosen_in_mlflow_itself_is_gone_back_to(versions):
    for value in (230, 220, 210):
        versions(l2_ab=value)
    promote("l2_ab", "1")
    mlflow.MlflowClient().set_registered_model_alias(MODEL_NAME, "champion", "2")
    promote("l2_ab", "3")
    assert changes()[-1].from_version == "2"
    assert rollback()[0] == champion() == "2"


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (f"{CHANGE_TAG}000001.abc", "{}"),
        (f"{CHANGE_TAG}000001.abc", '{"to": 3}'),
        (f"{CHANGE_TAG}first", json.dumps(asdict(Change(None, "1", "")))),
    ],
)
def test_a_damaged_tag_is_named(versions, tag, value):
    versions(l2_ab=230)
    set_tag(tag, value)
    for command in (rollback, lambda: promote("l2_ab")):
        with pytest.raises(RegistryError, match=f"^tag {tag} of .* is damaged") as caught:
            command()
        assert "\n" not in str(caught.value)
    assert champion() is None
