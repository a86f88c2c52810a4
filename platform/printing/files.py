"""Print files of finished pictures: PDF, TIFF and JPEG."""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import tifffile
from PIL import Image

from recolor.datasets.atomic_file import atomic_write
from recolor.datasets.errors import TOO_LARGE, RecolorError, out_of_memory
from recolor.datasets.file_names import Sources, taken_for_others
from recolor.datasets.images import ImageError
from recolor.datasets.inputs import find_inputs
from recolor.datasets.picture_file import PictureFile
from recolor.datasets.swatches import Swatch
from recolor.platform.printing.inks import Inks
from recolor.platform.printing.lengths import PrintSize
from recolor.platform.printing.masks import swatch_masks
from recolor.platform.printing.pdf import write_pdf
from recolor.platform.printing.sheet import BAND, WHOLE, Sheet, lay_out

PDF, TIFF, JPEG = FORMATS = ("pdf", "tiff", "jpeg")
SUFFIXES = {".pdf": PDF, ".tif": TIFF, ".tiff": TIFF, ".jpg": JPEG, ".jpeg": JPEG}
ENDINGS = {PDF: ".pdf", TIFF: ".tif", JPEG: ".jpg"}
QUALITY = {"quality": 95, "subsampling": 0}
# Of the folder with a picture's masks.
MASKS = ".masks"
LEVEL = 3


@dataclass(frozen=True)
class PrintOptions:
    """How pictures are printed: `lay_out` says what `print_size`, `dpi`, `fit` and `bleed` mean.

    Attributes:
        inks: The printer's colors.
        format: ``pdf``, ``tiff`` or ``jpeg``.
        marks: Whether to draw crop marks, in a PDF.
        masks: Whether to write masks of the picture's swatches, too.
    """

    inks: Inks
    format: str = PDF
    print_size: PrintSize | None = None
    dpi: float | None = None
    fit: str = WHOLE
    bleed: float = 0.0
    marks: bool = False
    masks: bool = False


@dataclass(frozen=True)
class PrintFile:
    """A print file that was made.

    Attributes:
        file: The file.
        sheet: What it shows.
        most_ink: The most ink on any pixel, 4 being all of all four; None of RGB.
        masks: The files of masks, and the swatch that each is of.
    """

    file: Path
    sheet: Sheet
    most_ink: float | None
    masks: list[tuple[Path, Swatch]]


def plan(
    inputs: list[Path], out: Path, format: str, overwrite: bool
) -> tuple[list[tuple[str, Path, Path]], list[tuple[str, str]]]:
    """List the pictures to print, and check that no print file replaces what is to stay.

    Args:
        inputs: Folders and files.
        out: A file, if its suffix is that of a print file, else a folder.
        format: Of print files in a folder.
        overwrite: Whether to replace print files that are there already.

    Returns:
        Name, file and print file of each picture; and name and reason of each whose print file the
        folder would take for an earlier one, though their names differ.

    Raises:
        ImageError: If an input is missing, several would be printed to one file, or a print file
            is there already.
    """
    found = find_inputs(inputs, leave_out=out)
    if out.suffix.lower() in SUFFIXES:
        if len(found) > 1:
            raise ImageError(f"{len(found)} pictures can't be printed to {out}: name a folder")
        tasks = [(name, path, out) for name, path in found]
    else:
        tasks = [
            (name, path, out / PurePosixPath(name).with_suffix(ENDINGS[format]))
            for name, path in found
        ]
    sources = Sources(path for _, path, _ in tasks)
    targets: dict[Path, Path] = {}
    for _, path, target in tasks:
        if target in targets:
            raise ImageError(f"{targets[target]} and {path} would both be printed to {target}")
        targets[target] = path
        if target in sources:
            raise ImageError(f"{target} would replace a picture: choose another --out")
        if target.exists() and not overwrite:
            raise ImageError(f"{target} is there already: --overwrite replaces it")
    same = taken_for_others(out, targets)
    return (
        [task for task in tasks if task[2] not in same],
        [(name, same[target]) for name, _, target in tasks if target in same],
    )


def print_picture(path: Path, target: Path, options: PrintOptions) -> PrintFile:
    """Make the print file of a picture.

    Raises:
        ImageError, SheetError: If the picture can't be read or printed so.
        OSError: If the file can't be written.
    """
    try:
        source = PictureFile.read(path)
        sheet = lay_out(
            source.picture.size,
            source.dpi,
            options.print_size,
            options.dpi,
            options.fit,
            options.bleed,
        )
        inks, most = options.inks, 0

        def bands() -> Iterator[np.ndarray]:
            nonlocal most
            for band in sheet.bands(source.picture):
                converted = inks.converted(band)
                if inks.mode == "CMYK":
                    most = max(most, int(converted.sum(axis=2, dtype=np.uint16).max()))
                yield converted

        with atomic_write(target) as temporary:
            if options.format == PDF:
                write_pdf(temporary, bands(), sheet, inks, options.marks)
            elif options.format == TIFF:
                _write_tiff(temporary, bands(), sheet, inks)
            else:
                _write_jpeg(temporary, bands(), sheet, inks)
        masks = _write_masks(source.picture, target, sheet) if options.masks else []
    except (RecolorError, OSError):
        raise
    except Exception as error:
        if not out_of_memory(error):
            raise
        raise ImageError(TOO_LARGE) from None
    return PrintFile(target, sheet, most / 255 if inks.mode == "CMYK" else None, masks)


def _write_tiff(path: Path, bands: Iterable[np.ndarray], sheet: Sheet, inks: Inks) -> None:
    """Write strips, each with differences of neighboring pixels, compressed."""

    def strips() -> Iterator[bytes]:
        for band in bands:
            band = band.copy()
            band[:, 1:] -= band[:, :-1].copy()
            yield zlib.compress(band, LEVEL)

    width, height = sheet.size
    tifffile.imwrite(
        path,
        strips(),
        shape=(height, width, len(inks.mode)),
        dtype=np.uint8,
        photometric="separated" if inks.mode == "CMYK" else "rgb",
        planarconfig="contig",
        rowsperstrip=BAND,
        compression="zlib",
        predictor="horizontal",
        resolution=(sheet.dpi, sheet.dpi),
        resolutionunit="inch",
        iccprofile=inks.profile,
        software="recolor",
        metadata=None,
    )


def _write_jpeg(path: Path, bands: Iterable[np.ndarray], sheet: Sheet, inks: Inks) -> None:
    dpi = (sheet.dpi, sheet.dpi)
    whole = _whole(bands, inks.mode, sheet)
    whole.save(path, "JPEG", dpi=dpi, icc_profile=inks.profile, **QUALITY)


def _write_masks(picture: Image.Image, target: Path, sheet: Sheet) -> list[tuple[Path, Swatch]]:
    """Write masks that lie on the sheet as the picture does, in a folder beside the print file."""
    written = []
    for swatches, masks in swatch_masks(picture):
        whole = _whole(sheet.bands(masks, beyond=(0, 0, 0)), "RGB", sheet)
        for swatch, channel in zip(swatches, whole.getbands(), strict=False):
            name = f"{len(written) + 1}-{swatch.color.removeprefix('#')}.png"
            file = target.with_suffix(MASKS) / name
            with atomic_write(file) as temporary:
                mask = whole.getchannel(channel)
                mask.save(temporary, "PNG", dpi=(sheet.dpi, sheet.dpi), compress_level=LEVEL)
            written.append((file, swatch))
        # Before there is another one.
        del whole
    return written


def _whole(bands: Iterable[np.ndarray], mode: str, sheet: Sheet) -> Image.Image:
    whole, top = Image.new(mode, sheet.size), 0
    for band in bands:
        whole.paste(Image.fromarray(band, mode), (0, top))
        top += len(band)
    return whole
