"""A soft proof: a picture on the screen as a printer will print it."""

from collections.abc import Iterable
from io import BytesIO
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from recolor.datasets.color_profiles import srgb_profile
from recolor.platform.printing.inks import INTENTS, RELATIVE, Inks, ProfileError

# By which a printed color may be off, in CIE76: ISO 12647-2 allows a press as much for its solid
# inks.
TOLERANCE = 5
# What one step of 8 bits is of L, a and b.
LAB_STEPS = (100 / 255, 1, 1)
# Of marks: how wide, in pixels, and two colors, one of which stands out of any picture.
STRIPE, STRIPES = 4, np.array([(190, 255, 0), (0, 0, 0)], np.uint8)


class Proof:
    """Shows how pictures come out in a printer's colors.

    Args:
        path: The printer's profile.

    Attributes:
        name: The profile's own description.

    Raises:
        ProfileError: If it is not a profile, can't be printed with, or can't be shown.
        OSError: If it can't be read.
    """

    def __init__(self, path: Path):
        ways = product(INTENTS, (False, True))
        self._inks = {(intent, on): Inks.of(path, intent, on) for intent, on in ways}
        inks = self._inks[RELATIVE, True]
        self.name = inks.name
        try:
            self._to_screen = _transform(inks.profile, inks.mode, srgb_profile(), "RGB")
            self._to_lab = {
                on: _transform(inks.profile, inks.mode, None, "LAB", on) for on in (False, True)
            }
        except (OSError, ImageCms.PyCMSError):
            raise ProfileError(
                f"{path} can't be proofed: it has no usable table from inks"
            ) from None
        self._lab_of_screen = _transform(srgb_profile(), "RGB", None, "LAB")

    def __call__(
        self, rgb: np.ndarray, intent: str = RELATIVE, black_point: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """Show how a picture comes out, and what of it can't be printed.

        Its colors become inks as those of `Inks` do, and these become colors again by the relative
        colorimetric intent: paper is the screen's white, and black is as light beside it as it
        will be printed.

        A color can't be printed, whatever the intent, if relative colorimetric inks miss it by
        more than `TOLERANCE`; with `black_point`, the printer's black is as good as black.

        Args:
            rgb: In sRGB, ``uint8 [h, w, 3]``.
            intent: As of `Inks`.
            black_point: As of `Inks`.

        Returns:
            How it comes out, in sRGB, ``uint8 [h, w, 3]``; and where it can't be printed,
            ``bool [h, w]``.
        """
        nearest = inks = self._printed(rgb, RELATIVE, black_point)
        if intent != RELATIVE:
            inks = self._printed(rgb, intent, black_point)
        shown = np.asarray(self._to_screen.apply(inks))
        printed = np.asarray(self._to_lab[black_point].apply(nearest))
        wanted = np.asarray(self._lab_of_screen.apply(Image.fromarray(rgb)))
        return shown, _distances(printed, wanted) > TOLERANCE

    def _printed(self, rgb: np.ndarray, intent: str, black_point: bool) -> Image.Image:
        inks = self._inks[intent, black_point]
        return Image.fromarray(inks.converted(rgb), inks.mode)


def proofs_of(paths: Iterable[Path]) -> list[Proof]:
    """Return proofs of several profiles, each of another name.

    Raises:
        ProfileError, OSError: As of `Proof`; and if two profiles have the same name.
    """
    proofs: list[Proof] = []
    for path in paths:
        proof = Proof(path)
        if proof.name in [other.name for other in proofs]:
            raise ProfileError(f"{path}: another profile is called {proof.name!r}, too")
        proofs.append(proof)
    return proofs


def marked(rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Cover a part of a picture with stripes.

    Args:
        rgb: ``uint8 [h, w, 3]``.
        mask: Where, ``bool [h, w]``.

    Returns:
        ``uint8 [h, w, 3]``.
    """
    y, x = np.indices(mask.shape, sparse=True)
    return np.where(mask[..., None], STRIPES[(x + y) // STRIPE % 2], rgb)


def _transform(
    source: bytes, mode: str, target: bytes | None, target_mode: str, black_point: bool = False
) -> ImageCms.ImageCmsTransform:
    """Return the relative colorimetric conversion between two profiles; to Lab without another."""
    return ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(BytesIO(source)),
        ImageCms.ImageCmsProfile(BytesIO(target)) if target else ImageCms.createProfile("LAB"),
        mode,
        target_mode,
        INTENTS[RELATIVE],
        ImageCms.Flags.BLACKPOINTCOMPENSATION if black_point else ImageCms.Flags.NONE,
    )


def _distances(lab: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return CIE76 distances, ``float32 [h, w]``, of Pillow's Lab, ``uint8 [h, w, 3]``."""
    squares = np.zeros(lab.shape[:2], np.float32)
    for channel, step in enumerate(LAB_STEPS):
        # a and b have a sign.
        kind = np.int8 if channel else np.uint8
        one, two = (each[..., channel].view(kind) for each in (lab, other))
        squares += np.square(step * np.subtract(one, two, dtype=np.float32))
    return np.sqrt(squares)
