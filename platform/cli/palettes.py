"""`recolor palettes`."""

from json import dumps

import click

from recolor.datasets.atomic_file import atomic_write
from recolor.platform.cli.messages import say
from recolor.platform.cli.options import INPUT, JSON, LIBRARY, OUTPUT_FILE
from recolor.platform.cli.output import progress_bar


@click.command()
@click.option("--make", type=INPUT, metavar="DATA", help="Make a library of a prepared data set.")
@click.option(
    "--count",
    type=click.IntRange(2, 256),
    default=42,
    show_default=True,
    help="With --make: number of schemes; fewer if posters are alike.",
)
@click.option("--out", type=OUTPUT_FILE, metavar="FILE", help="With --make: the library's file.")
@click.option(
    "--chart", type=OUTPUT_FILE, metavar="FILE", help="Draw the color schemes as one picture."
)
@LIBRARY
@JSON
def palettes(make, count, out, chart, library, json):
    """List the color schemes to choose from, or make new ones from a data set."""
    from recolor.datasets.palettes.library import load_library

    if bool(make) != bool(out):
        raise click.UsageError("--make and --out go together")
    if not make:
        found = load_library(library)
    else:
        from recolor.datasets.manifest import Manifest
        from recolor.datasets.palettes.schemes import library_of

        manifest = Manifest.load(make)
        with progress_bar(manifest.count("train"), "counting") as bar:
            found = library_of(manifest, count, bar.update)
        with atomic_write(out) as temporary:
            found.save(temporary)
    schemes = [
        {
            "number": number,
            "name": palette.name,
            "share": round(float(share), 4),
            "colors": [color for color, _ in palette.swatch],
        }
        for number, (palette, share) in enumerate(
            zip(found.palettes, found.commonness, strict=True), 1
        )
    ]
    if json:
        click.echo(dumps(schemes, indent=2))
    else:
        for scheme in schemes:
            colors = " ".join(scheme["colors"])
            share = f"{100 * scheme['share']:4.1f} %"
            click.echo(f"{scheme['number']:3}  {share}  {scheme['name']:34}  {colors}")
    if chart:
        from recolor.evaluation.sheets import palette_chart

        picture = palette_chart(found.palettes, found.commonness)
        with atomic_write(chart) as temporary:
            picture.save(temporary, "PNG")
        say(f"drawn: {chart}", err=json)
