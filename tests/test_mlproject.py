"""The MLflow project: its entry points are the commands, and `mlflow run` runs them."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click
import mlflow
import pytest
import yaml
from conftest import ROOT, environment
from mlflow.projects._project_spec import EntryPoint

from recolor.platform.cli import mlproject
from recolor.platform.cli.main import COMMANDS, main
from recolor.platform.cli.options import Several

PROJECT = yaml.safe_load((ROOT / mlproject.FILE).read_text())
ENTRY_POINTS = PROJECT["entry_points"]
# Options that take no other texts.
LENGTHS = {"print_size": "27x40in", "bleed": "3mm"}


def test_the_file_is_what_the_commands_make_of_it():
    assert (ROOT / mlproject.FILE).read_text() == mlproject.mlproject()


def test_every_command_is_an_entry_point_with_all_its_options():
    assert list(ENTRY_POINTS) == list(COMMANDS)
    for name, command in COMMANDS.items():
        options = {parameter.opts[-1].lstrip("-").replace("-", "_") for parameter in command.params}
        assert set(ENTRY_POINTS[name]["parameters"]) == options


def parsed(name: str, parameters: dict[str, str], monkeypatch) -> dict:
    """What a command gets of an entry point's parameters, by the way of MLflow and a shell."""
    line = EntryPoint(name, **ENTRY_POINTS[name]).compute_command(parameters, None)
    words = shlex.split(line)
    assert not [word for word in words if "{" in word]
    with monkeypatch.context() as patched:
        while "=" in words[0]:
            patched.setenv(*words.pop(0).split("=", 1))
        assert words[:3] == ["sh", "platform/project.sh", name]
        parent = click.Context(main, info_name="recolor", auto_envvar_prefix="RECOLOR")
        return COMMANDS[name].make_context(name, words[3:], parent).params


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_parameters_have_the_defaults_of_the_command(name, monkeypatch):
    """Nothing is given but what must be: the command gets what it gets on the command line."""
    required = {
        parameter for parameter, about in ENTRY_POINTS[name]["parameters"].items()
        if "default" not in about
    }  # fmt: skip
    given, typed = {}, []
    for parameter in COMMANDS[name].params:
        if parameter.required:
            value = getattr(parameter.type, "choices", ["here"])[0]
            given[parameter.opts[-1].lstrip("-").replace("-", "_")] = value
            option = [] if isinstance(parameter, click.Argument) else [parameter.opts[0]]
            typed += [*option, value]
    assert given.keys() == required
    assert parsed(name, given, monkeypatch) == COMMANDS[name].make_context(name, typed).params


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_every_parameter_reaches_its_option(name, monkeypatch):
    """Also where a value holds blanks, quotes or what a shell would take for its own."""
    given, expected = {}, {}
    for parameter in COMMANDS[name].params:
        its_name = parameter.opts[-1].lstrip("-").replace("-", "_")
        if isinstance(parameter.type, click.types.BoolParamType):
            given[its_name] = expected[parameter.name] = "true"
        elif isinstance(parameter.type, click.Choice):
            given[its_name] = expected[parameter.name] = parameter.type.choices[-1]
        elif isinstance(parameter.type, (click.IntRange, click.FloatRange)):
            given[its_name] = str(parameter.type.max or 12)
            expected[parameter.name] = float(given[its_name])
        else:
            text = LENGTHS.get(its_name, f'$HOME/a folder/it\'s "{its_name}" 50%.jpg')
            has_several = isinstance(parameter, Several)
            given[its_name] = f"{text}\nb c" if has_several else text
            several = (text, "b c") if has_several else (text,)
            several = tuple(parameter.type.convert(one, parameter, None) for one in several)
            one = parameter.nargs == 1 and not parameter.multiple
            expected[parameter.name] = several[0] if one else several
    found = parsed(name, given, monkeypatch)
    expected = {key: True if value == "true" else value for key, value in expected.items()}
    assert found == expected


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_what_is_not_there_is_left_to_the_command(name, tmp_path):
    """MLflow would fail when it has begun a run already, and leave that open for ever."""
    parameters = {
        parameter: "/nowhere" for parameter, about in ENTRY_POINTS[name]["parameters"].items()
        if about["type"] != "float"
    }  # fmt: skip
    line = EntryPoint(name, **ENTRY_POINTS[name]).compute_command(parameters, tmp_path)
    assert line.count("/nowhere") == len(parameters)


def test_the_constraints_pin_every_requirement():
    pinned = {
        re.split("[=; ]", line)[0] for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    setup = (ROOT / "setup.py").read_text()
    for requirement in re.findall(r'"([a-z-]+)[>=]=', setup):
        # Extras that the tests do without.
        extras = ("optuna-dashboard", "ray", "torch")
        assert requirement in pinned or requirement in ("python", *extras), requirement


@pytest.fixture
def no_pip(tmp_path) -> dict[str, str]:
    """An environment whose pip only leaves a note that it was called, and fails."""
    package = tmp_path / "path" / "pip"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    called = tmp_path / "called"
    (package / "__main__.py").write_text(
        f"import sys\nopen({str(called)!r}, 'w').write(' '.join(sys.argv[1:]))\nsys.exit(3)\n"
    )
    return {
        **os.environ,
        "PYTHONPATH": str(package.parent),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }


def project_sh(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess:
    command = ["sh", "platform/project.sh", "--version"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_nothing_is_installed_where_the_code_is_in_use_already(no_pip, tmp_path):
    result = project_sh(ROOT, no_pip)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"recolor, version {version('poster-recolor')}\n"
    # The same folder by another name.
    (tmp_path / "link").symlink_to(ROOT)
    assert project_sh(tmp_path / "link", no_pip).returncode == 0
    assert not (tmp_path / "called").exists()


def test_another_folder_of_code_is_installed_first(no_pip, tmp_path):
    other = tmp_path / "other clone"
    (other / "platform").mkdir(parents=True)
    shutil.copy(ROOT / "platform" / "project.sh", other / "platform")
    result = project_sh(other, no_pip)
    assert result.returncode == 3 and not result.stdout
    assert (tmp_path / "called").read_text().endswith("--no-build-isolation --editable .")


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
def test_mlflow_run_trains_in_the_run_that_it_made(manifest, store, small_network):
    """Also with a learning rate that is written in another way than Python would."""
    client = mlflow.MlflowClient(store)
    experiment = client.get_experiment_by_name("recolor").experiment_id
    before = {run.info.run_id for run in client.search_runs([experiment])}
    result = mlflow_run(
        store, "train", data=manifest.folder, model=small_network, epochs=1, batch_size=10,
        learning_rate="1e-4",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    (run,) = (run for run in client.search_runs([experiment]) if run.info.run_id not in before)
    assert run.info.status == "FINISHED"
    assert run.data.params["model"] == small_network
    assert run.data.params["batch_size"] == "10"
    assert run.data.params["learning_rate"] == "1e-4"
    assert run.data.params["learning_rate.used"] == "0.0001"
    assert run.data.params["seed.used"] == "0"
    assert "validation/l2_ab" in run.data.metrics


@pytest.mark.slow
def test_mlflow_run_tunes_in_the_run_that_it_made(manifest, store, small_network, tmp_path):
    client = mlflow.MlflowClient(store)
    experiment = client.get_experiment_by_name("recolor").experiment_id
    before = {run.info.run_id for run in client.search_runs([experiment])}
    result = mlflow_run(
        store, "tune", data=manifest.folder, model=small_network, epochs=1, batch_size=10, trials=1,
        storage=f"sqlite:///{tmp_path}/optuna.db", search="augment=none,mirror\nclip=1:10",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    runs = [run for run in client.search_runs([experiment]) if run.info.run_id not in before]
    (whole,) = (run for run in runs if "mlflow.parentRunId" not in run.data.tags)
    (trial,) = (run for run in runs if "mlflow.parentRunId" in run.data.tags)
    assert whole.data.tags["mlflow.project.entryPoint"] == "tune"
    assert trial.data.tags["mlflow.parentRunId"] == whole.info.run_id
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert whole.data.metrics["best_value"] == trial.data.metrics["training/val_loss"]


def test_mlflow_run_fails_where_the_command_fails(manifest, store):
    """The command gets two models, by paths with blanks that do not exist."""
    result = mlflow_run(store, "evaluate", data=manifest.folder, model="no such file\nregression")
    assert result.returncode != 0
    assert "Error: no such file is neither a file of weights nor" in result.stderr
