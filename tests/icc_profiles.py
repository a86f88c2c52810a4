"""ICC profiles built by hand (version 2), for tests: of RGB, gray and CMYK."""

import itertools
import struct

import numpy as np

# Bradford's adaptation from D65, sRGB's white, to D50, that of profiles.
D50 = np.array([0.9642, 1.0, 0.8249])
D65 = np.array([0.95047, 1.0, 1.08883])
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
D50_FROM_D65 = np.linalg.solve(BRADFORD, np.diag(BRADFORD @ D50 / (BRADFORD @ D65)) @ BRADFORD)

# The chromaticities of red, green and blue.
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
DISPLAY_P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))


def xyz_from_rgb(primaries) -> np.ndarray:
    """The matrix from linear RGB with white D65 to XYZ."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    return columns * np.linalg.solve(columns, D65)


def srgb_to_linear(value: np.ndarray) -> np.ndarray:
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def srgb_from_xyz_d65(xyz: np.ndarray) -> np.ndarray:
    """XYZ with white D65 to sRGB in [0, 1], clipped."""
    linear = np.clip(xyz @ np.linalg.inv(xyz_from_rgb(SRGB)).T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _s15(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def _xyz(values) -> bytes:
    return b"XYZ " + bytes(4) + _s15(*values)


def _text(text: bytes) -> bytes:
    return b"text" + bytes(4) + text + b"\0"


def _description(text: bytes) -> bytes:
    return b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text + bytes(1 + 8 + 3 + 67)


def curve(values: np.ndarray) -> bytes:
    """A tone curve of values in [0, 1]."""
    table = np.rint(np.asarray(values) * 65535).astype(">u2")
    return b"curv" + bytes(4) + struct.pack(">I", len(table)) + table.tobytes()


def profile(device: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Put a profile's parts together."""
    tags = {b"desc": _description(b"test"), b"cprt": _text(b"none"), b"wtpt": _xyz(D50), **tags}
    start = 128 + 4 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    header = struct.pack(">I4sI4s4s4s", start + len(data), b"none", 0x02400000, device, space,
                         connection)  # fmt: skip
    header += struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _s15(*D50)
    return header + bytes(128 - len(header)) + table + data


def rgb_profile(primaries, levels: np.ndarray) -> bytes:
    """Of an RGB space with white D65; ``levels`` is the linear value of each 8-bit one."""
    columns = (D50_FROM_D65 @ xyz_from_rgb(primaries)).T
    tags = {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns)}  # noqa: B905
    tags |= {name: curve(levels) for name in (b"rTRC", b"gTRC", b"bTRC")}
    return profile(b"mntr", b"RGB ", b"XYZ ", tags)


def gray_profile(levels: np.ndarray) -> bytes:
    """Of gray; ``levels`` is the luminance of each 8-bit value."""
    return profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": curve(levels)})


def cmyk_profile(xyz_of_ink, grid: int = 9, ink_of_xyz=None, perceptual=None) -> bytes:
    """Of a printer.

    Args:
        xyz_of_ink: Gives XYZ with white D50, ``[..., 3]``, for inks in [0, 1], ``[..., 4]``.
        grid: Points of the table along each ink.
        ink_of_xyz: The inverse, if the profile is to convert to inks, too.
        perceptual: Another one, for the perceptual intent.
    """
    axis = np.linspace(0, 1, grid)
    inks = np.array(list(itertools.product(axis, repeat=4)))
    t = xyz_of_ink(inks) / D50
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    lab = np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)
    # 16 bits of Lab as in version 2: 0xff00 is 100 of L, 0x8000 is 0 of a and b.
    encoded = np.rint(np.stack([lab[:, 0] * 652.8, *(256 * (lab[:, 1:] + 128)).T], axis=1))
    tags = {b"A2B0": _table(4, grid, encoded)}
    if ink_of_xyz:
        axis = np.linspace(0, 65535, 33)
        lab = np.array(list(itertools.product(axis, repeat=3))) / [652.8, 256, 256] - [0, 128, 128]
        y = (lab[:, 0] + 16) / 116
        f = np.stack([y + lab[:, 1] / 500, y, y - lab[:, 2] / 200], axis=1)
        xyz = D50 * np.where(f > 6 / 29, f**3, (f - 16 / 116) / 7.787)
        for name, inks_of in {b"B2A0": perceptual or ink_of_xyz, b"B2A1": ink_of_xyz}.items():
            tags[name] = _table(3, 33, np.rint(inks_of(xyz) * 65535))
    return profile(b"prtr", b"CMYK", b"Lab ", tags)


def printer(black: float = 0.9):
    """A printer whose inks each take red, green or blue, and a black one.

    Args:
        black: What the black ink takes of the light, where there is all of it.

    Returns:
        XYZ with white D50 of inks, and the inks of XYZ, as `cmyk_profile` takes them.
    """
    colored = 0.95  # what each of the others takes
    d50_from_rgb = D50_FROM_D65 @ xyz_from_rgb(SRGB)

    def xyz_of_ink(inks: np.ndarray) -> np.ndarray:
        light = (1 - colored * inks[..., :3]) * (1 - black * inks[..., 3:])
        return light @ d50_from_rgb.T

    def ink_of_xyz(xyz: np.ndarray) -> np.ndarray:
        light = np.clip(xyz @ np.linalg.inv(d50_from_rgb).T, 0, 1)
        amount = np.clip((1 - light.max(axis=1, keepdims=True)) / black, 0, 1)
        others = (1 - light / (1 - black * amount)) / colored
        return np.concatenate([np.clip(others, 0, 1), amount], axis=1)

    return xyz_of_ink, ink_of_xyz


def printer_profile(black: float = 0.9) -> bytes:
    """The profile of a `printer`, both ways."""
    xyz_of_ink, ink_of_xyz = printer(black)
    return cmyk_profile(xyz_of_ink, 17, ink_of_xyz)


def _table(inputs: int, grid: int, values: np.ndarray) -> bytes:
    """A table of 16-bit values ``[grid ** inputs, outputs]``, with straight curves around it."""
    straight, outputs = np.array([0, 65535], ">u2").tobytes(), values.shape[1]
    lut = b"mft2" + bytes(4) + bytes([inputs, outputs, grid, 0]) + _s15(1, 0, 0, 0, 1, 0, 0, 0, 1)
    lut += struct.pack(">HH", 2, 2) + inputs * straight
    return lut + np.clip(values, 0, 65535).astype(">u2").tobytes() + outputs * straight
