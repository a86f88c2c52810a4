"""`recolor evaluate`."""

from json import dumps
from pathlib import Path

import click

from recolor.datasets.atomic_file import atomic_write, check_writable
from recolor.datasets.splits import SPLITS
from recolor.platform.cli.declared_options import decoding_of_options, decoding_options
from recolor.platform.cli.libraries import check_backend, quiet_mlflow
from recolor.platform.cli.messages import say, warn
from recolor.platform.cli.options import (
    DATA,
    LIBRARY,
    MODEL_METAVAR,
    OUTPUT_FILE,
    TEXT,
    Repeated,
    read_data,
)
from recolor.platform.cli.output import progress_bar

PALETTE = (
    "Colors to decode all posters under, where --told does not say: auto, none, a scheme's name or "
    "number, another picture's path, or colors as #0b3c5d,orange:3.  [default: none]"
)


@click.command()
@DATA
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True)
@click.option(
    "--model",
    cls=Repeated,
    type=TEXT,
    metavar=MODEL_METAVAR,
    help="The champion, another registered model, a file of weights, an ONNX file of `recolor "
    "export`, or the kind of a bundled network. May be repeated.",
)
@click.option(
    "--told",
    cls=Repeated,
    metavar="nothing|auto|palette|bestN|hintsN|palette+hintsN|palette+source|aged|unaged",
    help="What the models are told of each gray poster: nothing, its own palette, its true color "
    "at N points; or they choose a scheme (auto), or make N suggestions, of which the best counts. "
    "Or they recolor the poster, in other colors that only say what belongs together, to its own "
    "palette (palette+source). Or they restore the colored poster, artificially aged (always in "
    "the same way) or as it is (unaged). May be repeated.  [default: nothing]",
)
@decoding_options(
    *("palette", "strength", "temperature", "vividness", "neutrals"),
    palette=PALETTE,
)
@click.option(
    "--kernel-distance",
    is_flag=True,
    help="Also measure how much the recolored posters look like up to 2000 other true ones to "
    "EfficientNet-Lite0. It takes a few minutes.",
)
@LIBRARY
@click.option("--markdown", type=OUTPUT_FILE, metavar="FILE", help="Write the table as Markdown.")
@click.option(
    "--json",
    type=OUTPUT_FILE,
    metavar="FILE",
    help="Write the figures as JSON.",
)
def evaluate(data, split, model, told, kernel_distance, library, markdown, json, **options):
    """Compute all metrics of models, and of answers without a model, over a split.

    Answers are only to be compared with those that were told the same: every column says it.
    """
    from recolor.evaluation.told import NOTHING, Told
    from recolor.platform.registry.sources import check_source

    # What is typed wrong is said before the seconds that MLflow and TensorFlow take.
    decoding = decoding_of_options(options, library)
    told = told or (NOTHING,)
    for text in told:
        Told.parse(text)
    for source in model:
        check_source(source)
    data = read_data(data)
    check_backend()
    for file in filter(None, (markdown, json)):
        check_writable(file.parent)
    quiet_mlflow()
    from recolor.evaluation import tables
    from recolor.platform.registry.model import load_model
    from recolor.platform.tracking import store

    store.connect(to_write=True)
    store.choose_experiment()
    models = [load_model(source, library) for source in model]
    from recolor.platform.experiments.evaluation import evaluate

    for one in models:
        say(f"{one.source}: {one.about}", err=True)
        if one.may_know(data.manifest, split):
            warn(f"warning: {one.source} {tables.MAY_KNOW}")
    with progress_bar(data.manifest.count(split), "evaluating") as bar:
        evaluation = evaluate(
            data,
            models,
            told,
            split=split,
            decoding=decoding,
            kernel_distance=kernel_distance,
            progress=bar.update,
        )
    report = evaluation.to_markdown()
    click.echo(report, nl=False)
    if markdown:
        _write(markdown, report)
    if json:
        _write(json, dumps(evaluation.describe(), indent=2) + "\n")


def _write(file: Path, text: str) -> None:
    with atomic_write(file) as temporary:
        temporary.write_text(text, encoding="utf-8")
