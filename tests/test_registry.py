"""Promotion and rollback of registered versions, in a real store."""

import json
import shutil
from dataclasses import asdict

import mlflow
import numpy as np
import pytest
from click.testing import CliRunner

from recolor.evaluation.scoring import posters
from recolor.platform.cli.main import main
from recolor.platform.registry.history import CHANGE_TAG, Change
from recolor.platform.registry.promotion import promote, rollback
from recolor.platform.registry.registration import FORMAT, load_registered, model_info
from recolor.platform.registry.versions import (
    CHAMPION_URI,
    MODEL_NAME,
    RegistryError,
    current_champion,
    validated_metrics,
)
from recolor.platform.tracking.metric_names import named_validation


def validated(free, told=None, gray=236.0, mean_color=212.0) -> dict[str, float]:
    """Tags of a version of today: its l2_ab free and told the palette, and the baselines'."""
    found = {"l2_ab": free, "gray.l2_ab": gray, "mean_color.l2_ab": mean_color}
    return found if told is None else found | {"told_palette.l2_ab": told}


def champion() -> str | None:
    version = current_champion()
    return None if version is None else str(version.version)


@pytest.mark.parametrize(
    ("metric", "values"), [("l2_ab", (230, 210, 220)), ("accuracy_1_poster", (40, 60, 50))]
)
def test_the_lowest_error_or_the_highest_accuracy_wins(versions, metric, values):
    for value in values:
        versions(**{metric: value})
    promote(metric)
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
    with pytest.raises(RegistryError, match=r"version 1 \(l2_ab 200, free\), is better; --f"):
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
    with pytest.raises(RegistryError, match=r"train one first$"):
        promote("l2_ab")
    versions(ssim=0.9)
    with pytest.raises(RegistryError, match=r"no version .* has a validated l2_ab.* --data"):
        promote("l2_ab")
    with pytest.raises(RegistryError, match="no version 7"):
        promote("ssim", "7")
    with pytest.raises(RegistryError, match="no earlier champion"):
        rollback()
    assert champion() is None


def test_a_missing_model_is_said_in_one_line(versions):
    with pytest.raises(RegistryError, match="recolor promote") as caught:
        load_registered(CHAMPION_URI)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "metadata", [None, {"model": "unet"}, {"dataset_digest": "", "format": FORMAT}]
)
def test_models_that_others_registered_are_refused_in_one_line(metadata, tmp_path):
    code = tmp_path / "code.py"
    code.write_text("import mlflow\nmlflow.models.set_model(mlflow.pyfunc.PythonModel())\n")
    mlflow.pyfunc.save_model(
        tmp_path / "model", python_model=code, metadata=metadata, pip_requirements=[]
    )
    with pytest.raises(RegistryError, match="was not registered by `recolor train`"):
        model_info(str(tmp_path / "model"))


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
    versions(l2_ab=210)
    # As left by a crash between recording the change and giving the alias.
    tag, change = f"{CHANGE_TAG}000003.abc", Change("2", "3", "killed")
    mlflow.MlflowClient().set_registered_model_tag(MODEL_NAME, tag, json.dumps(asdict(change)))
    assert rollback()[0] == "1"


def test_versions_are_ranked_by_what_they_answer_when_told_the_palette(versions):
    versions(**validated(free=200, told=150))
    versions(**validated(free=246, told=120))
    number, message = promote("l2_ab")
    assert number == champion() == "2"
    assert message.splitlines() == [
        "L2ab (eq. 1), padding included, lower is better, on the validation posters:",
        "  candidate: version 2 (l2_ab 120, told the palette)",
        "  champion: none yet",
        "  mean color: 212",
        "  gray: 236",
        "not compared with the bundled unet: the data set that it was trained on is not known",
        "version 2 (l2_ab 120, told the palette) is the champion now, but was not compared with "
        "the bundled unet, which still answers by default: `recolor promote --data DATA` compares "
        "them, --model champion takes version 2",
    ]
    versions(**validated(free=190, told=130))
    with pytest.raises(RegistryError, match=r"version 2 \(l2_ab 120, .*\), is better"):
        promote("l2_ab", "3")


def test_a_network_that_takes_no_palette_is_ranked_by_its_free_answer(versions):
    versions(**validated(free=246, told=200))
    versions(**validated(free=180))
    number, message = promote("l2_ab")
    assert number == "2"
    assert "version 2 (l2_ab 180, free) is the champion now" in message
    assert "train it again" not in message and "warning" not in message


@pytest.mark.parametrize("told", [236.5, None])
def test_what_is_worse_than_gray_needs_force(versions, told):
    versions(**validated(free=240, told=told))
    for chosen in (None, "1"):
        with pytest.raises(RegistryError, match=r"^version 1 .* gray is better \(236\); --f.*$"):
            promote("l2_ab", chosen)
    assert champion() is None
    assert "warning: gray is better than version 1" in promote("l2_ab", force=True)[1]
    assert champion() == "1"


def test_gray_is_compared_by_the_metric_that_is_asked_for(versions):
    found = {"ssim": 0.8, "gray.ssim": 0.9, "told_palette.ssim": 0.95}
    versions(**validated(free=240, told=240), **found)
    with pytest.raises(RegistryError, match="gray is better"):
        promote("l2_ab")
    assert promote("ssim")[0] == "1"


def test_what_is_worse_than_the_mean_color_is_promoted_with_a_warning(versions):
    versions(**validated(free=240, told=220))
    assert "warning: the mean color is better than version 1" in promote("l2_ab")[1].splitlines()
    versions(**validated(free=240, told=211))
    message = promote("l2_ab")[1]
    assert "warning" not in message
    assert "champion: version 1 (l2_ab 220, told the palette)" in message
    assert champion() == "2"


def test_versions_of_before_are_ranked_by_what_they_have_and_it_is_said(versions):
    versions(l2_ab=246)
    line = "version 1 was registered before validation told the palette and measured gray"
    assert line in promote("l2_ab")[1]
    versions(**validated(free=250, told=120))
    message = promote("l2_ab")[1]
    assert line in message and "champion: version 1 (l2_ab 246, free)" in message
    assert champion() == "2"


def test_it_is_said_how_mlflows_commands_find_the_store(versions, tmp_path, monkeypatch):
    versions(l2_ab=200.0)
    (tmp_path / "mlruns").mkdir()
    shutil.move(tmp_path / "mlflow.db", tmp_path / "mlruns")
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    said = []
    for chosen in (None, uri):
        result = CliRunner().invoke(main, ["promote"], env={"MLFLOW_TRACKING_URI": chosen})
        assert result.exit_code == 0, result.output
        said.append(result.output.splitlines()[-2:])
        mlflow.set_tracking_uri(uri)
    assert said[0] == [
        f"runs and models: mlflow ui --backend-store-uri {uri}",
        f"for mlflow models serve and run: export MLFLOW_TRACKING_URI={uri}",
    ]
    assert "is the champion already" in said[1][-1]


def test_a_training_leaves_what_promotion_needs(trained, manifest):
    version = mlflow.MlflowClient().get_model_version(MODEL_NAME, trained.version)
    tags = {name: float(value) for name, value in version.tags.items() if "l2_ab" in name}
    true = np.stack([poster["ab"] for poster in posters(manifest, "validation")])
    gray = np.mean(np.square(true.astype(float)))
    assert tags["validation.gray.l2_ab"] == pytest.approx(gray, rel=1e-6)
    assert 0 < tags["validation.mean_color.l2_ab"] != gray
    assert tags["validation.told_palette.l2_ab"] < tags["validation.l2_ab"]
    logged = mlflow.get_run(trained.run_id).data.metrics
    assert logged["validation/told_palette/l2_ab"] == tags["validation.told_palette.l2_ab"]
    assert logged["validation/l2_ab"] == tags["validation.l2_ab"]
    assert validated_metrics(version.tags) == trained.measured
    assert named_validation(trained.measured) == {
        name: value for name, value in logged.items() if name.startswith("validation/")
    }
