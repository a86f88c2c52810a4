"""`recolor prepare`."""

import os
from contextlib import contextmanager

import click
from click.core import ParameterSource

from recolor.datasets.object_storage import RemotePath
from recolor.datasets.splits import SPLITS, parse_split
from recolor.platform.cli.libraries import ignore_warnings
from recolor.platform.cli.messages import say, warn
from recolor.platform.cli.options import (
    COUNT,
    ENGINES,
    INPUT,
    OUTPUT_ANYWHERE,
    OVERWRITE,
    RAY_ADDRESS,
    SEED,
    cluster_of,
)
from recolor.platform.cli.output import progress_bar, report_skipped

# What can't be done with a data set where a split is empty.
WITHOUT = {
    "train": "nothing can be trained on this data set",
    "validation": "what is trained on this data set can't be promoted",
    "test": "evaluate with --split validation or train",
}


@click.command()
@click.argument("images", nargs=-1, required=True, type=INPUT)
@click.option(
    "--out", type=OUTPUT_ANYWHERE, default="data", show_default=True, help="Folder to write to."
)
@click.option(
    "--size",
    # Few posters have more pixels. Up to 128 squares of 3 bytes a pixel are held at a time: 0.4 GB.
    type=click.IntRange(8, 1024),
    default=256,
    show_default=True,
    help="Side in pixels, a multiple of 8.",
)
@click.option(
    "--split",
    default="0.8,0.1,0.1",
    show_default=True,
    metavar="TRAIN,VALIDATION,TEST",
    help="Three counts, or three shares: 1,0,0 takes all for training.",
)
@click.option(
    "--embedding",
    default="none",
    show_default=True,
    metavar="imagenet|efficientnet-lite0|random|none|PATH",
    help="What a network of ImageNet sees in the gray poster. imagenet, random and PATH are "
    "weights of the paper's Inception-ResNet-v2: downloaded, random, or of a file. "
    "efficientnet-lite0 comes with recolor. none leaves it out.",
)
@click.option(
    "--compression",
    type=click.Choice(["none", "zlib", "webp"]),
    default="none",
    show_default=True,
    help="Of the pixels, without loss: webp takes 0.4 of the room, and 1 ms a poster to read.",
)
@click.option(
    "--workers", type=COUNT, help="Processes that read images.  [default: one for each core]"
)
@click.option(
    "--engine",
    type=ENGINES,
    default="local",
    show_default=True,
    help="Where images are read: on this machine, or on the machines of a Ray cluster.",
)
@RAY_ADDRESS
@click.option("--seed", type=SEED, default=10, show_default=True)
@OVERWRITE
@click.option(
    "--extend",
    is_flag=True,
    help="Add new posters to the training posters of the data set that is there. What is held out "
    "stays the same; new posters that are like one of those are left out.",
)
@click.pass_context
def prepare(
    context,
    images,
    out,
    size,
    split,
    embedding,
    compression,
    workers,
    engine,
    ray_address,
    seed,
    overwrite,
    extend,
):
    """Make a data set of image files and folders.

    Images that can't be used are skipped, and listed in skipped.tsv. After an interruption, the
    same command continues where it stopped. Images and --out may be in object storage: s3://...
    """
    using = cluster_of(engine, ray_address)
    if extend:
        if isinstance(out, RemotePath):
            raise click.UsageError("--extend: the data set must be on this machine")
        for name in ("size", "split", "compression", "engine", "seed", "overwrite"):
            if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
                raise click.UsageError(f"--{name} can't be chosen with --extend")
        given = context.get_parameter_source("embedding") is not ParameterSource.DEFAULT
        _extend(list(images), out, embedding if given else None, workers)
        return
    split = parse_split(split)
    for name, part in zip(SPLITS, split, strict=True):
        if not part:
            warn(f"no {name} posters: {WITHOUT[name]}")
    ignore_warnings()
    from recolor.datasets.skipped import SKIPPED_FILE
    from recolor.platform.experiments.preparation import prepare_and_draw

    with using as cluster, _progress() as show:
        manifest, skipped = prepare_and_draw(
            list(images),
            out,
            size=size,
            split=split,
            embedding=embedding,
            seed=seed,
            workers=workers,
            compression=compression,
            cluster=cluster,
            overwrite=overwrite,
            progress=show,
        )
    for name, part in zip(SPLITS, split, strict=True):
        if part and not manifest.count(name):
            warn(f"too few for any {name} posters: {WITHOUT[name]}")
    counts = ", ".join(f"{manifest.count(name)} {name}" for name in SPLITS)
    say(f"{counts} posters in {out}, digest {manifest.digest[:12]}")
    posters = manifest.content["posters"]
    left_over = posters["found"] - posters["skipped"] - posters["used"]
    if left_over:
        say(f"{left_over} more posters were left over by --split")
    if skipped:
        report_skipped(skipped, f"all of them in {out / SKIPPED_FILE}")


def _extend(images, out, embedding, workers):
    ignore_warnings()
    from recolor.datasets.extension import extend
    from recolor.datasets.skipped import SKIPPED_FILE
    from recolor.platform.experiments.preparation import draw

    with _progress() as show:
        extended = extend(
            images,
            out,
            embedding=embedding,
            workers=workers or os.cpu_count() or 1,
            progress=show,
            draw=draw,
        )
    manifest = extended.manifest
    counts = ", ".join(f"{manifest.count(name)} {name}" for name in SPLITS)
    say(f"{extended.added} posters are new: {counts}, digest {manifest.digest[:12]}")
    if extended.known:
        say(f"{extended.known} were there already")
    if extended.held_out:
        say(f"{extended.held_out} are like posters that are held out, and left out")
    if extended.skipped:
        report_skipped(extended.skipped, f"all of them in {out / SKIPPED_FILE}")


@contextmanager
def _progress():
    with progress_bar(None, "reading") as bar:

        def show(done, total, skipped):
            bar.total = total
            bar.set_postfix_str(f"{skipped} skipped" if skipped else "", refresh=False)
            bar.update(done - bar.n)

        yield show
