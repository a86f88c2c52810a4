"""The data set of a command, or several that it reads as one."""

import click

from recolor.platform.cli.printable import printable


def read_data(places):
    """Read what `--data` names; of several data sets, say what comes together.

    Args:
        places: Where they are.

    Returns:
        A `Dataset`.
    """
    from recolor.datasets.combination import Combination
    from recolor.datasets.dataset import Dataset

    data = Dataset(*places)
    manifest = data.manifest
    if isinstance(manifest, Combination):
        first = manifest.data_sets[0]
        left_out = (
            (manifest.like_held_out, f"like posters that {first} holds out"),
            (manifest.known, "there already"),
        )
        said = [f"{len(numbers)} {why}" for numbers, why in left_out if numbers]
        more = f"; left out: {', '.join(said)}" if said else ""
        counts = f"{manifest.count('train')} training posters of {manifest}"
        click.echo(printable(f"{counts}{more}"), err=True)
    return data
