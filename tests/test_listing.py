"""`recolor models`, and what every version says of itself."""

import json
import re
from pathlib import Path

import mlflow
import pytest
from click.testing import CliRunner
from conftest import environment

from recolor.platform.cli.main import main
from recolor.platform.registry.promotion import promote, rollback
from recolor.platform.registry.versions import (
    CHAMPION,
    MODEL_NAME,
    POSTERS_TAG,
    version_uri,
)


def models(*options: str) -> str:
    result = CliRunner().invoke(main, ["models", *options])
    assert result.exit_code == 0, result.output
    return result.output


def cells(output: str) -> list[dict[str, str]]:
    """The rows of the table, by its header."""
    lines = [line for line in output.splitlines() if line.startswith("|")]
    header, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines)
    return [dict(zip(header, row, strict=True)) for row in rows]


def row_of(trained) -> dict[str, str]:
    """A version's row; other tests may have registered more."""
    (row,) = [row for row in cells(models()) if row["version"] == trained.version]
    return row


def test_without_a_store_none_is_made(recolor, tmp_path):
    variables = environment("")
    result = recolor("models", env=variables, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "no model is registered yet: train one with `recolor train`\n"
    assert not list(tmp_path.iterdir())


def test_an_empty_registry(versions):
    assert models() == "no model is registered yet: train one with `recolor train`\n"
    assert models("--history").startswith("no promotion is recorded yet")
    assert models("--json") == models("--history", "--json") == "[]\n"


def test_a_trained_version_with_where_it_came_from(copied_store, trained, manifest):
    client = mlflow.MlflowClient()
    client.set_tag(trained.run_id, "study", "learning rates")
    client.set_registered_model_alias(MODEL_NAME, CHAMPION, trained.version)
    shown = row_of(trained)
    assert shown["version"] == trained.version
    assert (shown["alias"], shown["kind"]) == ("champion", "classification")
    assert shown["told"] == f"{trained.metrics['told_palette.l2_ab']:.1f}"
    assert shown["free"] == f"{trained.metrics['l2_ab']:.1f}"
    assert (shown["data"], shown["posters"]) == (manifest.digest[:8], "20")
    assert (shown["run"], shown["study"]) == (trained.run_id[:8], "learning rates")
    assert re.fullmatch(r"[0-9a-f]{8}(-dirty)?", shown["commit"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", shown["registered (UTC)"])
    wholes = json.loads(models("--json"))
    (whole,) = [whole for whole in wholes if whole["run"] == trained.run_id]
    assert whole["metrics"] == pytest.approx(trained.metrics)
    assert (whole["data"], whole["run"]) == (manifest.digest, trained.run_id)
    tags = mlflow.get_run(trained.run_id).data.tags
    assert whole["commit"] == tags["mlflow.source.git.commit"]
    assert whole["dirty"] == (tags["git.dirty"] == "true")


def test_the_newest_version_first_and_what_is_not_known_as_a_dash(versions):
    versions(l2_ab=230)
    for _ in range(9):
        versions("data-2")
    shown = cells(models())
    assert [row["version"] for row in shown] == [str(number) for number in range(10, 0, -1)]
    assert (shown[0]["free"], shown[-1]["free"]) == ("-", "230.0")
    # Columns in which nothing is known.
    assert not {"alias", "told", "run", "study", "commit"} & set(shown[0])


def test_tags_that_someone_has_edited_count_as_unknown(versions):
    versions(l2_ab=230)
    number = versions(l2_ab=220)
    for name in (POSTERS_TAG, "validation.l2_ab"):
        mlflow.MlflowClient().set_model_version_tag(MODEL_NAME, number, name, "x")
    assert [row["free"] for row in cells(models())] == ["-", "230.0"]


def test_a_version_outlives_its_run(copied_store, trained):
    mlflow.delete_run(trained.run_id)
    assert row_of(trained)["run"] == trained.run_id[:8]


def test_the_history_is_shown_whole(versions):
    for value in (230, 220):
        versions(l2_ab=value)
    promote("l2_ab", "1")
    promote("l2_ab", "2", reason="sharper |\nand calmer")
    rollback()
    shown = cells(models("--history").replace("sharper |", "sharper"))
    assert [(row["from"], row["to"]) for row in shown] == [("-", "1"), ("1", "2"), ("2", "1")]
    assert shown[1]["reason"] == "l2_ab 220, free (version 1: l2_ab 230, free); sharper and calmer"
    assert all(re.fullmatch(r"\d{4}(-\d\d){2} \d\d(:\d\d){2}", row["time (UTC)"]) for row in shown)
    changes = json.loads(models("--history", "--json"))
    assert [change["to_value"] for change in changes] == [230, 220, None]


def test_a_version_has_a_description_and_a_model_card(trained, manifest, tmp_path):
    version = mlflow.MlflowClient().get_model_version(MODEL_NAME, trained.version)
    told = trained.metrics["told_palette.l2_ab"]
    gray = trained.metrics["gray.l2_ab"]
    for words in ("A classification network, trained on 20 posters", f"palette {told:.4g}"):
        assert words in version.description
    # All of it from its first moment: a kill does not leave a version without its tags.
    assert version.last_updated_timestamp == version.creation_timestamp
    model = mlflow.MlflowClient().get_registered_model(MODEL_NAME)
    assert model.description.startswith("Networks that recolor movie posters.")
    uri = f"{version_uri(trained.version)}/artifacts/model_card"
    card = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(tmp_path)))
    text = (card / "model_card.md").read_text(encoding="utf-8")
    assert mlflow.artifacts.load_text(f"runs:/{trained.run_id}/model_card.md") == text
    assert version.description in text and manifest.digest in text
    assert "20 to train, 6 to validate, 4 to test" in text and "- epochs: 2\n" in text
    (row,) = [line for line in text.splitlines() if line.startswith("| L2ab")]
    assert f"{told:.1f}" in row and f"{gray:.1f}" in row
    limits = text.split("## Limits")[1]
    assert ("Its free answer is worse than gray" in limits) == (trained.metrics["l2_ab"] > gray)
    pictures = re.findall(r"\]\(([^)]+)\)", text)
    assert len(pictures) == 2 and all((card / name).is_file() for name in pictures)
