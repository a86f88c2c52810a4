"""The list of images that could not be used, and why."""

from collections.abc import Iterable

SKIPPED_FILE = "skipped.tsv"
# What a command says itself; the file holds all.
MOST_SHOWN = 5


def skipped_table(skipped: Iterable[tuple[str, str]]) -> bytes:
    """Return the content of a file that lists name and reason of each image."""
    rows = [("image", "reason"), *skipped]
    lines = ["\t".join(" ".join(text.split()) for text in row) for row in rows]
    # Names of files need not be text.
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")
