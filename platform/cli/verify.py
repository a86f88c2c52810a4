"""`recolor verify`."""

import click

from recolor.platform.cli.libraries import ignore_warnings
from recolor.platform.cli.messages import say, warn
from recolor.platform.cli.options import TEXT, Place, Repeated
from recolor.platform.cli.output import printable, progress_bar


@click.command()
@click.argument("data", type=Place())
@click.option(
    "--repair",
    cls=Repeated,
    type=Place(),
    metavar="IMAGES",
    help="Make damaged files again, of the images in this folder. May be repeated.",
)
@click.option(
    "--embedding",
    type=TEXT,
    metavar="PATH",
    help="The data set's embedding, if that is a file of weights.",
)
def verify(data, repair, embedding):
    """Find damaged files of a data set by their checksums.

    With --repair, they are made again, byte for byte what they were. The exit status is 1 if
    something is damaged and not made again.
    """
    ignore_warnings()
    from recolor.datasets.manifest import Manifest
    from recolor.datasets.verification import damaged_files
    from recolor.datasets.verification import repair as repair_files

    manifest = Manifest.describe(data)
    found = damaged_files(
        manifest, lambda files: progress_bar(len(files), "checking", files, "files")
    )
    if not found:
        say(printable(f"{data} is whole: {len(manifest.files)} files"))
        return
    for file, what in found:
        warn(printable(f"{file}: {what}"))
    if not repair:
        raise click.ClickException(
            f"{len(found)} of {len(manifest.files)} files are missing or damaged: "
            "--repair IMAGES makes them again"
        )
    repair_files(
        manifest,
        [file for file, _ in found],
        list(repair),
        embedding=embedding,
        progress=lambda files: progress_bar(len(files), "repairing", files, "files"),
    )
    say(printable(f"made again: {', '.join(file.name for file, _ in found)}"))
