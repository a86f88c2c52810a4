"""The MLflow project: its entry points are the commands, and `mlflow run` runs them."""

import re
import subprocess
import sys

import click
import mlflow
import pytest
import yaml
from conftest import ROOT, environment

from recolor.platform.cli.main import COMMANDS

PROJECT = yaml.safe_load((ROOT / "MLproject").read_text())
ENTRY_POINTS = PROJECT["entry_points"]


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_parameters_are_the_options_of_the_command(name):
    command = COMMANDS[name]
    options = {
        parameter.opts[-1].lstrip("-").replace("-", "_")
        for parameter in command.params
        if isinstance(parameter, (click.Option, click.Argument))
    }
    # An entry point of MLflow is a tracked one.
    assert set(ENTRY_POINTS[name]["parameters"]) == options - {"untracked"}


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_every_parameter_reaches_its_option(name):
    parameters = set(ENTRY_POINTS[name]["parameters"])
    command = ENTRY_POINTS[name]["command"]
    variables = dict(re.findall(r"(RECOLOR_\w+)=\{(\w+)\}", command))
    assert set(variables.values()) == parameters - {"images", "file"}
    prefix = f"RECOLOR_{name}_".upper().replace("-", "_")
    known = {
        parameter.envvar or prefix + parameter.name.upper() for parameter in COMMANDS[name].params
    }
    assert set(variables) <= known


def test_the_constraints_pin_every_requirement():
    pinned = {
        re.split("[=; ]", line)[0] for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    setup = (ROOT / "setup.py").read_text()
    for requirement in re.findall(r'"([a-z-]+)[>=]=', setup):
        # PyTorch is an extra that the tests do without.
        assert requirement in pinned or requirement in ("python", "torch"), requirement


def mlflow_run(store: str, entry_point: str, **parameters) -> subprocess.CompletedProcess:
    arguments = [word for item in parameters.items() for word in ("-P", "=".join(map(str, item)))]
    command = [sys.executable, "-m", "mlflow", "run", ROOT, "-e", entry_point, *arguments]
    return subprocess.run(
        [*command, "--env-manager", "local", "--experiment-name", "recolor"],
        env=environment(store),
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_mlflow_run_trains_in_the_run_that_it_made(manifest, store):
    """Also with a learning rate that is written in another way than Python would."""
    client = mlflow.MlflowClient(store)
    experiment = client.get_experiment_by_name("recolor").experiment_id
    before = {run.info.run_id for run in client.search_runs([experiment])}
    result = mlflow_run(
        store, "train", data=manifest.folder, model="regression", epochs=1, batch_size=10,
        learning_rate="1e-4",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    (run,) = (run for run in client.search_runs([experiment]) if run.info.run_id not in before)
    assert run.info.status == "FINISHED"
    assert run.data.params["model"] == "regression"
    assert run.data.params["batch_size"] == "10"
    assert run.data.params["learning_rate"] == "1e-4"
    assert run.data.params["learning_rate.used"] == "0.0001"
    assert run.data.params["seed.used"] == "0"
    assert "validation.l2_ab" in run.data.metrics


@pytest.mark.slow
def test_mlflow_run_reproduces_in_the_run_that_it_made(manifest, store, posters, tmp_path):
    """The trainings are runs within it, though MLflow has named one run to the process."""
    client = mlflow.MlflowClient(store)
    experiment = client.get_experiment_by_name("recolor").experiment_id
    before = {run.info.run_id for run in client.search_runs([experiment])}
    result = mlflow_run(
        store, "reproduce", data=manifest.folder, scale=0.004, out=tmp_path / "out", old=posters[0]
    )
    assert result.returncode == 0, result.stderr
    runs = [run for run in client.search_runs([experiment]) if run.info.run_id not in before]
    (whole,) = (run for run in runs if "mlflow.parentRunId" not in run.data.tags)
    assert whole.data.tags["mlflow.project.entryPoint"] == "reproduce"
    assert "classification.n_classes" in whole.data.metrics
    assert {run.info.run_name for run in runs} >= {"train regression", "train classification"}
    assert (tmp_path / "out" / "report" / "report.html").exists()


@pytest.mark.slow
def test_mlflow_run_fails_where_the_command_fails(store, tmp_path):
    result = mlflow_run(store, "train", data=tmp_path, model="regression")
    assert result.returncode != 0
    assert "is not a whole data set" in result.stderr
