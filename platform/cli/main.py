"""The command `recolor`: a group of commands, which lie in the files beside this one.

A new command is a function there and a line in `COMMANDS`. Its file imports nothing heavy at its
top, so that `recolor --help` answers at once.
"""

import atexit
import gc
from pathlib import Path

import click

from recolor.datasets.catalog import Catalog
from recolor.platform.cli.errors import one_line_errors
from recolor.platform.cli.messages import messages
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
        "show": "recolor.platform.cli.show:show",
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
        """Return the names of all commands, in the order of `COMMANDS`."""
        return list(COMMANDS)

    def invoke(self, ctx):
        """Run a command, and report what goes wrong in one line."""
        known = one_line_errors(lambda: COMMANDS.get(ctx.invoked_subcommand))
        with messages(**ctx.params), known, interruptible():
            try:
                return super().invoke(ctx)
            except click.NoSuchOption as error:
                if any(error.option_name in one.opts for one in self.params):
                    error.message += f" It goes before the command: recolor {error.option_name} ..."
                    error.possibilities = None
                raise


@click.group(
    cls=Commands,
    commands=COMMANDS,
    context_settings={
        "help_option_names": ["-h", "--help"],
        # Every option can be set by an environment variable, `train --epochs` for example by
        # RECOLOR_TRAIN_EPOCHS. An empty variable counts as unset. MLflow Projects pass their
        # parameters on in this way.
        "auto_envvar_prefix": "RECOLOR",
    },
)
@click.version_option(package_name="poster-recolor")
@click.option("--quiet", is_flag=True, help="Print only what was asked for, warnings and errors.")
@click.option(
    "--log-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Append what is said to a file, with the time.",
)
def main(quiet, log_file):
    """Recolor movie posters.

    Prepare posters, train a network, evaluate it, promote it, apply it. Runs and models are kept
    in the MLflow store that MLFLOW_TRACKING_URI names, or else in the folder mlruns.

    Progress is drawn on a terminal; elsewhere it is a line every half a minute.

    With RECOLOR_DEBUG=1, errors show their tracebacks.
    """
    # TensorFlow and MLflow make 700,000 objects that stay. To look through them while they are
    # imported, and once more at the end, takes two seconds.
    gc.set_threshold(10_000)
    atexit.register(gc.freeze)


if __name__ == "__main__":
    main(prog_name="recolor")
