"""Evaluations as MLflow records them."""

from dataclasses import replace

import mlflow
import pytest

from recolor.models.decoding.options import Decoding
from recolor.platform.experiments.evaluation import evaluate_models
from recolor.platform.registry.model import load_model
from recolor.platform.registry.promotion import promote

pytestmark = pytest.mark.usefixtures("bundled_networks_loaded_once")


def newest_run() -> mlflow.entities.Run:
    return mlflow.search_runs(output_format="list", max_results=1)[0]


@pytest.mark.slow
def test_metrics_of_an_evaluation_are_named_by_kind_and_version(manifest, trained):
    """So that runs can be compared. Two sources that share a name are told apart."""
    uri = f"models:/poster-recolor/{trained.version}"
    again = load_model(uri)
    other = "file of weights"
    told = ("nothing", "palette+hints5")
    models = [again, load_model("classification"), replace(again, source=other)]
    columns = evaluate_models(manifest, "test", models, told=told).columns
    run, version = newest_run(), f"classification_v{trained.version}"
    assert run.info.run_name == f"evaluate test: {version}, classification, {version}_2"
    assert f"- `classification`: {models[1].about}" in run.data.tags["mlflow.note.content"]
    logged = run.data.metrics
    found = {name.removesuffix("/l2_ab") for name in logged if name.endswith("/l2_ab")}
    names = (version, "classification", f"{version}_2")
    assert found == {
        *names, *(f"{name}.told_palette_hints5" for name in names), "gray", "mean_color",
        *("own_mean_color", "lightness_under_the_palette", "matched_histograms"),
        *("matched_deviations", "truth"),
    }  # fmt: skip
    assert logged[f"{version}/l2_ab"] == columns[uri]["l2_ab"]
    assert (
        logged[f"{version}.told_palette_hints5/ssim"]
        == (columns[f"{uri}, told palette+hints5"]["ssim"])
    )


def test_an_evaluation_records_which_version_an_alias_stood_for(manifest, trained):
    promote("l2_ab", trained.version, force=True)
    model = load_model("models:/poster-recolor@champion")
    evaluate_models(manifest, "test", [model, load_model("regression")], Decoding(vividness=0.25))
    run = newest_run()
    label, version = (
        model.label,
        mlflow.MlflowClient().get_model_version("poster-recolor", trained.version),
    )
    parameters = run.data.params
    assert parameters[f"{label}.version"] == trained.version
    assert f"version {trained.version} (champion; classification" in parameters[f"{label}.model"]
    assert parameters[f"{label}.temperature"] == str(model.painter.network.own.temperature)
    assert parameters[f"{label}.vividness"] == parameters["regression.vividness"] == "0.25"
    assert "regression.version" not in parameters
    (read,) = mlflow.get_run(run.info.run_id).inputs.model_inputs
    assert version.source == f"models:/{read.model_id}"


def test_a_scoring_that_fails_leaves_a_failed_run(manifest, store):
    def interrupt(count):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        evaluate_models(manifest, "test", [], progress=interrupt)
    run = newest_run()
    assert (run.info.run_name, run.info.status) == ("evaluate test", "FAILED")
    assert run.data.tags["dataset.digest"] == manifest.digest
