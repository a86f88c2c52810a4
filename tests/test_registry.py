"""Promotion and rollback of registered versions, in a real store."""

import mlflow
import pytest

from recolor.platform.registry.promotion import HISTORY_TAG, current_champion, promote, rollback
from recolor.platform.registry.registration import (
    CHAMPION_URI,
    MODEL_NAME,
    RegistryError,
    load_model,
)


@pytest.fixture
def versions(tmp_path, monkeypatch):
    """Register versions by their validation metrics and data; the store is this test's own."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    before = mlflow.get_tracking_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient()
    client.create_registered_model(MODEL_NAME)

    def register(data="data-1", **metrics):
        tags = {f"validation.{name}": str(value) for name, value in metrics.items()}
        version = client.create_model_version(
            MODEL_NAME, source=str(tmp_path), tags={"dataset.digest": data, **tags}
        )
        return str(version.version)

    yield register
    mlflow.set_tracking_uri(before)


def champion() -> str | None:
    version = current_champion()
    return None if version is None else str(version.version)


def test_the_lowest_l2_ab_wins(versions):
    for value in (230, 210, 220):
        versions(l2_ab=value)
    promote("l2_ab")
    assert champion() == "2"


def test_the_highest_accuracy_wins(versions):
    for value in (40, 60, 50):
        versions(accuracy_1_poster=value)
    promote("accuracy_1_poster")
    assert champion() == "2"


def test_among_equals_the_champion_stays(versions):
    versions(l2_ab=200)
    promote("l2_ab")
    versions(l2_ab=200)
    assert "already" in promote("l2_ab")[1]
    assert champion() == "1"


def test_a_worse_version_needs_force(versions):
    versions(l2_ab=200)
    versions(l2_ab=220)
    promote("l2_ab")
    with pytest.raises(RegistryError, match=r"version 1, is better \(200\); --force"):
        promote("l2_ab", "2")
    assert champion() == "1"
    promote("l2_ab", "2", force=True)
    assert champion() == "2"


def test_versions_validated_on_other_data_do_not_compete(versions):
    versions("data-1", l2_ab=100)
    promote("l2_ab")
    versions("data-2", l2_ab=230)
    versions("data-2", l2_ab=220)
    with pytest.raises(RegistryError, match="other data"):
        promote("l2_ab")
    promote("l2_ab", "3", force=True)
    assert champion() == "3"


def test_version_10_is_newer_than_version_9(versions):
    for number in range(1, 11):
        versions(f"data-{number}", l2_ab=200 + number)
    promote("l2_ab")
    assert champion() == "10"


def test_rollback_goes_back_step_by_step(versions):
    for value in (230, 220, 210):
        versions(l2_ab=value)
        promote("l2_ab")
    assert champion() == "3"
    assert [rollback()[0] for _ in range(2)] == ["2", "1"]
    assert champion() == "1"
    with pytest.raises(RegistryError, match="no earlier champion"):
        rollback()
    assert champion() == "1"


def test_rollback_passes_over_deleted_versions(versions):
    for value in (230, 220, 210):
        versions(l2_ab=value)
        promote("l2_ab")
    mlflow.MlflowClient().delete_model_version(MODEL_NAME, "2")
    assert rollback()[0] == "1"


def test_nothing_to_promote(versions):
    with pytest.raises(RegistryError, match="train one first"):
        promote("l2_ab")
    versions(ssim=0.9)
    with pytest.raises(RegistryError, match=r"no version .* has a validated l2_ab"):
        promote("l2_ab")
    with pytest.raises(RegistryError, match="no version 7"):
        promote("ssim", "7")
    with pytest.raises(RegistryError, match="no earlier champion"):
        rollback()
    assert champion() is None


def test_a_missing_model_is_said_in_one_line(versions):
    with pytest.raises(RegistryError, match="recolor promote") as caught:
        load_model(CHAMPION_URI)
    assert "\n" not in str(caught.value)


def test_a_version_without_validation_needs_force(versions):
    versions()
    with pytest.raises(RegistryError, match="no version"):
        promote("l2_ab", "1")
    assert "not validated" in promote("l2_ab", "1", force=True)[1]
    assert champion() == "1"


def test_rollback_never_goes_back_to_the_champion_itself(versions):
    for value in (230, 220):
        versions(l2_ab=value)
        promote("l2_ab")
    client = mlflow.MlflowClient()
    # As left by a crash between writing the history and giving the alias.
    client.set_registered_model_tag(MODEL_NAME, HISTORY_TAG, '["1", "2"]')
    assert rollback()[0] == "1"
