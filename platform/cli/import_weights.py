"""`recolor import-weights`."""

import click

from recolor.models.decoding.options import Decoding
from recolor.platform.cli.backend import use_tensorflow
from recolor.platform.cli.data import read_data
from recolor.platform.cli.decoding_options import decoding_options
from recolor.platform.cli.options import DATA, INPUT_FILE
from recolor.platform.cli.quiet import quiet_mlflow
from recolor.platform.cli.trained import report_trained


@click.command()
@click.argument("file", type=INPUT_FILE)
@DATA
@decoding_options(
    *("temperature", "vividness"),
    temperature="Of the model, where none is asked for: T of its annealed mean.  "
    "[default: as it was trained]",
    vividness="Of the model, where none is asked for.  [default: as it was trained]",
)
def import_weights(file, data, **decoding):
    """Register a file of `train --untracked` as a tracked run and a model.

    --data is the data set that it was trained on.
    """
    manifest = read_data(data).manifest
    use_tensorflow()
    quiet_mlflow()
    from recolor.platform.tracking import store

    # Before the seconds that TensorFlow takes.
    store.connect(to_write=True)
    from recolor.platform.training import publication

    report_trained(publication.import_weights(manifest, file, Decoding(**decoding)))
