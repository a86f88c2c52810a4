"""Versions that were validated on different data, measured on one data set and compared."""

from dataclasses import replace

import mlflow
import pytest
from click.testing import CliRunner
from conftest import data_set

from recolor.evaluation.answers import GRAY, TOLD_PALETTE
from recolor.evaluation.tables import MAY_KNOW
from recolor.evaluation.validation import validate
from recolor.platform.cli.main import main
from recolor.platform.registry.history import read_history
from recolor.platform.registry.model import load_model
from recolor.platform.registry.promotion import promote
from recolor.platform.registry.versions import (
    MODEL_NAME,
    RegistryError,
    current_champion,
    version_uri,
)

pytestmark = pytest.mark.usefixtures("bundled_networks_loaded_once")


@pytest.fixture(scope="module")
def other(posters, tmp_path_factory):
    """The same posters with another division into splits."""
    return data_set(posters, tmp_path_factory, 32, (18, 8, 4), seed=5)


@pytest.fixture
def rival(copied_store, trained, other) -> str:
    """A version with the trained network that says that it was validated on other data."""
    client = mlflow.MlflowClient()
    source = client.get_model_version(MODEL_NAME, trained.version).source
    tags = {"dataset.digest": other.digest, "validation.l2_ab": "1"}
    return str(client.create_model_version(MODEL_NAME, source, tags=tags).version)


@pytest.mark.slow
def test_both_are_measured_on_the_data(rival, trained, other):
    with pytest.raises(RegistryError, match="other data; --data DATA measures both"):
        promote("l2_ab", rival)
    result = CliRunner().invoke(
        main, ["promote", "--version", rival, "--data", str(other.folder), "--reason", "new data"]
    )
    assert result.exit_code == 0, result.output
    measured = validate(other, load_model(version_uri(trained.version)).painter)
    *_, change = read_history().values()
    assert change.from_value == change.to_value == measured[TOLD_PALETTE, "l2_ab"]
    assert (change.from_version, change.to_version) == (trained.version, rival)
    assert (change.data, change.reason.split("; ")[1]) == (other.digest, "new data")
    assert str(current_champion().version) == rival
    told = f"(l2_ab {change.to_value:.4g}, told the palette)"
    lines = [line.strip() for line in result.output.splitlines()]
    assert f"candidate: version {rival} {told}" in lines
    assert f"champion: version {trained.version} {told}" in lines
    assert f"gray: {measured[GRAY, 'l2_ab']:.4g}" in lines
    for version in (trained.version, rival):
        assert f"warning: version {version} {MAY_KNOW}" in lines


def test_on_its_own_data_a_version_has_what_it_had_after_its_training(rival, trained, manifest):
    """Also one of which nothing is known."""
    mlflow.MlflowClient().delete_model_version_tag(MODEL_NAME, rival, "validation.l2_ab")
    with pytest.raises(RegistryError, match="no version"):
        promote("l2_ab", rival)
    message = promote("l2_ab", rival, data=manifest)[1]
    assert MAY_KNOW not in message
    *_, change = read_history().values()
    value = trained.measured[TOLD_PALETTE, "l2_ab"]
    assert change.from_value == change.to_value == pytest.approx(value)


def test_data_that_can_not_be_measured_on(rival, manifest):
    validation = {**manifest.content["splits"]["validation"], "count": 0}
    splits = {**manifest.content["splits"], "validation": validation}
    empty = replace(manifest, content={**manifest.content, "splits": splits})
    with pytest.raises(RegistryError, match="has no validation posters"):
        promote("l2_ab", rival, data=empty)
