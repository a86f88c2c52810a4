"""What the documents point to is there, and the commands in them can be run."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import ROOT, own_store
from mlflow.cli import cli as mlflow_command

from recolor.datasets.demo_posters import generate_demo_posters
from recolor.models.weights import SUFFIX
from recolor.platform.cli.main import COMMANDS, main
from recolor.platform.cli.options import Place
from recolor.platform.serving.onnx_painter import SUFFIX as ONNX_SUFFIX

DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "models").rglob("*.md")]
README = ROOT / "README.md"
# Options of the README's tour, and what makes it a matter of minutes.
SMALLER = {"240": "30", "200,20,20": "20,6,4", "15": "1"}
# It does not end by itself.
NOT_RUN = {"serve"}

by_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def commands(text: str, folder: Path) -> list[list[str]]:
    """The arguments of `recolor` wherever a text's console blocks call it.

    Bash reads them, for the sake of its loops, variables and quotes. It finds no other program, and
    writes only to the folder.
    """
    script = "".join(re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    record = "recolor() { printf '%s\\0' \"$@\" $'\\n' >&3; }\n"
    calls = folder / "calls"
    with calls.open("wb") as file:
        subprocess.run(
            ["/bin/bash", "-c", f"exec 3>&1 >/dev/null 2>&1\n{record}{script}"],
            cwd=folder, env={"HOME": str(folder), "PATH": ""}, stdin=subprocess.DEVNULL,
            stdout=file, check=False,
        )  # fmt: skip
    return [call.split("\0")[:-1] for call in calls.read_text().split("\n\0")[:-1]]


@by_document
def test_links_and_pictures_lead_to_files(document):
    links = re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8"))
    missing = [link for link in links if not (document.parent / link).is_file()]
    assert not missing


@by_document
def test_commands_are_understood(document, tmp_path):
    text = document.read_text(encoding="utf-8")
    found = commands(text, tmp_path)
    assert len(found) >= len(re.findall(r"^(?:\w+=\S+ )?recolor ", text, re.MULTILINE))
    for name, *arguments in found:
        # Raises where an option is unknown, or a value can't be converted.
        with COMMANDS[name].make_context(name, arguments) as context:
            given = context.params
        model = given.get("model")
        models = [*([model] if isinstance(model, str) else model or ())]
        models += filter(None, [given.get("initial_weights")])
        for file in (Path(one) for one in models if ":/" not in one):
            assert file.suffix in ("", SUFFIX, ONNX_SUFFIX), f"{name} {file}"


@by_document
def test_options_in_the_text_are_those_of_the_commands(document):
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)
    for name, rest in re.findall(r"`recolor ([a-z][a-z-]+)([^`]*)`", text):
        known = {"--help"}
        for parameter in COMMANDS[name].params:
            known |= {*parameter.opts, *parameter.secondary_opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, f"recolor {name}{rest}"


@by_document
def test_a_file_of_arrays_is_one_of_an_untracked_training(document, tmp_path):
    """Weights of a model are of another format."""
    text = document.read_text(encoding="utf-8")
    written = {word for call in commands(text, tmp_path) for word in call if word.endswith(".npz")}
    assert set(re.findall(r"[\w.-]+\.npz", text)) <= written


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")
def test_git_ignores_what_the_readmes_commands_write(tmp_path):
    written = set()
    for name, *arguments in commands(README.read_text(encoding="utf-8"), tmp_path):
        with COMMANDS[name].make_context(name, arguments) as context:
            for one in context.command.params:
                if isinstance(one.type, Place) and one.type.writable and context.params[one.name]:
                    written.add(context.params[one.name].parts[0])
    # A place of the user's own.
    written.remove("path")
    command = ["git", "-C", ROOT, "check-ignore", *(f"{one}/" for one in written)]
    ignored = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    assert written and written == {line.rstrip("/") for line in ignored.splitlines()}


def test_mlflow_ui_is_told_of_the_store(monkeypatch):
    """It does not read the variable that MLflow's other commands read."""
    uri = "sqlite:////the/store.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    (line,) = re.findall("^mlflow ui.*$", README.read_text(encoding="utf-8"), re.MULTILINE)
    _, name, *arguments = shlex.split(os.path.expandvars(line))
    with mlflow_command.get_command(None, name).make_context(name, arguments) as context:
        assert context.params["backend_store_uri"] == uri


@pytest.mark.slow
def test_the_readmes_commands_run_as_written(tmp_path, monkeypatch):
    """From the first poster to the exported champion, with fewer posters and epochs."""
    monkeypatch.chdir(tmp_path)
    pictures = generate_demo_posters(tmp_path / "drawn", 3, "modern", seed=1)
    for picture, name in zip(pictures, ("poster.jpg", "other-poster.jpg", "scan.png"), strict=True):
        picture.rename(tmp_path / name)
    text = README.read_text(encoding="utf-8")
    tour = text[: text.index("## Your own posters")]
    with own_store(tmp_path):
        for call in commands(tour, tmp_path):
            if call[0] not in NOT_RUN:
                result = CliRunner().invoke(main, [SMALLER.get(word, word) for word in call])
                assert result.exit_code == 0, f"{call}: {result.output}"
    for file in re.findall(r"[\w-]+/[\w-]+\.jpg(?=\))", tour):
        assert (tmp_path / file).is_file() or (ROOT / file).is_file()
