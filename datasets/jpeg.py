"""JPEG files that are cut or damaged where Pillow does not say so.

libjpeg reports most damage as warnings, which Pillow drops, and it warns of less than half: Huffman
codes soon make sense again after damage, only for other blocks. What is found here is found for
sure; other damage passes.

Served models hold a copy of this file, so it imports nothing heavy.
"""

import io
import re

from PIL import Image, ImageChops

# Markers, by their second bytes.
SEQUENTIAL = (0xC0, 0xC1)
HUFFMAN_TABLES, RESTART_INTERVAL, SCAN = 0xC4, 0xDD, 0xDA
END = b"\xff\xd9"
# After the only scan: the end, the number of lines, texts.
MAY_FOLLOW = re.compile(rb"\xff[\xd9\xdc\xfe\xe0-\xef]")
# In a scan, 0xFF is followed by 0, or by a restart's number where there are restarts.
MARKER, NO_RESTART = re.compile(rb"\xff[^\0\xff]"), re.compile(rb"\xff[^\0\xff\xd0-\xd7]")
RESTART = re.compile(rb"\xff([\xd0-\xd7])")
# As a disk or a download leaves them. As a code it would be a whole block of equal numbers.
ZEROS = bytes(32)
END_OF_BLOCK = 0
# Codes that stand in for those of a scan that is cut off.
STAND_INS = (bytes(64), b"\x5a" * 64)


def damage(data: bytes) -> str | None:
    """Say how the pixels of a JPEG file are damaged, as far as its codes tell without decoding.

    Progressive files are not examined.

    Args:
        data: A file that Pillow opens.

    Returns:
        Words; None if nothing is found.
    """
    place, components, restarts, first_codes = 2, 0, False, set()
    while True:
        head = data[place : place + 4]
        following = place + 2 + int.from_bytes(head[2:], "big")
        content = data[place + 4 : following]
        if head[:1] != b"\xff" or not content:
            return None
        marker, place = head[1], following
        if marker in SEQUENTIAL:
            components = content[5]
        elif marker == RESTART_INTERVAL:
            restarts = any(content)
        elif marker == HUFFMAN_TABLES:
            first_codes |= _first_ac_codes(content)
        elif marker == SCAN:
            break
    if content[0] != components:
        # Not sequential, or in several scans.
        return None
    end = (NO_RESTART if restarts else MARKER).search(data, place)
    if end and not MAY_FOLLOW.match(end.group()):
        return "its pixels are cut off by other data"
    numbers = RESTART.findall(data, place, end.start()) if end and restarts else []
    if any(number[0] != 0xD0 + n % 8 for n, number in enumerate(numbers)):
        return "some of its pixels are missing"
    if first_codes - {END_OF_BLOCK} and data.find(ZEROS, place, end.start() if end else None) >= 0:
        return "some of its pixels were overwritten with zeros"
    return None


def _first_ac_codes(tables: bytes) -> set[int]:
    """Return what a code of only zeros means, by each of the Huffman tables of AC coefficients."""
    found = set()
    while len(tables) > 17:
        count = sum(tables[1:17])
        if tables[0] >> 4:
            found.add(tables[17])
        tables = tables[17 + count :]
    return found


def ended(data: bytes) -> bytes:
    """Give a JPEG file the end that it lacks, if all of its pixels are there.

    Returns:
        The file, or the same bytes if it has an end, or is cut before the last of its pixels,
        or ends in zeros.
    """
    # Zeros may be what was never written: they are no part of the picture that is there.
    if data.endswith((END, bytes(8))) or data.find(END, max(data.rfind(b"\xff\xda"), 0)) >= 0:
        return data
    whole = data.rstrip(b"\xff")
    # Codes that the picture does not need change nothing.
    one, other = (_loaded(whole + codes + END) for codes in STAND_INS)
    same = one and other and not ImageChops.difference(one, other).getbbox(alpha_only=False)
    return whole + END if same else data


def _loaded(data: bytes) -> Image.Image | None:
    """Decode a JPEG file; None if that fails."""
    image = Image.open(io.BytesIO(data), formats=["JPEG"])
    try:
        image.load()
    except (OSError, SyntaxError):
        return None
    return image
