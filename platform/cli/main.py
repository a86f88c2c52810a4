"""The command `recolor`: a group of commands, which lie in the files beside this one.

A new command is a function there and a line in `COMMANDS`. Its file imports nothing heavy at its
top, so that `recolor --help` answers at once.
"""

import atexit
import gc

import click

from recolor.datasets.catalog import Catalog
from recolor.platform.cli.errors import one_line_errors
from recolor.platform.interruption import interruptible

# In the order in which they are used.
COMMANDS: Catalog[click.Command] = Catalog(
    {
        "demo-posters": "recolor.platform.cli.demo:demo_posters",
        "collect": "recolor.platform.cli.collect:collect",
        "prepare": "recolor.platform.cli.prepare:prepare",
        "verify": "recolor.platform.cli.verify:verify",
        "train": "recolor.platform.cli.train:train",
        "import-weights": "recolor.platform.cli.train:import_weights",
        "tune": "recolor.platform.cli.tune:tune",
        "studies": "recolor.platform.cli.tune:studies",
        "evaluate": "recolor.platform.cli.evaluate:evaluate",
        "ablate": "recolor.platform.cli.ablate:ablate",
        "models": "recolor.platform.cli.models:models",
        "promote": "recolor.platform.cli.promote:promote",
        "clean": "recolor.platform.cli.clean:clean",
        "apply": "recolor.platform.cli.apply:apply",
        "serve": "recolor.platform.cli.serve:serve",
        "export": "recolor.platform.cli.export:export",
        "print": "recolor.platform.cli.print:print_",
        "palettes": "recolor.platform.cli.palettes:palettes",
        "demo": "recolor.platform.cli.demo:demo",
    }
)


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
