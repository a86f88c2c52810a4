"""A tracking server: PostgreSQL behind it, artifacts that it hands out itself; and its absence."""

import re
import shlex

import mlflow
import pytest
from click.testing import CliRunner
from conftest import compared, store_in_use
from forge import Command, wait_until
from mlflow.entities.model_registry import ModelVersion

from recolor.datasets.manifest import Manifest
from recolor.datasets.preparation import prepare
from recolor.platform.cli.main import main
from recolor.platform.registry.versions import MODEL_NAME
from recolor.platform.tracking.checkpoints import newest_checkpoint

pytestmark = pytest.mark.usefixtures("small_network")
EPOCHS = 30


@pytest.fixture
def server(tracking_server):
    """The server, as the store of this process and its children."""
    with store_in_use(tracking_server.uri):
        yield tracking_server


@pytest.fixture(scope="module")
def data(posters, tmp_path_factory):
    """Few and small posters: many short epochs."""
    out = tmp_path_factory.mktemp("server") / "my data"
    prepare(posters, out, size=16, split=(6, 2, 2), embedding="none", seed=0, workers=1)
    return out


def begin(forge, folder, data, server, **variables) -> tuple[Command, str]:
    """Begin a training in a process of its own; return it and its run once it has two epochs."""
    command = forge.begin(
        *(folder, "train", "--data", data, "--model", "small", "--batch-size", 3),
        *("--epochs", EPOCHS), MLFLOW_TRACKING_URI=server.uri, **variables,
    )  # fmt: skip
    begun = wait_until(lambda: re.match(r"run (\w+);", command.said), command)
    client, run_id = mlflow.MlflowClient(), begun[1]
    wait_until(lambda: client.get_run(run_id).data.metrics.get("epochs", 0) >= 2, command)
    return command, run_id


def version_of_run(run_id: str) -> ModelVersion:
    """The only version that a run has registered."""
    versions = mlflow.MlflowClient().search_model_versions(f"name = '{MODEL_NAME}'")
    (version,) = (version for version in versions if version.run_id == run_id)
    return version


def check_that_nothing_is_lost(run_id: str, folder) -> None:
    client = mlflow.MlflowClient()
    assert client.get_run(run_id).info.status == "FINISHED"
    for name in ("epochs", "training/loss", "training/val_loss"):
        history = client.get_metric_history(run_id, name)
        assert [metric.step for metric in history] == list(range(1, EPOCHS + 1)), name
        times = [metric.timestamp for metric in history]
        assert times == sorted(times)
    checkpoint = newest_checkpoint(run_id)
    assert checkpoint.progress.epoch == EPOCHS
    losses = [metric.value for metric in client.get_metric_history(run_id, "training/loss")]
    assert losses == [epoch["loss"] for epoch in checkpoint.progress.history]
    assert version_of_run(run_id)
    assert not (folder / "mlruns" / "waiting").exists()


@pytest.mark.slow
def test_a_training_outlives_its_server_which_gets_everything_later(
    server, data, forge, tmp_path, posters
):
    folder = tmp_path / "here"
    folder.mkdir()
    command, run_id = begin(forge, folder, data, server)
    server.kill()
    waiting = folder / "mlruns" / "waiting" / run_id
    wait_until(lambda: len(list(waiting.glob("*.json"))) >= 3, command)
    server.start()
    status, said = command.wait().status, command.said
    assert status == 0, said
    gone = f"the tracking server {server.uri} does not answer: the training continues"
    assert said.count(gone) == 1, said
    check_that_nothing_is_lost(run_id, folder)

    # Better than the bundled network, which is not measured then.
    digest = Manifest.load(data).digest
    compared(digest).keep(str(version_of_run(run_id).version))
    picture = str(posters[0])
    options = ["--model", "champion", "--palette", "none"]
    apply = ["apply", picture, "--out", str(tmp_path / "out"), *options]
    for command in (["promote", "--force"], apply):
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 0, result.output
    assert "champion; small" in result.output


@pytest.mark.slow
def test_what_a_lost_server_does_not_have_is_brought_in_later(server, data, forge, tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    # By default the end of a training waits for minutes.
    command, run_id = begin(forge, folder, data, server, MLFLOW_HTTP_REQUEST_MAX_RETRIES="1")
    server.kill()
    status, said = command.wait().status, command.said
    assert status == 1, said
    (line,) = (line for line in said.splitlines() if line.startswith("Error: "))
    waiting = folder / "mlruns" / "waiting" / run_id
    assert f"metrics and checkpoint wait in {waiting}; to bring it in: recolor train" in line
    assert len(list((waiting / "checkpoint").iterdir())) == 1

    result = CliRunner().invoke(main, ["promote"])
    assert result.output.startswith(f"Error: the tracking server {server.uri} does not answer: ")
    assert result.output.count("\n") == 1

    server.start()
    program, *words = shlex.split(line.rpartition("to bring it in: ")[2])
    assert program == "recolor"
    # In another folder.
    ended = forge.call(tmp_path, *words, MLFLOW_TRACKING_URI=server.uri)
    assert ended.status == 0, ended.said
    check_that_nothing_is_lost(run_id, folder)
