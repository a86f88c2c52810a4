"""The command `recolor`: a group of commands, each in a file of its own beside this one.

A new command is a new file and a name in `NAMES`. A command's file imports nothing heavy at its
top, so that `recolor --help` answers at once.
"""

import atexit
import gc

import click

from recolor.datasets.catalog import Catalog
from recolor.platform.cli.errors import one_line_errors
from recolor.platform.tracking.interruption import interruptible

# In the order in which they are used.
NAMES = (
    "demo-posters",
    "collect",
    "prepare",
    "verify",
    "train",
    "import-weights",
    "tune",
    "studies",
    "evaluate",
    "ablate",
    "models",
    "promote",
    "clean",
    "apply",
    "serve",
    "export",
    "palettes",
    "demo",
)


def _place(name: str) -> str:
    function = name.replace("-", "_")
    return f"recolor.platform.cli.{function}:{function}"


COMMANDS: Catalog[click.Command] = Catalog({name: _place(name) for name in NAMES})


class Commands(click.Group):
    """A group that imports a command when it is first needed."""

    def list_commands(self, ctx):
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx, name):
        """Return a command; None if the name is unknown."""
        return COMMANDS.get(name)

    def invoke(self, ctx):
        """Run a command, and report what goes wrong in one line."""
        with one_line_errors(lambda: COMMANDS.get(ctx.invoked_subcommand)), interruptible():
            return super().invoke(ctx)


@click.group(
    cls=Commands,
    context_settings={
        "help_option_names": ["-h", "--help"],
        # Every option can be set by an environment variable, `train --epochs` for example by
        # RECOLOR_TRAIN_EPOCHS. An empty variable counts as unset. MLflow Projects pass their
        # parameters on in this way.
        "auto_envvar_prefix": "RECOLOR",
    },
)
@click.version_option(package_name="poster-recolor")
def main():
    """Recolor movie posters.

    Prepare posters, train a network, evaluate it, promote it, apply it. Runs and models are kept
    in the MLflow store that MLFLOW_TRACKING_URI names, or else in the folder mlruns.

    With RECOLOR_DEBUG=1, errors show their tracebacks.
    """
    # TensorFlow and MLflow make 700,000 objects that stay. To look through them while they are
    # imported, and once more at the end, takes two seconds.
    gc.set_threshold(10_000)
    atexit.register(gc.freeze)


if __name__ == "__main__":
    main(prog_name="recolor")
