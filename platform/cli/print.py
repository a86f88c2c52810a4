"""`recolor print`."""

import click

from recolor.platform.cli.options import INPUT_FILE, OVERWRITE, Finite, Place
from recolor.platform.cli.output import SOME_SKIPPED, printable, progress_bar, report_skipped


class Typed(click.ParamType):
    """A length or a size on paper.

    Args:
        read: The function of `recolor.platform.printing.lengths` that reads it.
    """

    name = "text"

    def __init__(self, read: str):
        self._read = read

    def convert(self, value, param, ctx):
        """Read a text."""
        from recolor.platform.printing import lengths

        if not isinstance(value, str):
            return value
        try:
            return getattr(lengths, self._read)(value)
        except lengths.LengthError as error:
            self.fail(str(error), param, ctx)


@click.command("print")
@click.argument("results", nargs=-1, required=True, type=Place())
@click.option(
    "--out",
    type=Place(),
    required=True,
    metavar="FILE|FOLDER",
    help="File to write, as poster.pdf, .tif or .jpg; or a folder, for several pictures.",
)
@click.option(
    "--format",
    type=click.Choice(["pdf", "tiff", "jpeg"]),
    help="Of the files in a folder.  [default: pdf]",
)
@click.option(
    "--profile",
    type=INPUT_FILE,
    metavar="FILE.icc",
    help="ICC profile of the printer and paper, in CMYK or RGB: colors are converted to it.  "
    "[default: colors stay in sRGB]",
)
@click.option(
    "--intent",
    type=click.Choice(["relative", "perceptual"]),
    help="With --profile, what becomes of colors that can't be printed: relative takes the nearest "
    "and keeps all others, perceptual moves all.  [default: relative]",
)
@click.option(
    "--black-point/--no-black-point",
    default=None,
    help="With --profile: let black become the printer's black, and dark colors with it, or not.  "
    "[default: black-point]",
)
@click.option(
    "--print-size",
    type=Typed("print_size"),
    metavar="SIZE",
    help="Size when it is trimmed: 27x40in, 70x100cm, 420x594mm, A2, B1.  [default: by the "
    "picture's pixels and its resolution, or --dpi]",
)
@click.option(
    "--dpi",
    type=Finite(10, 2400),
    metavar="N",
    help="Pixels per inch: with --print-size, the picture is scaled to that (Lanczos).  [default: "
    "its pixels stay as they are]",
)
@click.option(
    "--fit",
    type=click.Choice(["whole", "fill"]),
    default="whole",
    show_default=True,
    help="Of a picture of another shape than --print-size, print all, with white at two sides, or "
    "cut off what is too much.",
)
@click.option(
    "--bleed",
    type=Typed("length"),
    metavar="LENGTH",
    default="0mm",
    show_default=True,
    help="Mirror the picture's edge so far around it, as 3mm, to be trimmed.",
)
@click.option("--crop-marks", is_flag=True, help="Draw where to trim; in PDF.")
@click.option(
    "--masks",
    is_flag=True,
    help="Write a mask of each swatch, too: gray PNG files with the same pixels, in poster.masks, "
    "for a spot color or an editor.",
)
@OVERWRITE
def print_(
    results,
    out,
    format,
    profile,
    intent,
    black_point,
    print_size,
    dpi,
    fit,
    bleed,
    crop_marks,
    masks,
    overwrite,
):
    """Make files for a printer of finished pictures.

    They become PDF, TIFF or JPEG at a size on paper, in the printer's colors, with the profile
    embedded. A PDF has the boxes that printers work with: TrimBox, BleedBox and MediaBox.
    docs/print.md tells more.
    """
    from recolor.datasets.file_names import reason_not_written
    from recolor.datasets.images import ImageError
    from recolor.platform.printing.files import SUFFIXES, PrintOptions, plan, print_picture
    from recolor.platform.printing.inks import Inks
    from recolor.platform.printing.sheet import SheetError

    of_suffix = SUFFIXES.get(out.suffix.lower())
    if of_suffix and format not in (None, of_suffix):
        raise click.UsageError(f"--format {format} does not go with {out}: leave out one")
    format = of_suffix or format or "pdf"
    if crop_marks and format != "pdf":
        raise click.UsageError("--crop-marks are drawn in PDF alone")
    if not profile and not (intent is None and black_point is None):
        raise click.UsageError("--intent and --black-point go with --profile")
    inks = Inks.of(profile, intent or "relative", black_point is not False) if profile else None
    tasks, skipped = plan(list(results), out, format, overwrite)
    options = PrintOptions(
        inks or Inks.srgb(), format, print_size, dpi, fit, bleed, crop_marks, masks
    )
    done = []
    for name, path, target in progress_bar(len(tasks), "printing", tasks):
        try:
            done.append(print_picture(path, target, options))
        except (ImageError, SheetError) as error:
            skipped.append((name, _as_typed(str(error))))
        except OSError as error:
            skipped.append((name, reason_not_written(error, target.parent if of_suffix else out)))
    for printed in done:
        click.echo(printable(_described(printed, options)))
        for file, swatch in printed.masks:
            click.echo(printable(f"{file}: {swatch.name}, {100 * swatch.share:.0f} %"))
    if skipped:
        report_skipped(skipped)
        if not done:
            raise click.ClickException("no picture could be printed")
        click.get_current_context().exit(SOME_SKIPPED)


def _as_typed(reason: str) -> str:
    return reason.replace("`print_size`", "--print-size").replace("`dpi`", "--dpi")


def _described(printed, options) -> str:
    """Say what a print file holds."""
    sheet, inks = printed.sheet, options.inks
    size = options.print_size
    width, height = (side / sheet.dpi for side in sheet.trim)
    shown = size.name if size else f"{width:.4g}x{height:.4g} in"
    scale = sheet.dpi / sheet.source_dpi
    pixels = f"{sheet.size[0]}x{sheet.size[1]} pixels"
    parts = [f"{shown} at {sheet.dpi:.4g} pixels per inch", pixels]
    if abs(scale - 1) > 0.005:
        changed = "enlarged" if scale > 1 else "reduced"
        ratio = max(scale, 1 / scale)
        parts[-1] += (
            f", {changed} {ratio:.2g} times: the picture has {sheet.source_dpi:.0f} per inch"
        )
    for words, lengths in (("white", sheet.white), ("cut off", sheet.cut)):
        for length, sides in zip(lengths, ("left and right", "top and bottom"), strict=True):
            if length / sheet.dpi > 0.01:
                parts.append(f"{length / sheet.dpi:.2g} in {words} at {sides}")
    color = f"{inks.mode} of {inks.name}" if inks.transform else "sRGB"
    if printed.most_ink is not None:
        color += f", {100 * printed.most_ink:.0f} % ink at most"
    return f"{printed.file}: {'; '.join([*parts, color])}"
