"""Where a picture lies on its sheet, and the sheet's pixels, made band by band."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from recolor.datasets.errors import RecolorError
from recolor.datasets.images import MAX_FILE_PIXELS, MAX_SIDE, WHITE
from recolor.platform.printing.lengths import LONGEST, SHORTEST, PrintSize

WHOLE, FILL = FITS = ("whole", "fill")
# Shapes that differ by less are filled: a white line at an edge would look like a mistake.
SAME_SHAPE = 0.005
# Rows in a band, to bound the memory.
BAND = 256


class SheetError(RecolorError):
    """A picture can't be laid on such a sheet."""


@dataclass(frozen=True)
class Sheet:
    """Where a picture lies on a sheet, in pixels of the sheet.

    Attributes:
        dpi: Pixels per inch of the sheet.
        trim: Width and height that remain when the sheet is trimmed.
        bleed: What the sheet has around that.
        scaled: Width and height of the scaled picture, which lies in the middle of the sheet.
        source_dpi: How many of the picture's own pixels there are per inch.
    """

    dpi: float
    trim: tuple[int, int]
    bleed: int
    scaled: tuple[int, int]
    source_dpi: float

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, with bleed."""
        return self.trim[0] + 2 * self.bleed, self.trim[1] + 2 * self.bleed

    @property
    def white(self) -> tuple[int, int]:
        """How wide the white at each side is, and how high that at the top and bottom."""
        return self._beyond(1)

    @property
    def cut(self) -> tuple[int, int]:
        """How much of the picture is cut off at each side, and at the top and bottom."""
        return self._beyond(-1)

    def _beyond(self, sign: int) -> tuple[int, int]:
        pairs = zip(self.trim, self.scaled, strict=True)
        across, down = (max(0, sign * (trim - scaled)) // 2 for trim, scaled in pairs)
        return across, down

    def bands(
        self, picture: Image.Image, beyond: tuple[int, int, int] = WHITE
    ) -> Iterator[np.ndarray]:
        """Yield the rows of the sheet from the top: ``uint8 [rows, width, 3]``, 256 at most.

        The picture is scaled by Lanczos. Beyond its edges the sheet is its mirror image, or white
        where the picture is smaller than the trimmed sheet.

        Args:
            picture: RGB.
            beyond: What there is instead of white.
        """
        (x, white_x), (y, white_y) = (self._places(axis) for axis in (0, 1))
        step = picture.height / self.scaled[1]
        for start in range(0, len(y), BAND):
            rows, white = y[start : start + BAND], white_y[start : start + BAND]
            band = np.full((len(rows), len(x), 3), beyond, np.uint8)
            if not white.all():
                shown = rows[~white]
                low, high = shown.min(), shown.max() + 1
                box = (0, low * step, picture.width, min(high * step, picture.height))
                part = np.asarray(
                    picture.resize((self.scaled[0], int(high - low)), Image.Resampling.LANCZOS, box)
                )
                band[np.ix_(~white, ~white_x)] = part[shown - low][:, x[~white_x]]
            yield band

    def _places(self, axis: int) -> tuple[np.ndarray, np.ndarray]:
        """Return which pixel of the scaled picture each one along an axis shows, and which are
        white instead."""
        scaled = self.scaled[axis]
        places = np.arange(self.size[axis]) - self.bleed - (self.trim[axis] - scaled) // 2
        outside = (places < 0) | (places >= scaled)
        places = np.where(places < 0, -1 - places, places)
        places = np.where(places >= scaled, 2 * scaled - 1 - places, places)
        return places, outside & (scaled < self.trim[axis])


def lay_out(
    size: tuple[int, int],
    own_dpi: tuple[float, float] | None,
    print_size: PrintSize | None = None,
    dpi: float | None = None,
    fit: str = WHOLE,
    bleed: float = 0.0,
) -> Sheet:
    """Lay a picture on a sheet.

    Args:
        size: Width and height of the picture, in pixels.
        own_dpi: What its file says, across and down; None where that says nothing.
        print_size: Of the trimmed sheet; None for the picture's own.
        dpi: Pixels per inch of the sheet; None for as many as the picture has on it.
        fit: What is done if the picture has another shape than the sheet: ``whole`` leaves white at
            two sides, ``fill`` cuts off two sides of the picture.
        bleed: Around the sheet, in inches.

    Raises:
        SheetError: If the size can't be known, the sheet would be too large, or the bleed is larger
            than the picture.
    """
    # In square pixels.
    shape = (size[0], size[1] * own_dpi[0] / own_dpi[1]) if own_dpi else size
    if print_size is None:
        own = dpi or (own_dpi and own_dpi[0])
        if own is None:
            raise SheetError("its file has no resolution: give `print_size` or `dpi`")
        print_size = PrintSize(shape[0] / own, shape[1] / own)
        if not all(SHORTEST <= side <= LONGEST for side in (print_size.width, print_size.height)):
            raise SheetError(
                f"at {own:.4g} pixels per inch it is {print_size.width:.4g}x"
                f"{print_size.height:.4g} in, of {SHORTEST:g} to {LONGEST:g}: give `print_size`"
            )
    print_size = print_size.turned_as(*shape)
    densities = shape[0] / print_size.width, shape[1] / print_size.height
    alike = max(densities) / min(densities) - 1 < SAME_SHAPE
    source_dpi = min(densities) if fit == FILL or alike else max(densities)
    dpi = dpi or source_dpi
    trim = round(print_size.width * dpi), round(print_size.height * dpi)
    scaled = tuple(max(1, round(side * dpi / source_dpi)) for side in shape)
    if alike:
        # Rounding leaves no line white.
        scaled = max(scaled[0], trim[0]), max(scaled[1], trim[1])
    sheet = Sheet(dpi, trim, round(bleed * dpi), scaled, source_dpi)
    width, height = sheet.size
    if width * height > MAX_FILE_PIXELS or max(width, height) > MAX_SIDE:
        raise SheetError(
            f"{width}x{height} pixels at {dpi:.4g} pixels per inch: the limit is "
            f"{MAX_FILE_PIXELS / 1e6:.0f} megapixels and {MAX_SIDE} a side: lower `dpi`"
        )
    if sheet.bleed > min(scaled):
        raise SheetError("the bleed is larger than the picture")
    return sheet
