"""From sRGB to a printer's colors, by its ICC profile."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from recolor.datasets.color_profiles import srgb_profile
from recolor.datasets.errors import RecolorError

RELATIVE = "relative"
INTENTS = {
    RELATIVE: ImageCms.Intent.RELATIVE_COLORIMETRIC,
    "perceptual": ImageCms.Intent.PERCEPTUAL,
}
MODES = ("RGB", "CMYK")
LARGEST = 64_000_000


class ProfileError(RecolorError):
    """An ICC profile can't be used to print with."""


@dataclass(frozen=True)
class Inks:
    """A printer's colors.

    Attributes:
        mode: ``RGB`` or ``CMYK``.
        profile: The ICC profile.
        name: The profile's own description.
        transform: From sRGB; None where the colors are sRGB.
    """

    mode: str
    profile: bytes
    name: str
    transform: ImageCms.ImageCmsTransform | None = None

    @classmethod
    def srgb(cls) -> "Inks":
        """Leave colors as they are, for printers that take sRGB."""
        return cls("RGB", srgb_profile(), "sRGB")

    @classmethod
    def of(cls, path: Path, intent: str = RELATIVE, black_point: bool = True) -> "Inks":
        """Read a profile.

        Args:
            path: Its file.
            intent: What becomes of colors that the printer can't print: ``relative`` takes the
                nearest ones and keeps all others, ``perceptual`` moves all.
            black_point: Whether black becomes the printer's black, and all dark colors with it.

        Raises:
            ProfileError: If it is not a profile, or of no printer in CMYK or RGB.
            OSError: If it can't be read.
        """
        if path.stat().st_size > LARGEST:
            raise ProfileError(f"{path} is too large for an ICC profile")
        content = path.read_bytes()
        # LittleCMS leaves out tables that are cut off, and takes others in their place.
        whole = len(content) >= int.from_bytes(content[:4], "big")
        try:
            profile = ImageCms.ImageCmsProfile(BytesIO(content))
            space = profile.profile.xcolor_space.strip()
        except (OSError, ValueError, ImageCms.PyCMSError):
            whole = False
        if not whole:
            raise ProfileError(f"{path} is not an ICC profile, or is damaged")
        if space not in MODES or profile.profile.device_class not in ("prtr", "mntr", "spac"):
            raise ProfileError(
                f"{path} is a profile of another kind ({space}): it takes one of a printer, in "
                "CMYK or RGB"
            )
        flags = ImageCms.Flags.BLACKPOINTCOMPENSATION if black_point else ImageCms.Flags.NONE
        try:
            transform = ImageCms.buildTransform(
                ImageCms.ImageCmsProfile(BytesIO(srgb_profile())),
                profile,
                "RGB",
                space,
                INTENTS[intent],
                flags,
            )
            profile.tobytes()  # as ImageCms does after each conversion
        except (OSError, ImageCms.PyCMSError):
            raise ProfileError(
                f"{path} can't be printed with: it has no usable table to inks"
            ) from None
        return cls(space, content, _described(profile) or path.stem, transform)

    def converted(self, rgb: np.ndarray) -> np.ndarray:
        """Convert pixels from sRGB.

        Args:
            rgb: ``uint8 [h, w, 3]``.

        Returns:
            ``uint8 [h, w, 3 or 4]``; of CMYK, 255 is all of an ink.
        """
        if not self.transform:
            return rgb
        return np.asarray(self.transform.apply(Image.fromarray(rgb)))


def _described(profile: ImageCms.ImageCmsProfile) -> str:
    try:
        description = profile.profile.profile_description or ""
    except ValueError:  # It is in another encoding.
        return ""
    return " ".join(description.replace("\0", " ").split())
