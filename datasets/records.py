"""The TFRecord format: records one after another, each between its length and checksums."""

import mmap
import os
import shlex
import struct
from pathlib import Path

import google_crc32c

from recolor.datasets.errors import RecolorError

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")


class RecordError(RecolorError):
    """A record file is damaged."""


def how_to_repair(folder: Path) -> str:
    """Say how a damaged or missing file of a data set's folder is made again."""
    return f"`recolor verify {shlex.quote(str(folder))} --repair IMAGES` makes it again"


def frame(record: bytes) -> bytes:
    """Put a record's length and checksums around it."""
    length = struct.pack("<Q", len(record))
    return b"".join((length, _checksum(length), record, _checksum(record)))


def unframe(framed: bytes) -> bytes:
    """Return the record in a frame.

    Raises:
        RecordError: If a checksum differs.
    """
    record = framed[_HEADER.size : -_FOOTER.size]
    if framed[-_FOOTER.size :] != _checksum(record):
        raise RecordError("the checksum of a record differs")
    return record


class RecordFile:
    """The records of a file, by number: read from the disk when they are asked for.

    It may be used from several threads at once.

    Args:
        path: A TFRecord file without compression.

    Raises:
        RecordError: If the file does not consist of whole records.
    """

    def __init__(self, path: Path):
        self.path = path
        # A file of no records can't be mapped.
        with path.open("rb") as file:
            empty = not path.stat().st_size
            self._content = b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._starts = [0]
            while (start := self._starts[-1]) < len(self._content):
                # Through the map, the whole file would count as this process's memory.
                header = os.pread(file.fileno(), _HEADER.size, start)
                if len(header) < _HEADER.size or header[8:] != _checksum(header[:8]):
                    raise self._damaged()
                (length, _) = _HEADER.unpack(header)
                self._starts.append(start + _HEADER.size + length + _FOOTER.size)
        if self._starts[-1] != len(self._content):
            raise self._damaged()

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, number: int) -> bytes:
        """Read a record.

        Raises:
            IndexError: If there is no such record.
            RecordError: If it is damaged.
        """
        if not 0 <= number < len(self):
            raise IndexError(number)
        try:
            return unframe(self._content[self._starts[number] : self._starts[number + 1]])
        except RecordError:
            raise self._damaged() from None

    def _damaged(self) -> RecordError:
        return RecordError(f"{self.path} is damaged: {how_to_repair(self.path.parent)}")


def _checksum(data: bytes) -> bytes:
    """The format's checksum: CRC-32C, rotated, plus a constant."""
    crc = google_crc32c.value(data)
    return _FOOTER.pack((((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)
