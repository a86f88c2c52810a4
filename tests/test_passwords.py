"""Passwords in URLs are never shown, whichever command names the URL."""

import mlflow
import optuna
import pytest
from click.testing import CliRunner
from conftest import store_in_use

from recolor.platform.cli.main import main
from recolor.platform.search.runs import study_run
from recolor.platform.search.study import RUN_ID
from recolor.platform.tracking.passwords import shown_url, without_passwords
from recolor.platform.tracking.server import what_failed
from recolor.platform.tracking.store import RunError

SECRET = "s3kret"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:s3kret@server:5000/path", "http://***@server:5000/path"),
        ("https://s3kret@server", "https://***@server"),
        ("http://user:a@s3kret/b@server", "http://***@server"),
        ("http://user:s3k?ret@server", "http://***"),
        ("http://user:1/s3kret@server", "http://***@server"),
        ("http://user:s3kret@[::1", "http://***@[::1"),
        ("http://user:s3kret@server:port", "http://***@server:port"),
        ("http:/user:s3kret@server", "http:/***@server"),
        ("http:///user:s3kret@server", "http:///***@server"),
        ("postgresql+psycopg://user:s3kret@host/db", "postgresql+psycopg://***@host/db"),
        ("postgresql://host:1/db?user=u&password=s3kret", "postgresql://host:1/db?***"),
        ("postgresql://host:1/db?user=u&password=s3@s3kret", "postgresql://***"),
        ("postgresql:///db?%70assword=s3kret", "postgresql:///db?***"),
        ("sqlite:////home/me@work/a.db?key=s3kret", "sqlite:////home/me@work/a.db?***"),
        ("sqlite:///mlruns/mlflow.db", "sqlite:///mlruns/mlflow.db"),
        ("file:///home/me@work/mlruns", "file:///home/me@work/mlruns"),
        ("s3://bucket/films@home/1.jpg", "s3://bucket/films@home/1.jpg"),
        ("http://server:5000", "http://server:5000"),
        ("http://[::1]:5000", "http://[::1]:5000"),
        ("mlruns", "mlruns"),
    ],
)
def test_a_url_is_shown_without_what_is_secret(url, shown):
    assert shown_url(url) == shown
    if "://" in url:
        assert without_passwords(f"'{url}' failed ({url}): {url}.") == (
            f"'{shown}' failed ({shown}): {shown}."
        )


def test_other_texts_stay():
    for text in (
        "poster-recolor@champion is version 1",
        "models:/poster-recolor@champion can't be loaded",
        "a b@c: ://",
        "",
    ):
        assert without_passwords(text) == text


COMMANDS = {
    "train": ["--data", "{data}", "--model", "regression"],
    "tune": ["--data", "{data}", "--model", "regression"],
    "evaluate": ["--data", "{data}", "--model", "champion"],
    "ablate": ["{plan}"],
    "models": ["--json"],
    "promote": [],
    "clean": [],
    "apply": ["{posters}", "--out", "{out}", "--model", "champion"],
    "serve": ["--model", "champion"],
    "export": ["--format", "onnx", "--out", "{out}", "--model", "champion"],
}


def assert_hidden(*arguments, code: int = 1) -> None:

    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == code and "Error: " in result.output, (arguments, result.output)
    assert code == 2 or result.output.count("\n") == 1, (arguments, result.output)
    assert SECRET not in result.output


@pytest.mark.parametrize(
    "uri",
    [
        "http://user:s3kret@127.0.0.1:9",
        "postgresql+psycopg://127.0.0.1:9/none?user=u&password=s3kret",
        "http://user:s3kret@127.0.0.1:port",
        "http://user:s3kret@127.0.0.1:99999",
        "https://user:s3kret@[::1",
        "http:/user:s3kret@127.0.0.1",
        "postgresql://user:s3kret@127.0.0.1:port/none",
        "mysql://user:s3kret@127.0.0.1/none?password=s3kret",
        "none://user:s3kret@127.0.0.1",
    ],
)
def test_no_command_shows_the_password_of_its_store(uri, manifest, posters, tmp_path, monkeypatch):
    plan = tmp_path / "plan.toml"
    plan.write_text(f'[all]\ndata = ["{manifest.folder}"]\n[variants.a]\nmodel = "regression"\n')
    places = {"data": manifest.folder, "posters": posters[0], "out": tmp_path / "out", "plan": plan}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        for name, options in COMMANDS.items():
            assert_hidden(name, *(one.format(**places) for one in options))
        assert SECRET not in what_failed(OSError(f"no answer from {uri}"))
    finally:
        mlflow.set_tracking_uri(before)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert_hidden("studies", "--storage", uri)
    # Behind an option that was forgotten.
    assert_hidden("studies", uri, code=2)


def test_a_study_whose_run_is_in_another_store_shows_no_password(empty_database, tmp_path):
    study = optuna.create_study()
    study.set_user_attr(RUN_ID, "0" * 32)
    with (
        store_in_use(f"sqlite:///{empty_database}?password=s3kret"),
        pytest.raises(RunError, match="has its run in another MLflow store") as raised,
        study_run(study, None, None, f"sqlite:///{tmp_path}/studies.db"),
    ):
        pass
    assert f"{empty_database}?***" in str(raised.value)
