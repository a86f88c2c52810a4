"""`MLproject`, made of the commands: each is an entry point, its options are the parameters.

Options are passed by the environment variables that click reads (``RECOLOR_TRAIN_EPOCHS``), where
an empty one is left to its default. After a change of a command's options, in the project's root:

    python -m recolor.platform.cli.mlproject
"""

from pathlib import Path

import click
import yaml

from recolor.datasets.atomic_file import atomic_write
from recolor.platform.cli.main import COMMANDS

FILE = "MLproject"
HEADER = """\
# Made by `python -m recolor.platform.cli.mlproject`: change the commands, not this file.
# `recolor COMMAND --help` explains the parameters. One that may be repeated takes one value a line.
"""


def mlproject() -> str:
    """Return what belongs into the file."""
    project = {
        "name": "recolor",
        "python_env": "python_env.yaml",
        "entry_points": {name: _entry_point(name, command) for name, command in COMMANDS.items()},
    }
    return HEADER + yaml.safe_dump(project, sort_keys=False, default_flow_style=None, width=96)


def _entry_point(name: str, command: click.Command) -> dict:
    parameters, environment, arguments = {}, [], []
    for parameter in command.params:
        its_name = max(parameter.opts, key=len).lstrip("-").replace("-", "_")
        parameters[its_name] = _parameter(parameter)
        if isinstance(parameter, click.Argument):
            arguments.append(f"{{{its_name}}}")
        else:
            variable = f"RECOLOR_{name}_{its_name}".upper().replace("-", "_")
            environment.append(f"{variable}={{{its_name}}}")
    words = [*environment, "sh platform/project.sh", name, *arguments]
    return {"parameters": parameters, "command": " ".join(words)}


def _parameter(parameter: click.Parameter) -> dict:
    default = parameter.to_info_dict().get("default")
    if isinstance(default, bool):
        default = str(default).lower()
    if parameter.multiple:
        default = "\n".join(default or ())
    if default is None or parameter.nargs != 1:
        default = ""
    declared = {"type": _type(parameter)}
    return declared if parameter.required else {**declared, "default": default}


def _type(parameter: click.Parameter) -> str:
    if isinstance(parameter.type, (click.IntRange, click.FloatRange)):
        return "float"
    # Never `path`: if the path did not exist, MLflow would fail after starting a run, and leave it
    # open.
    return "string"


if __name__ == "__main__":
    with atomic_write(Path(FILE)) as temporary:
        temporary.write_text(mlproject(), encoding="utf-8")
