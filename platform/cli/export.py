"""`recolor export`."""

import click

from recolor.platform.cli.libraries import quiet_mlflow, use_tensorflow
from recolor.platform.cli.messages import say
from recolor.platform.cli.options import MODEL_DEFAULT, MODEL_METAVAR, OVERWRITE, TEXT, Place
from recolor.platform.cli.output import printable
from recolor.platform.serving.export_target import FORMATS, ONNX, ExportError, check_target


@click.command()
@click.option("--out", type=Place(), required=True, help="Folder of a SavedModel, or ONNX file.")
@click.option("--format", type=click.Choice(FORMATS), required=True)
@click.option(
    "--model",
    metavar=MODEL_METAVAR,
    type=TEXT,
    help="The champion, another registered model, a file of weights, or the kind of a bundled "
    f"network.  {MODEL_DEFAULT}",
)
@OVERWRITE
def export(out, format, model, overwrite):
    """Write a model in a format that runs without recolor.

    It holds the whole model, from a gray picture to colors. What was written is compared with the
    model before it appears. docs/exports.md tells how to use it.
    """
    from recolor.platform.registry.sources import check_source
    from recolor.platform.serving.onnx_painter import SUFFIX, check_installed

    check_target(out, format, overwrite)
    if model and model.endswith(SUFFIX):
        raise ExportError(f"{model} was exported already: name the model that it was made of")
    if model:
        check_source(model)
    if format == ONNX:
        check_installed("onnx", "onnxruntime", "tf2onnx")
    use_tensorflow()
    quiet_mlflow()
    from recolor.platform.registry.model import embedding_network, facts, load_model
    from recolor.platform.serving.export import SIZES, export

    chosen = load_model(model)
    if chosen.restores:
        raise ExportError(
            f"{chosen.which} has no color network to export: `recolor apply --lut` writes what it "
            "does to an image"
        )
    weights = chosen.weights
    embedding = embedding_network(chosen.source, weights)
    kept = ", ".join([chosen.label, *facts(weights.size, weights.origin.get("training_posters"))])
    differences = export(format, weights, embedding, chosen.painter, kept, out)
    files = [out] if out.is_file() else [file for file in out.rglob("*") if file.is_file()]
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    say(printable(f"{out}: {format}, {megabytes:.1f} MB, of {chosen.about}"))
    shown = ", ".join(
        f"{difference:.2g} at {width}x{height}"
        for (width, height), difference in zip(SIZES, differences, strict=True)
    )
    say(f"largest difference from it, in gray levels of 255: {shown}")
